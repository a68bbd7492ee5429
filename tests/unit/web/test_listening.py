"""Where the dashboard in the browser listens: this machine alone unless told otherwise."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.web import listening
from etcd_sandbox.web.listening import Listening, listen


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def facts(bind: str | None, port: int | None = 0) -> Listening:
    found = listen(bind, port)
    found.socket.close()
    return found


def test_it_listens_on_this_machine_alone_unless_told_otherwise() -> None:
    found = listen(None, 0)
    with found.socket:
        assert found.socket.getsockname() == ("127.0.0.1", found.port)
    assert found.shown == "127.0.0.1"
    assert found.names == frozenset({"localhost"})
    assert not found.beyond_this_machine


@pytest.mark.parametrize("bind", ["127.0.0.1", "localhost"])
def test_an_address_of_this_machine_alone_needs_no_warning(bind: str) -> None:
    found = facts(bind)
    assert not found.beyond_this_machine
    assert found.shown == bind


def test_all_addresses_are_beyond_this_machine_and_one_of_them_stands_in_the_url() -> None:
    found = facts("0.0.0.0")
    assert found.beyond_this_machine
    assert found.address == "0.0.0.0"
    assert found.shown != "0.0.0.0"
    assert socket.gethostname().lower() in found.names


def test_the_usual_port_is_taken_if_it_is_free_and_any_other_if_it_is_not(
    monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    monkeypatch.setattr(listening, "USUAL_PORT", taken)
    assert facts(None, None).port != taken


def test_a_port_that_was_named_and_is_taken_is_an_error(taken: int) -> None:
    with pytest.raises(InputError, match=f"the port is taken, 127.0.0.1:{taken}") as raised:
        listen(None, taken)
    assert raised.value.hint == "--port auto takes a free one"


@pytest.mark.parametrize("bind", ["192.0.2.1", "no..name"])
def test_what_is_no_address_of_this_machine_is_an_error(bind: str) -> None:
    with pytest.raises(InputError, match="not an address of this machine"):
        listen(bind, 0)
