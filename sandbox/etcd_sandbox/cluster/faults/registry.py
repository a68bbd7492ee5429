"""Which live half each fault has, and all faults of one cluster together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

from etcd_sandbox.cluster.faults.data import DataDamage
from etcd_sandbox.cluster.faults.disks import DiskFaults
from etcd_sandbox.cluster.faults.fault import Applied, Fault, Ground
from etcd_sandbox.cluster.faults.links import LinkFaults
from etcd_sandbox.cluster.faults.plans import Plans
from etcd_sandbox.cluster.faults.processes import Pauses, Starvation
from etcd_sandbox.model.fault import Pair, Rule
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.spec import ClusterSpec, ProcessSpec
from etcd_sandbox.verbs import (
    CORRUPT,
    CUT,
    FAIL_DISK,
    FLAKY,
    PARTITION,
    PAUSE,
    RESET,
    SLOW,
    SLOW_DISK,
    STARVE,
    THROTTLE,
    Verb,
)

if TYPE_CHECKING:
    from etcd_sandbox.cluster.faults.diskmeter import DiskMeter
    from etcd_sandbox.cluster.members import Members

_log = logging.getLogger(__name__)

LIVE: dict[Verb, type[Fault]] = {
    PAUSE: Pauses,
    STARVE: Starvation,
    PARTITION: LinkFaults,
    CUT: LinkFaults,
    SLOW: LinkFaults,
    THROTTLE: LinkFaults,
    FLAKY: LinkFaults,
    RESET: LinkFaults,
    SLOW_DISK: DiskFaults,
    FAIL_DISK: DiskFaults,
    CORRUPT: DataDamage,
}


class Faults:
    """The faults of one cluster."""

    def __init__(self, ground: Ground) -> None:
        self._live = {kind: kind(ground) for kind in LIVE.values()}
        self.plans = Plans(ground.bus)
        self._timers: set[asyncio.TimerHandle] = set()
        self._ends: set[asyncio.Task[None]] = set()

    @property
    def rules(self) -> Mapping[Pair, Rule]:
        """What holds for each pair of members that is not as it should be."""
        return {pair: rule for fault in self._all for pair, rule in fault.rules.items()}

    def check(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> None:
        """Raises SandboxError for what `apply` would refuse now."""
        self._live[LIVE[order.verb]].check(order, names, versus)

    def begin(self, spec: ClusterSpec) -> None:
        """Before the first process is executed: what the plan says of faults to come."""
        for fault in self._all:
            fault.begin(spec)

    async def prepare(self, order: Order, names: Sequence[str]) -> Collection[str]:
        """Have these processes run so that the fault can be applied: those that were restarted for it."""
        return await self._live[LIVE[order.verb]].prepare(order, names)

    def meter(self, order: Order, members: Members, names: Sequence[str]) -> DiskMeter | None:
        """What measures that fault, beside who leads and how clients are served."""
        return self._live[LIVE[order.verb]].meter(order, members, names)

    async def apply(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> Applied:
        """Break what the order says; returns when it is in force. It heals by itself when its time is over."""
        fault = self._live[LIVE[order.verb]]
        applied = await fault.apply(order, names, versus)
        if order.for_s is not None:
            for handle in applied.handles:
                self._end_later(fault, handle, order.for_s)
        return applied

    def _end_later(self, fault: Fault, handle: Hashable, after_s: float) -> None:
        loop = asyncio.get_running_loop()

        def over() -> None:
            self._timers.discard(timer)
            fault.ends_at.pop(handle, None)
            task = loop.create_task(fault.end(handle))
            self._ends.add(task)
            task.add_done_callback(self._ended)

        timer = loop.call_later(after_s, over)
        self._timers.add(timer)
        fault.ends_at[handle] = loop.time() + after_s

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ends.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a fault whose time is over was not healed", exc_info=error)

    def close(self) -> None:
        """Do nothing any more by itself: the cluster ends."""
        self.plans.close()
        for timer in self._timers:
            timer.cancel()
        for task in self._ends:
            task.cancel()

    async def in_force(self) -> None:
        """Return when all that faults have put between members works. Raises TimedOut."""
        for fault in self._all:
            await fault.in_force()

    async def replaced(self, process: str) -> None:
        """A new member comes in the place of one that has gone."""
        for fault in self._all:
            await fault.replaced(process)

    async def wait_closed(self) -> None:
        """After the last member has ended: what the faults needed beside them ends."""
        for fault in self._all:
            await fault.close()

    async def heal(self) -> Collection[str]:
        """Undo everything; the processes that were hit. Who hangs hears first of links that are whole."""
        return {name for fault in reversed(self._all) for name in await fault.heal()}

    async def undo(self, verb: Verb, names: Collection[str]) -> Collection[str]:
        """Undo for these processes what that verb undoes; those that were hit."""
        kinds = {LIVE[each] for each in LIVE if each.undone_by == verb.name}
        return {name for kind in kinds for name in await self._live[kind].undo(names)}

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
