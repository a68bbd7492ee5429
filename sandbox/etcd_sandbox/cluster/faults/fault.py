"""What a fault at work has to be able to do, and what it stands on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from etcd_sandbox.model.fault import Pair, Rule

if TYPE_CHECKING:
    from etcd_sandbox.cluster.roster import Roster
    from etcd_sandbox.links.keeper import Links
    from etcd_sandbox.model.order import Order
    from etcd_sandbox.model.spec import ProcessSpec
    from etcd_sandbox.supervise.bus import Bus
    from etcd_sandbox.supervise.supervisor import Supervisor


class Ground(NamedTuple):
    """What a fault may reach of the cluster that it breaks."""

    supervisor: Supervisor
    roster: Roster
    bus: Bus
    links: Links | None


class Applied(NamedTuple):
    """Whom a fault hit, by process name: the targets, the other side, and those that were changed."""

    names: Sequence[str]
    versus: Sequence[str] = ()
    changed: Collection[str] = ()


class Fault:
    """One kind of fault at work in a cluster; processes are named by their names.

    The verbs of one class share one object. What a kind has nothing to say to is left as it is here.
    """

    def __init__(self, ground: Ground) -> None:
        self._supervisor = ground.supervisor
        self._roster = ground.roster
        self._bus = ground.bus
        self._links = ground.links

    async def apply(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> Applied:
        """Break it, and return when that is in force. Raises InputError for what cannot be meant."""
        raise NotImplementedError

    async def heal(self) -> Collection[str]:
        """Undo all of it; the processes that were hit."""
        raise NotImplementedError

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

    def pids_changed(self) -> None:
        """A member was started or has ended."""
