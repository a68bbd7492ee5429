"""Who has a port, in one sentence with a mend: a start is refused with it, and `doctor` shows it."""

from __future__ import annotations

import errno
import os
import socket

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.host import addresses


def test_the_holder_of_a_port_is_named_with_what_ends_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        taken = addresses.why_not_free("127.0.0.1", port, "infra1")
        assert taken is not None
        assert taken.what.startswith(f"port {port} of infra1 is taken by ")
        assert taken.what.endswith(f"(pid {os.getpid()})")
        assert taken.where == f"127.0.0.1:{port}"
        assert taken.hint.startswith(f"end it with: kill {os.getpid()}; or start on other ports")
    assert addresses.why_not_free("127.0.0.1", port, "infra1") is None


def test_a_port_whose_holder_cannot_be_seen_may_be_free_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = OSError(errno.EADDRINUSE, "Address already in use")
    monkeypatch.setattr(addresses, "bind_error", lambda host, port: taken)
    monkeypatch.setattr(addresses, "holder_of", lambda port: None)
    error = addresses.why_not_free("127.0.0.1", 40000, "infra1")
    assert error is not None
    assert error.what == "port 40000 of infra1 is taken"
    assert error.hint.startswith("try again in a minute, or start on other ports")


def test_an_address_that_is_none_of_this_machine_is_a_mistake_of_the_input() -> None:
    error = addresses.why_not_free("192.0.2.1", 40000, "infra1")
    assert isinstance(error, InputError)
    assert error.what.startswith("infra1 cannot listen on 192.0.2.1:40000 (")
