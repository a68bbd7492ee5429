"""What can be done to processes of a living cluster, and what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Collection, Container, Iterable, Sequence
from typing import TYPE_CHECKING

from etcd_sandbox import verbs
from etcd_sandbox.cluster import preflight
from etcd_sandbox.cluster.readiness import late_words
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.spec import members_of
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.model.verdict import Target
from etcd_sandbox.supervise.supervisor import TAIL_OF_EXIT, Supervised

if TYPE_CHECKING:
    from etcd_sandbox.cluster.cluster import Cluster

SEE_LINES = "its last lines, above, say why"

_UNDER_WAY = (ProcessState.STARTING, ProcessState.STOPPING)

_LOOK_AGAIN_S = 0.5
_PATIENCE_S = 2.0
"""How long a member may take before it counts that its way of bootstrap lacks something."""


class Verbs:
    """The verbs over the processes of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._supervisor = cluster.supervisor
        self._members = cluster.members
        self._ordering = cluster.ordering
        self._introduction = cluster.introduction

    async def act(
        self, order: Order, names: Sequence[str], leader: str | None, deadline: float
    ) -> list[Target]:
        """Do one verb to these processes by `deadline` (monotonic); what became of each.

        `leader` is the process that leads, as was just answered. Raises TimedOut when it is not
        done in time, SandboxError for a member that ended at its start.
        """
        processes = [self._members.processes[name] for name in names]
        before = Before(processes, leader or self._members.leader)
        running = {process.name for process in processes if process.life.pid is not None}
        async with self.in_time(order, names, deadline):
            undone = await self._do(order.verb, processes, order.signal)
        done = {process.name for process in processes if before.differs(process)} | {*undone}
        return before.targets(names, done | running if order.verb is verbs.KILL else done)

    @contextlib.asynccontextmanager
    async def in_time(
        self, order: Order, names: Sequence[str], deadline: float
    ) -> AsyncIterator[None]:
        """What is done within ends by `deadline`, or raises TimedOut, which names who is late."""
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                yield
        except TimeoutError:
            processes = [self._supervisor.processes[name] for name in names]
            raise TimedOut(
                f"{order.verb} did not finish within {order.timeout_s:g} s: {late_words(self._supervisor, _late(processes))}",
                hint=self._why_late(processes)
                or "etcd-sandbox status and etcd-sandbox logs show what it does",
            ) from None

    async def start(self, processes: list[Supervised]) -> None:
        """Start those that rest, services first and then in the fastest order; wait until they are ready."""
        resting = [process.spec for process in processes if not process.state.alive]
        for spec in members_of(resting):
            preflight.check_ports(spec)
            preflight.check_data_directory(spec)
        stopping = [process for process in processes if process.state is ProcessState.STOPPING]
        await asyncio.gather(*(process.start() for process in stopping))
        await self._serve([spec.name for spec in resting if spec.service is not None])
        others = [spec for spec in resting if spec.service is None]
        await self._ordering.start(others)
        await self._up(processes)

    async def _do(
        self, verb: verbs.Verb, processes: list[Supervised], signal_number: int
    ) -> Collection[str]:
        """Do it; those for whom a fault was undone."""
        if verb in (verbs.START, verbs.RESTART):
            processes = _not_removed(processes)
        names = [process.name for process in processes]
        match verb:
            case verbs.START:
                await self.start(processes)
            case verbs.STOP:
                await self._ordering.stop(names)
            case verbs.RESTART if len(processes) == 1:
                await processes[0].restart()
                if processes[0].spec.service is not None:
                    await self._introduction.answering()
                await self._up(processes)
            case verbs.RESTART:
                await self._ordering.stop(names)
                await self.start(processes)
            case verbs.KILL:
                await asyncio.gather(*(self._kill(process, signal_number) for process in processes))
            case _:
                return await self._members.faults.undo(verb, names)
        return ()

    async def _serve(self, services: list[str]) -> None:
        """Start what members need, and wait until it answers."""
        if services:
            await asyncio.gather(*(self._members.processes[name].start() for name in services))
            await self._introduction.answering()

    async def _up(self, processes: list[Supervised]) -> None:
        """Wait until the processes are ready, as far as that can happen by itself."""
        await asyncio.gather(*(self._one_up(process) for process in processes))

    async def _one_up(self, process: Supervised) -> None:
        patient_until = time.monotonic() + _PATIENCE_S
        while process.state is ProcessState.STARTING and self._members.reaches_quorum(process.name):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    process.wait_for(lambda life: life.state is not ProcessState.STARTING),
                    _LOOK_AGAIN_S,
                )
            if time.monotonic() > patient_until and (lack := self._introduction.lack()):
                raise SandboxError(f"{process.name} runs, but does not become ready", hint=lack)
        if process.state in (ProcessState.EXITED, ProcessState.FAILED, ProcessState.BACKOFF):
            lines = self._members.last_lines(process.name, TAIL_OF_EXIT)
            if process.spec.member is None and process.state is not ProcessState.FAILED:
                return
            raise SandboxError(
                f"{process.name} ended at its start ({process.exit})",
                hint=(self._introduction.why_ended(lines) or SEE_LINES) if lines else "",
                detail=b"\n".join(lines).decode(errors="replace"),
            )

    def _why_late(self, processes: list[Supervised]) -> str:
        """What those say that still start."""
        for process in processes:
            if process.state is ProcessState.STARTING:
                lines = self._members.last_lines(process.name, TAIL_OF_EXIT)
                if why := self._introduction.explain(lines):
                    return why
        return ""

    async def _kill(self, process: Supervised, number: int) -> None:
        await process.crash(number)
        if number == signal.SIGKILL:
            await process.wait_for(
                lambda life: life.pid is None or life.main_ended or not life.state.alive
            )


def _not_removed(processes: list[Supervised]) -> list[Supervised]:
    """Those that can be started; SandboxError when none can."""
    left = [process for process in processes if process.state is not ProcessState.REMOVED]
    if processes and not left:
        name = processes[0].spec.own_name
        raise SandboxError(
            f"{name} was removed from the cluster, which has no place for it any more",
            hint=f"etcd-sandbox add {name} brings a new member of that name",
        )
    return left


def target_of(
    process: Supervised, *, before: ProcessState, pid: int | None, was_leader: bool, done: bool
) -> Target:
    """What became of one process; `pid` is the one that it had."""
    member = process.spec.member
    return Target(
        process=process.name,
        member=member.name if member is not None else None,
        pid=process.life.pid if pid is None else pid,
        before=before,
        state=process.state,
        was_leader=was_leader,
        done=done,
        exit=None if process.exit is None or process.state.alive else str(process.exit),
    )


class Before:
    """What processes were before a verb, and which of them led: what became of each is told beside it."""

    def __init__(self, processes: Iterable[Supervised], leader: str | None) -> None:
        self._processes = {
            process.name: (process, process.state, process.life.pid, _doings(process))
            for process in processes
        }
        self._leader = leader

    def differs(self, process: Supervised) -> bool:
        """Whether it is in another state now, was started, or what it had left running was ended."""
        _, state, _, doings = self._processes[process.name]
        return process.state is not state or _doings(process) != doings

    def targets(self, names: Iterable[str], done: Container[str]) -> list[Target]:
        """What became of these, of whom it was `done` to some."""
        found = []
        for name in names:
            process, state, pid, _ = self._processes[name]
            led = name == self._leader and state.alive
            found.append(
                target_of(process, before=state, pid=pid, was_leader=led, done=name in done)
            )
        return found


def _doings(process: Supervised) -> tuple[int, int]:
    return process.life.starts, process.strays_ended


def _late(processes: list[Supervised]) -> list[str]:
    """Those that have not come to rest; all where none is seen on its way."""
    on_the_way = [process for process in processes if process.state in _UNDER_WAY]
    return [process.name for process in on_the_way or processes]
