"""Carries out one order after the other: whom it means, what is done, and what that did to the cluster."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.cluster.faults.registry import LIVE
from etcd_sandbox.cluster.measure import Measure
from etcd_sandbox.cluster.memberlist import Report
from etcd_sandbox.cluster.settling import LEAST_S, MOST_S
from etcd_sandbox.cluster.verbs import Before
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.model.fault import CLIENTS
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.selector import NoLeader, NotYet
from etcd_sandbox.model.state import Peer, ProcessState
from etcd_sandbox.model.verdict import Target, Verdict
from etcd_sandbox.verbs import HEAL, MOVE_LEADER, Targets
from etcd_sandbox.verbs.links import listed

if TYPE_CHECKING:
    from etcd_sandbox.cluster.cluster import Cluster
    from etcd_sandbox.cluster.faults.diskmeter import DiskMeter
    from etcd_sandbox.cluster.listing import Listing
    from etcd_sandbox.cluster.members import Observation
    from etcd_sandbox.cluster.membership import Membership

LEADER_POLL_S = 0.05


class _Meant(Struct):
    """Whom an order means, by process name, and the round of answers that says so."""

    look: Observation
    names: tuple[str, ...]
    versus: tuple[str, ...]
    strangers: tuple[Peer, ...] = ()
    """Entries on etcd's list of members that are no process of ours: they can be removed."""
    notes: tuple[str, ...] = ()


class Orders:
    """What can be ordered of one cluster."""

    def __init__(
        self, cluster: Cluster, measure: Measure, membership: Membership, listing: Listing
    ) -> None:
        self._members = cluster.members
        self._verbs = cluster.verbs
        self._measure = measure
        self._membership = membership
        self._listing = listing
        self._instant = asyncio.Lock()

    async def carry_out(self, order: Order) -> Verdict:
        """Do what is ordered, and say what became of it.

        A selector is resolved once, against fresh answers, and nothing else that takes an instant
        comes between that and the deed: `kill leader` never hits who has just ceased to lead.
        Raises InputError for an order that cannot be meant, TimedOut and SandboxError for one
        that fails.
        """
        if order.verb.draws and order.seed is None:
            order = replace(order, seed=secrets.randbelow(10**6))
        if order.after_s is not None:
            return await self._plan(order)
        deadline = time.monotonic() + order.timeout_s
        async with self._measure.reading(wanted=order.wait and len(self._members) > 0) as measured:
            patience_s = LEAST_S
            while True:
                async with self._instant:
                    meant = await self._meant(order, deadline, patience_s)
                    if meant is not None:
                        meant = await self._prepared(order, meant, deadline)
                        meter = self._meter(order, meant)
                        if meter is not None:
                            await meter.begin(meant.look.leader, deadline)
                        measured.begin(meant.look)
                        if order.verb.instant:
                            targets = await self._do(order, meant, deadline)
                        break
                await asyncio.sleep(LEADER_POLL_S)
                patience_s = min(MOST_S, 2 * patience_s)
            report = Report()
            if order.verb.changes_members:
                targets, report = await self._membership.carry_out(
                    order, meant.names, meant.look.leader, deadline, meant.strangers
                )
            elif not order.verb.instant:
                targets = await self._do(order, meant, deadline)
            verdict = Verdict(
                verb=order.verb.name,
                targets=tuple(target.name for target in targets),
                versus=tuple(self._members.title(name) for name in meant.versus),
                seed=order.seed,
                processes=tuple(targets),
                notes=(*meant.notes, *report.notes),
                equivalents=tuple(report.equivalents),
            )
            if meant.versus == (CLIENTS,):
                # What was measured came past the links of clients, and says nothing of these.
                return verdict
            if meter is not None:
                await meter.applied()
            verdict = await measured.verdict(verdict, order.verb, deadline)
            if meter is not None:
                look = await self._members.look(deadline_s=MOST_S)
                verdict = await meter.told(verdict, look.leader, deadline)
            return verdict

    async def _plan(self, order: Order) -> Verdict:
        """Have it carried out when its time is there; what could never be meant is refused now."""
        look = await self._members.look(deadline_s=MOST_S)
        try:
            versus = await self._other_side(order, look)
            names = await self._listing.resolved(order.select, look.candidates, order.seed)
        except InputError:
            raise
        except SandboxError:
            pass  # There is no such member now, and may be one by then.
        else:
            self._members.faults.check(order, names, versus)
        self._members.faults.plans.add(order, self.carry_out)
        return Verdict(
            verb=order.verb.name,
            targets=order.select,
            versus=order.versus,
            seed=order.seed,
            in_s=order.after_s,
        )

    async def _other_side(self, order: Order, look: Observation) -> tuple[str, ...]:
        """The other side of a fault on links: members, and clients."""
        if CLIENTS in order.select:
            raise InputError(
                f"{CLIENTS} are the other side of {order.verb}, not the first",
                hint=f"etcd-sandbox {order.verb} leader {'vs ' * (order.verb.targets is not Targets.PAIR)}{CLIENTS}",
            )
        words = tuple(word for word in order.versus if word != CLIENTS)
        names = await self._listing.resolved(words, look.candidates, order.seed) if words else ()
        return (*names, CLIENTS) if CLIENTS in order.versus else tuple(names)

    async def _meant(self, order: Order, deadline: float, patience_s: float) -> _Meant | None:
        """Whom the order means; None while there is no leader yet, but may be one soon."""
        look = await self._members.look(deadline_s=patience_s)
        words, strangers = order.select, dict[str, Peer]()
        if order.verb.takes_strangers:
            strangers = await self._listing.meant(words, look.candidates)
            words = tuple(word for word in words if word not in strangers)
        try:
            versus = await self._other_side(order, look)
            names = await self._listing.resolved(words, look.candidates, order.seed)
        except NotYet as error:
            # A leader is elected soon, an answer comes when the machine has time.
            over = patience_s >= MOST_S and not isinstance(error, NoLeader)
            if over or not self._members.could_elect() or time.monotonic() > deadline:
                raise
            return None
        return _Meant(look, names, versus, tuple(strangers.values()))

    def _meter(self, order: Order, meant: _Meant) -> DiskMeter | None:
        if not order.wait or order.verb not in LIVE:
            return None
        return self._members.faults.meter(order, self._members, meant.names)

    async def _prepared(self, order: Order, meant: _Meant, deadline: float) -> _Meant:
        """Have whom the order means run so that the fault can be applied; a leader that was restarted for it leads again."""
        if order.verb not in LIVE:
            return meant
        async with self._verbs.in_time(order, meant.names, deadline):
            restarted = await self._members.faults.prepare(order, meant.names)
        if not restarted:
            return meant
        led = meant.look.leader
        look = await self._members.look(deadline_s=MOST_S)
        if led in restarted and led is not None:
            look = await self._leads_again(led, deadline)
        names = listed(map(self._members.title, restarted))
        note = f"{names} {'was' if len(restarted) == 1 else 'were'} restarted to have the calls of the disk stopped"
        return replace(meant, look=look, notes=(*meant.notes, note))

    async def _leads_again(self, name: str, deadline: float) -> Observation:
        """Have a member lead that led before; as it is where that cannot be had in time."""
        while True:
            look = await self._members.look(deadline_s=MOST_S)
            if look.leader == name or time.monotonic() > deadline or len(self._members) < 2:
                return look
            if look.leader is not None:
                with contextlib.suppress(SandboxError):
                    await self._members.hand_over(look.leader, name, deadline)
            await asyncio.sleep(LEADER_POLL_S)

    async def _do(self, order: Order, meant: _Meant, deadline: float) -> list[Target]:
        if order.verb in LIVE:
            return await self._break(order, meant, deadline)
        if order.verb is HEAL:
            return await self._heal(meant)
        if order.verb is MOVE_LEADER:
            return await self._move_leader(meant, deadline)
        return await self._verbs.act(order, meant.names, meant.look.leader, deadline)

    # Faults.

    async def _break(self, order: Order, meant: _Meant, deadline: float) -> list[Target]:
        """Each target as it was before.

        The leader is the one that the answers name. For a fault of a process the logs count as well.
        """
        leader = meant.look.leader
        if not order.verb.targets.has_sides:
            leader = leader or self._members.leader
        before = self._before(leader)
        # The links have a limit of their own.
        limit = (
            contextlib.nullcontext()
            if order.verb.targets.has_sides
            else self._verbs.in_time(order, meant.names, deadline)
        )
        async with limit:
            applied = await self._members.faults.apply(order, meant.names, meant.versus)
        meant.versus = tuple(applied.versus)
        meant.notes = (*meant.notes, *applied.notes)
        return before.targets(applied.names, applied.changed)

    async def _heal(self, meant: _Meant) -> list[Target]:
        before = self._before(meant.look.leader)
        meant.notes = tuple(
            f"{words} will not be done" for words in self._members.faults.plans.drop()
        )
        hit = await self._members.faults.heal()
        return before.targets((name for name in self._members.processes if name in hit), hit)

    # Leadership.

    async def _move_leader(self, meant: _Meant, deadline: float) -> list[Target]:
        name = meant.names[0]
        if len(meant.names) > 1 or name not in self._members:
            raise InputError(
                f"leadership moves to one member, not to {', '.join(map(self._members.title, meant.names))}",
                hint="name one member, or use random",
            )
        state = self._members.processes[name].state
        if state is ProcessState.PAUSED:
            # etcd would try for seconds, and the member would take over as soon as it goes on.
            raise SandboxError(
                f"{self._members.title(name)} is paused, so it cannot lead",
                hint=f"etcd-sandbox resume {self._members.title(name)}",
            )
        if not state.alive:
            raise SandboxError(
                f"{self._members.title(name)} does not run, so it cannot lead",
                hint=f"etcd-sandbox start {self._members.title(name)}",
            )
        look = meant.look
        while look.leader is None and time.monotonic() < deadline and self._members.could_elect():
            await asyncio.sleep(LEADER_POLL_S)
            look = await self._members.look()
        if look.leader is None:
            raise NoLeader("no member leads, so none can hand over", hint="etcd-sandbox status")
        if look.leader == name:
            return self._before(meant.look.leader).targets([name], ())
        await self._members.hand_over(look.leader, name, deadline, wait=False)
        return self._before(meant.look.leader).targets([name], [name])

    def _before(self, leader: str | None) -> Before:
        return Before(self._members.processes.values(), leader)
