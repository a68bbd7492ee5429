"""What a fault at work has to be able to do, and what it stands on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from etcd_sandbox.model.fault import Pair, Rule

if TYPE_CHECKING:
    from etcd_sandbox.cluster.faults.diskmeter import DiskMeter
    from etcd_sandbox.cluster.members import Members
    from etcd_sandbox.cluster.roster import Roster
    from etcd_sandbox.links.keeper import Links
    from etcd_sandbox.model.order import Order
    from etcd_sandbox.model.spec import ClusterSpec, ProcessSpec
    from etcd_sandbox.supervise.bus import Bus
    from etcd_sandbox.supervise.supervisor import Supervisor


class Ground(NamedTuple):
    """What a fault may reach of the cluster that it breaks."""

    supervisor: Supervisor
    roster: Roster
    bus: Bus
    links: Links | None


class Applied(NamedTuple):
    """Whom a fault hit, by process name: the targets, the other side, and those that were changed.

    `handles` stand for what there is now: by them it is ended when its time is over. `notes` say what is to come of it.
    """

    names: Sequence[str]
    versus: Sequence[str] = ()
    changed: Collection[str] = ()
    handles: Collection[Hashable] = ()
    notes: Sequence[str] = ()


class Fault:
    """One kind of fault at work in a cluster; processes are named by their names.

    The verbs of one class share one object. What a kind has nothing to say to is left as it is here.
    """

    def __init__(self, ground: Ground) -> None:
        self._supervisor = ground.supervisor
        self._roster = ground.roster
        self._bus = ground.bus
        self._links = ground.links
        self.ends_at: dict[Hashable, float] = {}

    def check(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> None:
        """Raises SandboxError for what `apply` would refuse now."""

    def begin(self, spec: ClusterSpec) -> None:
        """Before the first process is executed: what the plan says of faults to come."""

    async def prepare(self, order: Order, names: Sequence[str]) -> Collection[str]:
        """Have these processes run so that the fault can be applied: those that were restarted for it."""
        return ()

    def meter(self, order: Order, members: Members, names: Sequence[str]) -> DiskMeter | None:
        """What measures the fault beside who leads and how clients are served; None where that says all."""
        return None

    async def apply(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> Applied:
        """Break it, and return when that is in force. Raises InputError for what cannot be meant."""
        raise NotImplementedError

    async def heal(self) -> Collection[str]:
        """Undo all of it; the processes that were hit."""
        raise NotImplementedError

    async def end(self, handle: Hashable) -> None:
        """Undo what the handle stands for, if that is there still."""
        raise NotImplementedError

    async def undo(self, names: Collection[str]) -> Collection[str]:
        """Undo it for these processes, as the verb does that undoes it; those that were hit."""
        return ()

    def time_left(self, handle: Hashable) -> dict[str, object]:
        """When it heals by itself, for `status`; nothing where it does not."""
        ends_at = self.ends_at.get(handle)
        if ends_at is None:
            return {}
        left_s = ends_at - asyncio.get_running_loop().time()
        return {"heals_in_s": round(max(0.0, left_s), 1)}

    def told(self) -> list[dict[str, object]]:
        """Each fault that there is, as `status` shows it."""
        raise NotImplementedError

    @property
    def rules(self) -> Mapping[Pair, Rule]:
        """What it means for the traffic between members."""
        return {}

    def take_in(self, process: ProcessSpec) -> None:
        """A member comes."""

    async def let_go(self, process: str) -> None:
        """A member has gone."""

    async def in_force(self) -> None:
        """Return when all that this kind has between members and their peers, clients and disks works. Raises TimedOut."""

    async def replaced(self, process: str) -> None:
        """A new member comes in the place of one that has gone."""

    async def close(self) -> None:
        """All members have ended."""

    def pids_changed(self) -> None:
        """A member was started or has ended."""
