"""How a connection is known from both of its ends, and whose it is: on connections of this process."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from etcd_sandbox.links import socketdiag
from etcd_sandbox.links.owners import Ends, ends_of, owners


@pytest.fixture(params=["by inode", "by table"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux' way, and the other systems'."""
    if request.param == "by table":
        monkeypatch.setattr(socketdiag, "is_available", lambda: False)
    elif sys.platform != "linux":
        pytest.skip("only Linux can be asked for one socket")
    else:
        assert socketdiag.is_available()


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Who dialled, and what was accepted."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with ExitStack() as stack:
        try:
            listener = stack.enter_context(socket.create_server((request.param, 0), family=family))
        except OSError:
            pytest.skip(f"this machine has no {request.param}")
        dialled = stack.enter_context(socket.create_connection(listener.getsockname()[:2]))
        accepted = stack.enter_context(listener.accept()[0])
        yield dialled, accepted


def seen_by(accepted: socket.socket) -> Ends:
    return ends_of(accepted.getpeername(), accepted.getsockname())


@pytest.mark.usefixtures("way")
def test_a_connection_belongs_to_the_process_that_dialled(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ends = seen_by(pair[1])
    assert owners({"nobody": 2**22 + 1, "me": os.getpid()}, {ends}) == {ends: "me"}


@pytest.mark.usefixtures("way")
def test_the_accepting_end_is_not_the_dialler(pair: tuple[socket.socket, socket.socket]) -> None:
    ends = seen_by(pair[1])
    pair[0].close()
    assert owners({"me": os.getpid()}, {ends}) == {}


@pytest.mark.usefixtures("way")
def test_a_connection_of_another_process_is_nobodys(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    assert owners({"parent": os.getppid()}, {seen_by(pair[1])}) == {}


@pytest.mark.usefixtures("way")
def test_a_port_that_only_listens_is_nobodys() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = listener.getsockname()
        assert owners({"me": os.getpid()}, {(here[0], here[1], "127.0.0.1", 9)}) == {}


def test_an_address_in_ipv6_dress_is_the_ipv4_one() -> None:
    plain = ends_of(("127.0.0.1", 1000), ("127.0.0.1", 12380))
    assert ends_of(("::ffff:127.0.0.1", 1000, 0, 0), ("::ffff:127.0.0.1", 12380)) == plain


def test_one_local_port_to_two_places_is_two_connections() -> None:
    here = ("127.0.0.1", 1000)
    assert ends_of(here, ("127.0.0.1", 12380)) != ends_of(here, ("127.0.0.1", 22380))
