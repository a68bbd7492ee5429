"""The connections to the control socket: how many there may be, and how long one may ask for nothing."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

ASKS_WITHIN_S = 10.0
"""How long a connection may be open without a whole request head."""

AHEAD_BYTES = 64 << 10
"""So much may be sent ahead of the answer; HTTP's pipelining needs no more."""

MOST_CONNECTIONS = 1024
FEWEST_CONNECTIONS = 64
TAKEN_AT_ONCE = 128
BACKLOG = 4096
"""So many may wait until they are taken (the system allows fewer, perhaps): whoever does not wait is refused."""


def most_connections() -> int:
    """Half of the descriptors that this process may have: the other half is for members and files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(FEWEST_CONNECTIONS, min(MOST_CONNECTIONS, soft // 2 - TAKEN_AT_ONCE))


class Waiting:
    """The connections that ask for nothing yet, the oldest first. Beyond `most` the oldest goes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[Connection, None] = {}

    def add(self, connection: Connection, connections: int) -> None:
        """One more waits, of so many in all."""
        self._waiting[connection] = None
        if connections > self._most:
            next(iter(self._waiting)).give_up()

    def remove(self, connection: Connection) -> None:
        """It asks, or is gone."""
        self._waiting.pop(connection, None)


class Connection(H11Protocol):
    """uvicorn's, which would wait for ever for the first request, and read bodies that nobody wants.

    A subclass has `waiting` for the server that it belongs to.
    """

    waiting: Waiting

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._giving_up: asyncio.TimerHandle | None = None
        self._ahead_bytes = 0

    @property
    def _asks(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _asked(self) -> bool:
        return self._asks and not self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has come."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone."""
        super().connection_lost(exc)
        self._wait_no_more()

    def data_received(self, data: bytes) -> None:
        """A part of what they ask."""
        is_ahead = self._asked
        super().data_received(data)
        if self._asked:
            # uvicorn would read no more until the answer is given, and not see that they are gone.
            self._ahead_bytes += len(data) if is_ahead else 0
            if self._ahead_bytes > AHEAD_BYTES:
                self.transport.abort()
            else:
                self.flow.resume_reading()
        if self._asks or self.transport.is_closing():
            self._wait_no_more()
        elif self._giving_up is None:
            self._wait()

    def on_response_complete(self) -> None:
        """They have their answer; with a body that was not wanted, they are sent away."""
        self._ahead_bytes, unwanted = 0, self.cycle.more_body
        super().on_response_complete()
        if unwanted:
            self.transport.close()
        elif not self._asks and not self.transport.is_closing():
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """What they say is no HTTP; amid an answer there is no place to say so."""
        if self._asks:
            self.transport.abort()
        else:
            super().send_400_response(msg)

    def give_up(self) -> None:
        """Close it: nothing was asked."""
        self._wait_no_more()
        self.transport.close()

    def _wait(self) -> None:
        self._wait_no_more()
        self._giving_up = self.loop.call_later(ASKS_WITHIN_S, self.give_up)
        self.waiting.add(self, len(self.connections))

    def _wait_no_more(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
        self.waiting.remove(self)
