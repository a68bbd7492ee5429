"""The blocking client of the control API: HTTP/1.0 over a Unix socket, a connection a question.

It is what every command pays for at its start. `http.client` would bring the parsers of mail and
TLS with it, 35 ms of imports; a question here is one line and its headers, and an answer ends
where the connection ends.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from etcd_sandbox.control.answers import checked, checked_news, connection_errors, gone, status_in
from etcd_sandbox.control.requests import ANSWER_TIMEOUT_S, Questions, Request
from etcd_sandbox.control.wire import Frame, read_frames

STREAM_BUFFER_BYTES = 256 << 10

Objects = Generator[dict[str, Any], None, None]


class _Answer:
    """The status of an answer, and the connection's rest, which is its body."""

    def __init__(self, connection: socket.socket) -> None:
        self.body = connection.makefile("rb", buffering=STREAM_BUFFER_BYTES)
        try:
            self.status = self._read_head()
        except BaseException:
            self.body.close()  # the descriptor is open as long as it is
            raise

    def _read_head(self) -> int:
        status = status_in(self.body.readline())
        while self.body.readline().strip():
            pass  # what the headers say is known: JSON, or the stream that was asked for
        return status


class ControlClient(Questions[dict[str, Any], Objects, Iterator[Frame]]):
    """Asks the supervisor of one cluster, and waits for the answer."""

    def _objects(self, request: Request) -> Objects:
        with self._stream(request) as stream:
            for line in stream:
                yield json.loads(line)

    def _news(self, request: Request) -> Objects:
        for news in self._objects(request):
            yield checked_news(news)
            if "verdict" in news:
                return
        raise gone(self.paths)

    def _frames(self, request: Request) -> Iterator[Frame]:
        with self._stream(request) as stream:
            yield from read_frames(stream)

    def ask(self, request: Request) -> dict[str, Any]:
        with connection_errors(self.paths), self._send(request) as connection:
            answer = _Answer(connection)
            with answer.body:
                return cast(dict[str, Any], checked(answer.status, answer.body.read()))

    @contextmanager
    def _stream(self, request: Request) -> Iterator[BinaryIO]:
        with connection_errors(self.paths), self._send(request) as connection:
            answer = _Answer(connection)
            with answer.body:
                if answer.status >= 400:
                    checked(answer.status, answer.body.read())
                yield cast(BinaryIO, answer.body)

    def _send(self, request: Request) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(request.timeout_s)
            _connect(connection, str(self.paths.socket), request.timeout_s)
            connection.sendall(request.encoded(self.user))
        except BaseException:
            connection.close()
            raise
        return connection


def _connect(connection: socket.socket, path: str, timeout_s: float | None) -> None:
    """Connect within the time: where too many wait at the socket already, Linux refuses at once."""
    deadline = time.monotonic() + (ANSWER_TIMEOUT_S if timeout_s is None else timeout_s)
    while True:
        try:
            return connection.connect(path)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError from None
            time.sleep(0.01)
