"""Carries out one order after the other: whom it means, what is done, and what that did to the cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.cluster.evidence import LEAST_S, MOST_S
from etcd_sandbox.cluster.measure import Measure
from etcd_sandbox.cluster.memberlist import Report
from etcd_sandbox.cluster.verbs import target_of
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.model.fault import LinkFault, LinkFaultKind
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.selector import NoLeader
from etcd_sandbox.model.state import Peer, ProcessState
from etcd_sandbox.model.verb import MEMBERSHIP, Verb
from etcd_sandbox.model.verdict import Target, Verdict

if TYPE_CHECKING:
    from etcd_sandbox.cluster.listing import Listing
    from etcd_sandbox.cluster.members import Look, Members
    from etcd_sandbox.cluster.membership import Membership
    from etcd_sandbox.cluster.verbs import Verbs

LEADER_POLL_S = 0.05

_AT_ONCE = frozenset(
    {Verb.KILL, Verb.PAUSE, Verb.RESUME, Verb.PARTITION, Verb.CUT, Verb.SLOW, Verb.HEAL}
)
"""Verbs that take an instant: while one resolves and acts, no other does either."""

_LINK_VERBS = {
    Verb.PARTITION: LinkFaultKind.PARTITION,
    Verb.CUT: LinkFaultKind.CUT,
    Verb.SLOW: LinkFaultKind.SLOW,
}


class _Meant(Struct, frozen=True):
    """Whom an order means, by process name, and the round of answers that says so."""

    look: Look
    names: tuple[str, ...]
    versus: tuple[str, ...]
    strangers: tuple[Peer, ...] = ()
    """Entries on etcd's list of members that are no process of ours: they can be removed."""


class Orders:
    """What can be ordered of one cluster."""

    def __init__(
        self,
        members: Members,
        verbs: Verbs,
        measure: Measure,
        membership: Membership,
        listing: Listing,
    ) -> None:
        self._members = members
        self._verbs = verbs
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
        deadline = time.monotonic() + order.timeout_s
        async with self._measure.reading(wanted=order.wait and len(self._members) > 0) as measured:
            patience_s = LEAST_S
            while True:
                async with self._instant:
                    meant = await self._meant(order, deadline, patience_s)
                    if meant is not None:
                        measured.begin(meant.look)
                        if order.verb in _AT_ONCE:
                            targets = await self._do(order, meant, deadline)
                        break
                await asyncio.sleep(LEADER_POLL_S)
                patience_s = min(MOST_S, 2 * patience_s)
            report = Report()
            if order.verb in MEMBERSHIP:
                changed = await self._membership.carry_out(
                    order, meant.names, meant.look.leader, deadline, meant.strangers
                )
                targets, report = changed.targets, changed.report
            elif order.verb not in _AT_ONCE:
                targets = await self._do(order, meant, deadline)
            verdict = Verdict(
                verb=order.verb,
                targets=tuple(target.name for target in targets),
                versus=tuple(self._members.title(name) for name in meant.versus),
                seed=order.seed,
                processes=tuple(targets),
                notes=tuple(report.notes),
                equivalents=tuple(report.equivalents),
            )
            return await measured.verdict(verdict, order.verb, deadline)

    async def _meant(self, order: Order, deadline: float, patience_s: float) -> _Meant | None:
        """Whom the order means; None while there is no leader yet, but may be one soon."""
        look = await self._members.look(deadline_s=patience_s)
        words, strangers = order.select, dict[str, Peer]()
        if order.verb is Verb.REMOVE:
            strangers = await self._listing.meant(words, look.candidates)
            words = tuple(word for word in words if word not in strangers)
        try:
            names = await self._listing.resolved(words, look.candidates, order.seed)
            versus = await self._listing.resolved(order.versus, look.candidates, order.seed)
        except NoLeader:
            if not self._members.could_elect() or time.monotonic() > deadline:
                raise
            return None
        if order.verb in _LINK_VERBS:
            names = self._with_links(order.select, names)
            versus = self._with_links(order.versus, versus) or self._other_side(order.verb, names)
        return _Meant(look, names, versus, tuple(strangers.values()))

    async def _do(self, order: Order, meant: _Meant, deadline: float) -> list[Target]:
        if order.verb in _LINK_VERBS:
            return await self._break_links(order, meant)
        if order.verb is Verb.HEAL:
            return await self._heal(meant)
        if order.verb is Verb.MOVE_LEADER:
            return await self._move_leader(meant, deadline)
        return await self._verbs.act(order, meant.names, meant.look.leader, deadline)

    # Links.

    async def _break_links(self, order: Order, meant: _Meant) -> list[Target]:
        self._check_sides(order.verb, meant)
        fault = LinkFault(
            kind=_LINK_VERBS[order.verb],
            side=meant.names,
            other=meant.versus,
            delay_s=order.delay_s if order.verb is Verb.SLOW else 0.0,
            jitter_s=order.jitter_s if order.verb is Verb.SLOW else 0.0,
        )
        changed = await self._members.faults.add(fault)
        return [self._target(name, meant, done=changed) for name in meant.names]

    async def _heal(self, meant: _Meant) -> list[Target]:
        before = {name: process.state for name, process in self._members.processes.items()}
        healed, resumed = await self._members.faults.heal()
        touched = {name for fault in healed for name in fault.side} | set(resumed)
        return [
            replace(self._target(name, meant, done=True), before=before[name])
            for name in self._members.processes
            if name in touched
        ]

    def _check_sides(self, verb: Verb, meant: _Meant) -> None:
        if not meant.versus:
            raise InputError(
                "nobody is on the other side: these are all members",
                hint=f"etcd-sandbox {verb} infra1 cuts one member off from the others",
            )
        both = [self._members.title(name) for name in meant.names if name in meant.versus]
        if both and verb is not Verb.SLOW:
            raise InputError(
                f"{', '.join(both)} cannot be on both sides",
                hint="name different members for the two sides",
            )
        if verb is Verb.CUT and (len(meant.names), len(meant.versus)) != (1, 1):
            raise InputError(
                "cut is for the link between two members",
                hint="etcd-sandbox partition cuts several links at once",
            )

    def _with_links(self, words: Sequence[str], names: tuple[str, ...]) -> tuple[str, ...]:
        """Only members have links; what runs beside them is passed over where `all` was said."""
        removed = {name for name in names if self._members.is_removed(name)}
        if removed and removed == set(names):
            raise InputError(
                f"{', '.join(map(self._members.title, names))} was removed from the cluster",
                hint="etcd-sandbox replace brings a new member of that name",
            )
        names = tuple(name for name in names if name not in removed)
        others = [name for name in names if name not in self._members]
        if others and "all" not in words:
            raise InputError(
                f"{others[0]} is no member of the cluster, so no peer link leads to it",
                hint=f"members: {', '.join(member.name for _, member in self._members.items())}",
            )
        return tuple(name for name in names if name in self._members)

    def _other_side(self, verb: Verb, names: tuple[str, ...]) -> tuple[str, ...]:
        processes = self._members.processes
        everyone = tuple(
            name
            for name in self._members.names
            if processes[name].state is not ProcessState.REMOVED
        )
        # All links of the selected are slow; a partition leaves those within a side alone.
        return everyone if verb is Verb.SLOW else tuple(n for n in everyone if n not in names)

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
            return [self._target(name, meant, done=False)]
        await self._members.hand_over(look.leader, name, deadline, wait=False)
        return [self._target(name, meant, done=True)]

    def _target(self, name: str, meant: _Meant, *, done: bool) -> Target:
        process = self._members.processes[name]
        return target_of(
            process,
            before=process.state,
            pid=process.life.pid,
            was_leader=meant.look.leader == name,
            done=done,
        )
