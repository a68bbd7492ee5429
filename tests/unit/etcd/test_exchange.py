"""Connections outlive the patience of who asks: a real server on loopback that answers when it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from etcd_sandbox.etcd import exchange
from etcd_sandbox.etcd.exchange import Exchange

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class LateServer:
    """Answers each question only once `answering` is set."""

    def __init__(self) -> None:
        self.url = ""
        self.answering = asyncio.Event()
        self.connections = self.questions = self.closed = 0
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.questions += 1
                self.asked.set()
                gone, may = asyncio.ensure_future(reader.read(1)), self.answering.wait()
                answering = asyncio.ensure_future(may)
                await asyncio.wait({gone, answering}, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    answering.cancel()
                    self.closed += 1
                    return
                gone.cancel()
                await asyncio.wait({gone})
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def late_server() -> AsyncIterator[LateServer]:
    server = LateServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server


def with_a_late_server(work: Callable[[Exchange, LateServer], Awaitable[None]]) -> None:
    async def run() -> None:
        async with late_server() as server:
            http = Exchange(lambda: pytest.fail("no TLS here"))
            try:
                await work(http, server)
            finally:
                server.answering.set()
                await http.aclose()

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - of what has no event
            await asyncio.sleep(0.005)


async def given_up(http: Exchange, server: LateServer) -> None:
    server.asked.clear()
    talk = asyncio.create_task(http.send("POST", server.url, b""))
    await asyncio.wait_for(server.asked.wait(), 10)
    talk.cancel()
    with suppress(asyncio.CancelledError):
        await talk


def test_an_answer_that_is_given_up_costs_the_next_question_no_new_connection() -> None:
    async def work(http: Exchange, server: LateServer) -> None:
        await given_up(http, server)
        server.answering.set()
        await until(lambda: any(http._idle.values()))
        assert await http.send("POST", server.url, b"") == (200, b"hi")
        assert (server.connections, server.questions) == (1, 2)

    with_a_late_server(work)


def test_of_many_answers_that_nobody_waits_for_only_some_are_kept() -> None:
    async def work(http: Exchange, server: LateServer) -> None:
        for _ in range(exchange.LEFT_AT_MOST + 3):
            await given_up(http, server)
        await until(lambda: server.closed >= 3)
        assert server.connections - server.closed == exchange.LEFT_AT_MOST

    with_a_late_server(work)


def test_what_was_given_up_before_it_could_be_asked_is_never_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(http: Exchange, server: LateServer) -> None:
        server.answering.set()
        connect, may_connect = exchange._connect, asyncio.Event()

        async def slowly(*args: object) -> object:
            await may_connect.wait()
            return await connect(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(exchange, "_connect", slowly)
        talk = asyncio.create_task(http.send("POST", server.url, b"changes something"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        talk.cancel()
        with suppress(asyncio.CancelledError):
            await talk
        may_connect.set()
        await until(lambda: any(http._idle.values()))
        assert server.questions == 0
        assert await http.send("POST", server.url, b"") == (200, b"hi")
        assert (server.connections, server.questions) == (1, 1)

    with_a_late_server(work)
