"""One connection that a member dialled, and the one to the real listener that is made for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from enum import Enum, auto

from etcd_sandbox.links.flow import Flow
from etcd_sandbox.links.lane import Lane
from etcd_sandbox.links.owners import Ends, ends_of
from etcd_sandbox.links.wire import Line
from etcd_sandbox.model.fault import CLIENTS, Pair, Rule

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Stage(Enum):
    """How far a connection has come."""

    WAITING = auto()
    """It is not known yet who dialled, or nobody has asked."""

    HELD = auto()
    """The pair is cut: nothing is dialled, nothing answered."""

    DIALLING = auto()
    OPEN = auto()
    CLOSED = auto()


class Connection:
    """An accepted connection. `dialler` is None until somebody asked the operating system."""

    def __init__(
        self,
        line: Line,
        on_accepted: Callable[[Connection], None],
        on_closed: Callable[[Connection], None],
    ) -> None:
        self.line = line
        self.dialler: str | None = CLIENTS if line.clients else None
        self.ends: Ends | None = None
        self.stage = Stage.WAITING
        loop = asyncio.get_running_loop()
        self.accepted = Flow(self, loop)
        self._dialled = Flow(self, loop)
        self._lanes = (Lane(Rule()), Lane(Rule()))
        self._on_accepted = on_accepted
        self._on_closed = on_closed
        self._dialling: asyncio.Task[None] | None = None
        self._open_sockets = 0
        self._gone = asyncio.Event()

    @property
    def pair(self) -> Pair | None:
        """Its two members, in the order of their names; None while it is not known who dialled."""
        if self.dialler is None:
            return None
        one, other = sorted((self.dialler, self.line.member))
        return one, other

    def obey(self, onward: Lane, back: Lane) -> None:
        """Go these ways from now on: what the dialler sends, and what it is sent.

        A cut both ways resets what peers had and holds what comes; for clients it is a black hole, and what is there
        stands. One that is one way holds the bytes. The end of
        either resets what was held, so that the peer dials anew: what is held may be half a message of long ago.
        """
        self._lanes = (onward, back)
        if onward.rule.refuse or back.rule.refuse:
            self.abort()
            return
        cut = onward.rule.cut and back.rule.cut
        if self.stage is Stage.OPEN and self.line.clients:
            cut = False
        match self.stage, cut:
            case Stage.WAITING, True:
                self.stage = Stage.HELD
                if self.accepted.source_ended:
                    self.abort()
            case Stage.WAITING, False:
                self.stage = Stage.DIALLING
                self._dialling = asyncio.create_task(self._dial())
            case (Stage.HELD, False) | (Stage.DIALLING | Stage.OPEN, True):
                self.abort()
            case Stage.OPEN, False:
                flows = ((self.accepted, onward), (self._dialled, back))
                if any(flow.is_cut and not lane.rule.cut for flow, lane in flows):
                    self.abort()
                    return
                for flow, lane in flows:
                    flow.take(lane)
            case _:
                pass

    def abort(self) -> None:
        """Reset both sides; what was on its way is lost."""
        if self.stage is Stage.CLOSED:
            return
        self.stage = Stage.CLOSED
        for flow in (self.accepted, self._dialled):
            flow.discard()
            if flow.source is not None:
                _reset(flow.source)

    async def gone(self) -> None:
        """Wait until the sockets of a connection that was aborted are closed."""
        await self._gone.wait()
        # The loop closes the descriptor right after it has told the protocol.
        await asyncio.sleep(0)

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self._dialled, self.line.host, self.line.port)
        except OSError:
            # As without a link: whoever dials a listener that is not there is told at once.
            self.abort()
            return
        if self.stage is Stage.DIALLING:
            self.stage = Stage.OPEN
            onward, back = self._lanes
            self.accepted.open(self._dialled, onward)
            self._dialled.open(self.accepted, back)

    def made(self, flow: Flow) -> None:
        self._open_sockets += 1
        if flow.source is None:
            return
        if self.stage is Stage.CLOSED:
            _reset(flow.source)
        elif flow is self.accepted:
            peer = flow.source.get_extra_info("peername")
            own = flow.source.get_extra_info("sockname")
            if peer and own:
                self.ends = ends_of(peer, own)
            self._on_accepted(self)

    def ended(self, flow: Flow) -> None:
        if self.accepted.is_over and self._dialled.is_over:
            for each in (self.accepted, self._dialled):
                if each.source is not None:
                    each.source.close()

    def gave_up(self, flow: Flow) -> None:
        if self.stage is Stage.HELD:
            self.abort()

    def broke(self, flow: Flow) -> None:
        self.abort()

    def lost(self, flow: Flow) -> None:
        self._open_sockets -= 1
        if not (self.accepted.is_over and self._dialled.is_over):
            self.abort()
        if self._open_sockets == 0:
            self.stage = Stage.CLOSED
            self._gone.set()
            self._on_closed(self)


def _reset(transport: asyncio.Transport) -> None:
    """Close at once, with RST: the peer learns that what it sent may be lost."""
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE
        )
    transport.abort()
