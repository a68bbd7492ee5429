"""One direction of a relayed connection: what one socket receives goes to the other, at once, late, or never.

Nothing is lost or reordered whatever becomes of the delay meanwhile, and the end of the stream
waits behind the bytes. What is held is bounded: beyond the bound the source is not read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol, cast

from etcd_sandbox.links.lane import EARLY_BYTES, Lane
from etcd_sandbox.model.fault import Rule

_CLEAR = Lane(Rule())

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

    def broke(self, flow: Flow) -> None:
        """What came ends the connection."""


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
        self._lane = _CLEAR
        self._slot: float | None = None  # of the first piece, while the lane is limited
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

    def open(self, back: Flow, lane: Lane) -> None:
        """Let it flow to the socket that `back`, the other direction, reads from."""
        self._back, self._sink = back, back.source
        self._turn_to(lane)

    @property
    def is_cut(self) -> bool:
        """Whether nothing passes."""
        return self._lane.rule.cut

    def take(self, lane: Lane) -> None:
        """Go this way from now on; what is held becomes due accordingly."""
        if lane is not self._lane:
            self._turn_to(lane)

    def _turn_to(self, lane: Lane) -> None:
        self._lane, self._slot = lane, None
        if any(lane.breaks() for _ in self._held):
            self._watcher.broke(self)
            return
        held, self._held = self._held, deque()
        for arrived, _, data in held:
            self._held.append((arrived, arrived + lane.late_s(), data))
        self._release()
        if self.source is None or self._sink is None or self.source.is_closing():
            return
        self.data_received = self._sink.write if lane.is_clear else self._hold
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
        if self._lane.breaks():
            self._watcher.broke(self)
            return
        now = self._loop.time()
        self._held.append((now, now + self._lane.late_s(), data))
        self._held_bytes += len(data)
        if self._timer is None:
            self._wake()
        self._read_or_pause()

    def _release(self) -> None:
        """Write what is due, and come back for the rest."""
        if self._sink is None or self.is_cut:
            self._wake()
            return
        now = self._loop.time() + _TICK_S
        while self._held and self._held[0][1] <= now:
            arrived, due, data = self._held[0]
            size = len(data) if self._lane.piece is None else min(len(data), self._lane.piece)
            if self._lane.piece is not None and size:
                if self._slot is None:
                    self._slot = self._lane.slot(size, now)
                if self._slot > now:
                    break
                self._slot = None
            if size < len(data):
                self._held[0] = (arrived, due, data[size:])
            else:
                self._held.popleft()
            self._held_bytes -= size
            self._write(data[:size])
        self._wake()
        self._read_or_pause()

    def _wake(self) -> None:
        """Come back when the next piece is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._held and self._sink is not None and not self.is_cut:
            when = max(self._held[0][1], self._slot or 0.0)
            self._timer = self._loop.call_at(when, self._release)

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
        bound = EARLY_BYTES if self._sink is None else self._lane.most_held
        pause = self._sink_full or self._held_bytes >= bound
        if pause != self._paused:
            self._paused = pause
            if pause:
                self.source.pause_reading()
            else:
                self.source.resume_reading()
