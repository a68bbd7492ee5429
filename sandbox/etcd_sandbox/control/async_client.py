"""The client of the control API for an event loop: as `control.client`, awaited."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from io import BytesIO
from typing import Any, cast

from etcd_sandbox.control.answers import checked, checked_news, connection_errors, gone, status_in
from etcd_sandbox.control.requests import ANSWER_TIMEOUT_S, Questions, Request
from etcd_sandbox.control.wire import Frame, read_frames

STREAM_PIECE_BYTES = 256 << 10

_CONNECT_EVERY_S = 0.01

Objects = AsyncGenerator[dict[str, Any], None]


class AsyncControlClient(
    Questions[Coroutine[Any, Any, dict[str, Any]], Objects, AsyncGenerator[Frame, None]]
):
    """Asks the supervisor of one cluster, a connection a question.

    An iterator that is left before its end is closed with `contextlib.aclosing`.
    """

    async def ask(self, request: Request) -> dict[str, Any]:
        with connection_errors(self.paths):
            async with asyncio.timeout(request.timeout_s), self._sent(request) as (status, body):
                return cast(dict[str, Any], checked(status, await body.read()))

    async def _objects(self, request: Request) -> Objects:
        rest = b""
        async with aclosing(self._pieces(request)) as pieces:
            async for piece in pieces:
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    yield json.loads(line)

    async def _news(self, request: Request) -> Objects:
        async with aclosing(self._objects(request)) as objects:
            async for news in objects:
                yield checked_news(news)
                if "verdict" in news:
                    return
        raise gone(self.paths)

    async def _frames(self, request: Request) -> AsyncGenerator[Frame, None]:
        whole = WholeFrames()
        async with aclosing(self._pieces(request)) as pieces:
            async for piece in pieces:
                for frame in whole.of(piece):
                    yield frame

    async def _pieces(self, request: Request) -> AsyncGenerator[bytes, None]:
        """The body of an answer, as it comes."""
        with connection_errors(self.paths):
            async with self._sent(request) as (status, body):
                if status >= 400:
                    checked(status, await body.read())
                while True:
                    async with asyncio.timeout(request.timeout_s):
                        piece = await body.read(STREAM_PIECE_BYTES)
                    if not piece:
                        return
                    yield piece

    @asynccontextmanager
    async def _sent(self, request: Request) -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
        """The status of the answer, and its body."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await _connected(str(self.paths.socket))
        try:
            writer.write(request.encoded(self.user))
            async with asyncio.timeout(request.timeout_s):
                status = status_in(await reader.readline())
                while (await reader.readline()).strip():
                    pass  # what the headers say is known
            yield status, reader
        finally:
            writer.transport.abort()


async def _connected(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the socket: where too many wait there already, Linux refuses at once."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        while True:
            try:
                connection.connect(path)
            except BlockingIOError:
                await asyncio.sleep(_CONNECT_EVERY_S)
            else:
                return await asyncio.open_unix_connection(sock=connection)
    except BaseException:
        connection.close()
        raise


class WholeFrames:
    """The frames of a log stream that comes in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""

    def of(self, piece: bytes) -> list[Frame]:
        """The frames that are whole now."""
        content = self._rest + piece
        stream = BytesIO(content)
        whole, frames = 0, []
        for frame in read_frames(stream):
            whole = stream.tell()
            frames.append(frame)
        self._rest = content[whole:]
        return frames
