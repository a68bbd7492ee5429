"""Faults of processes: those that hang, and those that run for a share of the time."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Callable, Collection, Hashable, Sequence

from etcd_sandbox.cluster.faults.fault import Applied, Fault, Ground
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.supervise.supervisor import Supervised
from etcd_sandbox.verbs import PAUSE, STARVE

TURN_S = 0.1

_UP = (ProcessState.STARTING, ProcessState.RUNNING, ProcessState.PAUSED)


def hit(process: Supervised) -> dict[str, object]:
    """Whom a fault of a process hits, as events and `status` say it."""
    member = process.spec.member
    return {"process": process.name, "member": member.name if member else None}


class Pauses(Fault):
    """Processes that hang: the process itself knows that it is paused, and tells its events."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._handles: dict[str, Hashable] = {}
        self._numbers = itertools.count()

    async def apply(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> Applied:
        """Let them hang."""
        processes = [self._supervisor.processes[name] for name in names]
        before = [process.state for process in processes]
        await asyncio.gather(*(process.pause() for process in processes))
        changed = [
            process.name
            for process, state in zip(processes, before, strict=True)
            if process.state is not state
        ]
        # A later pause has a time of its own, or none.
        self._handles |= {name: (name, next(self._numbers)) for name in names}
        return Applied(names, versus, changed, [self._handles[name] for name in names])

    async def heal(self) -> Collection[str]:
        """Let all go on."""
        return await self.undo(self._supervisor.processes)

    async def undo(self, names: Collection[str]) -> Collection[str]:
        """Let these go on."""
        paused = [name for name in names if self._hangs(name)]
        for name in paused:
            await self._supervisor.processes[name].resume()
        return paused

    async def end(self, handle: Hashable) -> None:
        """Let one go on, unless it was paused anew."""
        await self.undo([name for name, own in self._handles.items() if own == handle])

    def told(self) -> list[dict[str, object]]:
        """Each process that hangs."""
        return [
            {
                "kind": PAUSE.name,
                **hit(process),
                **self.time_left(self._handles.get(name)),
            }
            for name, process in self._supervisor.processes.items()
            if self._hangs(name)
        ]

    def _hangs(self, name: str) -> bool:
        process = self._supervisor.processes.get(name)
        return process is not None and process.state is ProcessState.PAUSED


class Starvation(Fault):
    """Processes that are stopped and continued in turns. It ends with the process, as a pause does."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._turns: dict[str, Turns] = {}

    async def apply(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> Applied:
        """Begin the turns, or go on with another share; a process that does not run is left alone."""
        share = order.given("share")
        changed = []
        for process in (self._supervisor.processes[name] for name in names):
            known = self._turns.get(process.name)
            if process.life.pid is None or process.state not in _UP:
                continue
            turns = Turns(process, share, self._over)
            if known is not None:
                known.halt()
            self._turns[process.name] = turns
            if known is None or known.share != share:
                if known is not None:
                    self._publish(Kind.FAULT_HEALED, known)
                self._publish(Kind.FAULT_APPLIED, turns)
                changed.append(process.name)
            turns.run()
        return Applied(names, versus, changed, [self._turns[n] for n in names if n in self._turns])

    async def heal(self) -> Collection[str]:
        """Let all run."""
        return await self.undo(list(self._turns))

    async def undo(self, names: Collection[str]) -> Collection[str]:
        """Let these run."""
        hit = [name for name in names if name in self._turns]
        for name in hit:
            self._turns[name].end()
        return hit

    async def end(self, handle: Hashable) -> None:
        """Let one run, unless it is starved anew."""
        await self.undo([name for name, turns in self._turns.items() if turns is handle])

    def told(self) -> list[dict[str, object]]:
        """Each process that is starved."""
        return [
            {"kind": STARVE.name, **turns.told, **self.time_left(turns)}
            for turns in self._turns.values()
            if turns.is_on
        ]

    def _over(self, turns: Turns) -> None:
        if self._turns.get(turns.process.name) is turns:
            del self._turns[turns.process.name]
            self._publish(Kind.FAULT_HEALED, turns)

    def _publish(self, kind: Kind, turns: Turns) -> None:
        fields = dict(turns.told)
        member = fields.pop("member")
        name = None if member is None else str(member)
        self._bus.publish(kind, name, fault=STARVE.name, **fields)


class Turns:
    """The turns of one process, as long as it lives; `over` is told of their end."""

    def __init__(self, process: Supervised, share: float, over: Callable[[Turns], None]) -> None:
        self.process = process
        self.share = share
        self._pid = process.life.pid
        self._over = over
        self._timer: asyncio.TimerHandle | None = None

    @property
    def told(self) -> dict[str, object]:
        """Whom they hit, and how."""
        return {**hit(self.process), "share": self.share}

    @property
    def is_on(self) -> bool:
        """Whether the process is the one that they are about, and does not end."""
        return self.process.life.pid == self._pid and self.process.state in _UP

    def run(self) -> None:
        """Let it run for its share, and then rest."""
        if not self.is_on:
            self.end()
            return
        self._signal(signal.SIGCONT)
        self._later(TURN_S * self.share, self._rest)

    def _rest(self) -> None:
        if self.is_on:
            self._signal(signal.SIGSTOP)
        self._later(TURN_S * (1 - self.share), self.run)

    def halt(self) -> None:
        """Take no more turns; it stays as it is."""
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """Let it run: also to its end, where that was ordered meanwhile."""
        self.halt()
        self._signal(signal.SIGCONT)
        self._over(self)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, act)

    def _signal(self, number: int) -> None:
        # Who was paused meanwhile hangs until it is resumed.
        if self.process.life.pid == self._pid and self.process.state is not ProcessState.PAUSED:
            self.process.signal(number)
