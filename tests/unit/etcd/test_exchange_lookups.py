"""Names of hosts: looked up apart from everything else."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from etcd_sandbox.etcd.exchange import Exchange, Lookups


class NameServer:
    """A resolver that says nothing until it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answering = threading.Event()

    def __call__(self, host: str, *args: object, **more: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        self.answering.wait(20)
        if host == "none.example":
            raise socket.gaierror(-2, "Name or service not known")
        return [(0, 0, 0, "", ("127.0.0.9", 0)), (0, 0, 0, "", ("127.0.0.1", 0))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", server)
    yield server
    server.answering.set()


def no_tls() -> ssl.SSLContext:
    raise AssertionError


def test_a_name_server_that_is_silent_holds_nothing_else_up(names: NameServer) -> None:
    async def ask() -> None:
        lookups = Lookups()
        for _ in range(40):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(lookups.addresses("node1.example"), 0.01)
        assert names.asked == ["node1.example"]
        # asyncio's own threads are free for other work all the while.
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 1), 10) == 1

    # The program's end does not wait for the answer either.
    asyncio.run(ask())
    assert not names.answering.is_set()


def test_who_asks_at_the_same_time_has_the_same_answer(names: NameServer) -> None:
    async def ask() -> list[list[str]]:
        lookups = Lookups()
        both = asyncio.gather(lookups.addresses("a.example"), lookups.addresses("a.example"))
        asyncio.get_running_loop().call_soon(names.answering.set)
        return list(await both)

    assert asyncio.run(ask()) == [["127.0.0.9", "127.0.0.1"]] * 2
    assert names.asked == ["a.example"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "fe80::1%lo"])
def test_an_address_needs_no_look_up(names: NameServer, host: str) -> None:
    assert asyncio.run(Lookups().addresses(host)) == [host]
    assert names.asked == []


def test_a_name_that_is_none_is_trouble_like_any_other(names: NameServer) -> None:
    names.answering.set()
    with pytest.raises(OSError, match="not known"):
        asyncio.run(Exchange(no_tls).send("GET", "http://none.example:1/version", b""))


def test_a_host_of_several_addresses_is_asked_at_the_one_that_answers(
    names: NameServer,
) -> None:
    names.answering.set()
    heads: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def ask() -> tuple[int, bytes]:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        async with await asyncio.start_server(answer, sock=listener):
            port = listener.getsockname()[1]
            http = Exchange(no_tls)
            said = await http.send("GET", f"http://a.example:{port}/version", b"")
            await http.aclose()
            return said

    assert asyncio.run(ask()) == (200, b"hi")
    assert "\r\nhost: a.example:" in heads[0].lower()
