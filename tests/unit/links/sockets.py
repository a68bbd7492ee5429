"""Transports that go nowhere and remember what was done to them."""

from __future__ import annotations

import asyncio
from typing import Any


class FakeTransport(asyncio.Transport):
    """One socket; `written` is what was sent, `b""` the end of it."""

    def __init__(self, own: tuple[str, int] = ("", 0), peer: tuple[str, int] = ("", 0)) -> None:
        super().__init__({"sockname": own, "peername": peer, "socket": self})
        self.written: list[bytes] = []
        self.paused = False
        self.aborted = False
        self.closed = False
        self.protocol: Any = None

    def setsockopt(self, *_: object) -> None:
        """A socket's."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert b"" not in self.written
        self.written.append(bytes(data))

    def write_eof(self) -> None:
        assert b"" not in self.written
        self.written.append(b"")

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.aborted or self.closed

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.closed = True
