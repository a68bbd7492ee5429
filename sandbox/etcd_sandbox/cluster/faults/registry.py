"""Which live half each fault has, and all faults of one cluster together. A paused process is one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from etcd_sandbox.cluster.faults.fault import Applied, Fault, Ground
from etcd_sandbox.cluster.faults.links import LinkFaults
from etcd_sandbox.model.fault import Pair, Rule
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.spec import ProcessSpec
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.verbs import CUT, PARTITION, PAUSE, SLOW, Verb


class Pauses(Fault):
    """Processes that hang: the process itself knows that it is paused, and tells its events."""

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
        return Applied(names, versus, changed)

    async def heal(self) -> Collection[str]:
        """Let all go on."""
        paused = [
            process
            for process in self._supervisor.processes.values()
            if process.state is ProcessState.PAUSED
        ]
        for process in paused:
            await process.resume()
        return [process.name for process in paused]

    def told(self) -> list[dict[str, object]]:
        """Each process that hangs."""
        return [
            {
                "kind": PAUSE.name,
                "process": process.name,
                "member": process.spec.member.name if process.spec.member else None,
            }
            for process in self._supervisor.processes.values()
            if process.state is ProcessState.PAUSED
        ]


LIVE: dict[Verb, type[Fault]] = {
    PAUSE: Pauses,
    PARTITION: LinkFaults,
    CUT: LinkFaults,
    SLOW: LinkFaults,
}


class Faults:
    """The faults of one cluster."""

    def __init__(self, ground: Ground) -> None:
        self._live = {kind: kind(ground) for kind in LIVE.values()}

    @property
    def rules(self) -> Mapping[Pair, Rule]:
        """What holds for each pair of members that is not as it should be."""
        return {pair: rule for fault in self._all for pair, rule in fault.rules.items()}

    async def apply(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> Applied:
        """Break what the order says; returns when it is in force."""
        return await self._live[LIVE[order.verb]].apply(order, names, versus)

    async def heal(self) -> Collection[str]:
        """Undo everything; the processes that were hit. Who hangs hears first of links that are whole."""
        return {name for fault in reversed(self._all) for name in await fault.heal()}

    def told(self) -> list[dict[str, object]]:
        """Each fault that there is, as `status` shows it."""
        return [each for fault in self._all for each in fault.told()]

    def take_in(self, process: ProcessSpec) -> None:
        """A member comes. Raises SandboxError for an address that its link cannot have."""
        for fault in self._all:
            fault.take_in(process)

    async def let_go(self, process: str) -> None:
        """A member has gone: what was broken about it."""
        for fault in self._all:
            await fault.let_go(process)

    def pids_changed(self) -> None:
        """A member was started or has ended."""
        for fault in self._all:
            fault.pids_changed()

    @property
    def _all(self) -> list[Fault]:
        return list(self._live.values())
