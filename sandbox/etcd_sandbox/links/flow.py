"""One direction of a relayed connection: what one socket receives goes to the other, at once or late.

Nothing is lost or reordered whatever becomes of the delay meanwhile, and the end of the stream
waits behind the bytes. What is held is bounded: beyond the bound the source is not read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol, cast

from etcd_sandbox.model.fault import Rule

EARLY_BYTES = 64 << 10
"""How much is taken from a dialler before it is known where it goes."""

LATE_BYTES = 4 << 20
"""How much a delay holds back per direction."""

_TICK_S = 0.0006
"""The loop's clock counts milliseconds: what is due within one is due."""


class Watcher(Protocol):
    """Who is told what a socket's protocol learns."""

    def made(self, flow: Flow) -> None:
        """The socket of this flow is there."""

    def ended(self, flow: Flow) -> None:
        """The source has sent its last byte, and the sink knows."""

    def gave_up(self, flow: Flow) -> None:
        """The source has sent its last byte, and there is no sink yet."""

    def lost(self, flow: Flow) -> None:
        """The source's socket is closed."""


class Receive(Protocol):
    """Takes the next bytes of a stream."""

    def __call__(self, data: bytes) -> None: ...


class Flow(asyncio.Protocol):
    """The protocol of the socket that it reads from.

    It begins without a sink and keeps what comes. Once open and without a delay, the source's
    transport calls the sink's `write` itself: no line of Python runs per chunk.
    """

    data_received: Receive

    def __init__(self, watcher: Watcher, loop: asyncio.AbstractEventLoop) -> None:
        self._watcher = watcher
        self._loop = loop
        self.source: asyncio.Transport | None = None
        self._sink: asyncio.Transport | None = None
        self._back: Flow | None = None
        self._held: deque[tuple[float, float, bytes]] = deque()  # arrived, due, bytes; b"": the end
        self._held_bytes = 0
        self._rule = Rule()
        self._timer: asyncio.TimerHandle | None = None
        self._sink_full = False
        self._paused = False
        self.source_ended = False
        self.is_over = False
        self.data_received = self._hold

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.source = cast(asyncio.Transport, transport)
        self._watcher.made(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.discard()
        self._watcher.lost(self)

    def eof_received(self) -> bool:
        self.source_ended = True
        if self.data_received == self._hold:
            self._hold(b"")
        else:
            self._write(b"")
        if self._sink is None:
            self._watcher.gave_up(self)
        return True  # the other direction goes on

    def pause_writing(self) -> None:
        if self._back is not None:
            self._back.set_sink_full(True)

    def resume_writing(self) -> None:
        if self._back is not None:
            self._back.set_sink_full(False)

    def set_sink_full(self, full: bool) -> None:
        """Whether the sink has more to write than it should."""
        self._sink_full = full
        self._read_or_pause()

    def open(self, back: Flow, rule: Rule) -> None:
        """Let it flow to the socket that `back`, the other direction, reads from."""
        self._back, self._sink = back, back.source
        self.slow(rule)

    def slow(self, rule: Rule) -> None:
        """Delay as the rule says from now on; what is held becomes due accordingly."""
        self._rule = rule
        late = bool(rule.delay_s or rule.jitter_s)
        held, self._held = self._held, deque()
        for arrived, _, data in held:
            self._held.append((arrived, self._due(arrived) if late else arrived, data))
        self._release()
        if self.source is None or self._sink is None or self.source.is_closing():
            return
        self.data_received = self._hold if late else self._sink.write
        # A transport may remember the method: uvloop looks it up only here.
        self.source.set_protocol(self)

    def discard(self) -> None:
        """Forget what is held; nothing will be written any more."""
        self._held.clear()
        self._held_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hold(self, data: bytes) -> None:
        now = self._loop.time()
        self._held.append((now, self._due(now), data))
        self._held_bytes += len(data)
        if self._sink is not None and self._timer is None:
            self._timer = self._loop.call_at(self._held[0][1], self._release)
        self._read_or_pause()

    def _due(self, arrived: float) -> float:
        return arrived + self._rule.delay_s + _shift(self._rule.jitter_s)

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sink is None:
            return
        now = self._loop.time() + _TICK_S
        while self._held and self._held[0][1] <= now:
            data = self._held.popleft()[2]
            self._held_bytes -= len(data)
            self._write(data)
        if self._held:
            self._timer = self._loop.call_at(self._held[0][1], self._release)
        self._read_or_pause()

    def _write(self, data: bytes) -> None:
        if self._sink is None or self._sink.is_closing():
            return
        if data:
            self._sink.write(data)
        else:
            self._sink.write_eof()
            self.is_over = True
            self._watcher.ended(self)

    def _read_or_pause(self) -> None:
        if self.source is None or self.source.is_closing() or self.source_ended:
            return  # after its end a source must not be read: it would end again
        bound = EARLY_BYTES if self._sink is None else LATE_BYTES
        pause = self._sink_full or self._held_bytes >= bound
        if pause != self._paused:
            self._paused = pause
            if pause:
                self.source.pause_reading()
            else:
                self.source.resume_reading()


def _shift(jitter_s: float) -> float:
    if not jitter_s:
        return 0.0
    import random

    return random.uniform(-jitter_s, jitter_s)
