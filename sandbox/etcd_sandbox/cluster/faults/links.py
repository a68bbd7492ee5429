"""The peer links in front of the members, and those that are cut or slow on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace

from etcd_sandbox.cluster.faults.fault import Applied, Fault, Ground
from etcd_sandbox.cluster.preflight import check_links
from etcd_sandbox.errors import InputError, SandboxError, TimedOut
from etcd_sandbox.links.keeper import Link, Links
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.fault import LinkFault, Pair, Rule, rules_of
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.spec import ProcessSpec, members_of
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.plan.linked import MENDS, OTHER_MEND
from etcd_sandbox.supervise.ledger import Ledger
from etcd_sandbox.verbs import Targets, Verb

IN_FORCE_WITHIN_S = 10.0


class LinkFaults(Fault):
    """What is broken between members."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._faults: list[LinkFault] = []

    @property
    def rules(self) -> Mapping[Pair, Rule]:
        """What holds for each pair of members that is not as it should be."""
        return rules_of(self._faults)

    async def apply(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> Applied:
        """Put a fault on the links. Raises SandboxError for a member without links."""
        verb = order.verb
        side = self._members(order.select, names)
        other = self._members(order.versus, versus) or self._other_side(verb, side)
        self._check_sides(verb, side, other)
        slow = verb.targets is Targets.LINKS
        changed = await self._add(
            LinkFault(
                kind=verb.name,
                side=side,
                other=other,
                delay_s=order.delay_s if slow else None,
                jitter_s=order.jitter_s if slow else 0.0,
            )
        )
        return Applied(side, other, side if changed else ())

    async def _add(self, fault: LinkFault) -> bool:
        links = self._links_of({member for pair in fault.pairs for member in pair})
        faults = [*(known for known in self._faults if not _replaces(fault, known)), fault]
        changes = rules_of(faults) != self.rules
        if changes:
            self._faults = faults
            self._publish(Kind.FAULT_APPLIED, fault)
        await self._tell(links)
        return changes

    async def heal(self) -> Collection[str]:
        """Undo everything; who was on the side that was hit."""
        healed, self._faults = self._faults, []
        if self._links is not None:
            await self._tell(self._links)
        for fault in healed:
            self._publish(Kind.FAULT_HEALED, fault)
        return {name for fault in healed for name in fault.side}

    def take_in(self, process: ProcessSpec) -> None:
        """A member comes: the link in front of it, if it is to have one. Raises SandboxError for its address."""
        if self._links is None:
            return
        for link in links_for([process]):
            if link not in self._links:
                check_links([process])
                self._links.add(link)

    async def let_go(self, process: str) -> None:
        """A member has gone: its link, and what was broken on it."""
        if self._links is None:
            return
        self._links.drop(process)
        faults = []
        for fault in self._faults:
            side = tuple(name for name in fault.side if name != process)
            other = tuple(name for name in fault.other if name != process)
            if side and other:
                faults.append(replace(fault, side=side, other=other))
        if faults != self._faults:
            self._faults = faults
            await self._tell(self._links)

    def told(self) -> list[dict[str, object]]:
        """Each fault that there is, as `status` shows it."""
        return [{"kind": fault.kind, **self._fields(fault)} for fault in self._faults]

    def pids_changed(self) -> None:
        """A member was started or has ended."""
        if self._links is not None:
            self._links.note_pids(self._pids())

    async def _tell(self, links: Links) -> None:
        try:
            async with asyncio.timeout(IN_FORCE_WITHIN_S):
                await links.tell(self._pids(), self.rules)
        except TimeoutError:
            raise TimedOut(
                f"the peer links did not take the rules within {IN_FORCE_WITHIN_S:g} s",
                hint="the supervisor's log says why they do not stay up",
            ) from None

    def _links_of(self, members: set[str]) -> Links:
        for process in sorted(members):
            member = self._roster.member(process)
            if member.link is None:
                raise SandboxError(
                    f"there is no link in front of {member.name}: {member.no_link}",
                    hint=MENDS.get(member.no_link, OTHER_MEND),
                )
        if self._links is None:
            raise InputError("this cluster has no links between its members")
        return self._links

    def _pids(self) -> dict[str, int]:
        pids = ((name, self._supervisor.processes[name].life.pid) for name in self._roster.names)
        return {name: pid for name, pid in pids if pid is not None}

    def _publish(self, kind: Kind, fault: LinkFault) -> None:
        self._bus.publish(kind, None, fault=fault.kind, **self._fields(fault))

    def _fields(self, fault: LinkFault) -> dict[str, object]:
        fields: dict[str, object] = {
            "members": [self._roster.title(name) for name in fault.side],
            "versus": [self._roster.title(name) for name in fault.other],
        }
        if fault.delay_s is not None:
            fields |= {"delay_s": fault.delay_s, "jitter_s": fault.jitter_s}
        return fields

    def _check_sides(self, verb: Verb, side: Sequence[str], other: Sequence[str]) -> None:
        if not other:
            raise InputError(
                "nobody is on the other side: these are all members",
                hint=f"etcd-sandbox {verb} infra1 cuts one member off from the others",
            )
        both = [self._roster.title(name) for name in side if name in other]
        if both and verb.targets is not Targets.LINKS:
            raise InputError(
                f"{', '.join(both)} cannot be on both sides",
                hint="name different members for the two sides",
            )
        if verb.targets is Targets.PAIR and (len(side), len(other)) != (1, 1):
            raise InputError(
                f"{verb} is for the link between two members",
                hint="etcd-sandbox partition cuts several links at once",
            )

    def _members(self, words: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
        """Only members have links; what runs beside them is passed over where `all` was said."""
        removed = {
            name for name in names if self._supervisor.processes[name].state is ProcessState.REMOVED
        }
        if removed and removed == set(names):
            raise InputError(
                f"{', '.join(map(self._roster.title, names))} was removed from the cluster",
                hint="etcd-sandbox replace brings a new member of that name",
            )
        names = [name for name in names if name not in removed]
        others = [name for name in names if name not in self._roster]
        if others and "all" not in words:
            raise InputError(
                f"{others[0]} is no member of the cluster, so no peer link leads to it",
                hint=f"members: {', '.join(map(self._roster.title, self._roster.names))}",
            )
        return tuple(name for name in names if name in self._roster)

    def _other_side(self, verb: Verb, names: Sequence[str]) -> tuple[str, ...]:
        processes = self._supervisor.processes
        everyone = tuple(
            name for name in self._roster.names if processes[name].state is not ProcessState.REMOVED
        )
        # All links of the selected are slow; a partition leaves those within a side alone.
        return (
            everyone
            if verb.targets is Targets.LINKS
            else tuple(n for n in everyone if n not in names)
        )


def _replaces(fault: LinkFault, known: LinkFault) -> bool:
    """A delay replaces an earlier one on the same links."""
    slow = known.delay_s is not None and fault.delay_s is not None
    return known == fault or (slow and known.pairs <= fault.pairs)


LINKS_NAME = "peer links"
"""What the process of the links is called where pids are written down."""


def links_for(processes: Iterable[ProcessSpec]) -> list[Link]:
    """The links that these members need."""
    found = []
    for process in members_of(processes):
        if process.member.link is None:
            continue
        listen = process.member.link.listen_url.bound
        target = process.member.link.target_url.bound
        if listen is not None and target is not None:
            found.append(Link(member=process.name, listen=listen, target=target))
    return found


def make_links(
    processes: Sequence[ProcessSpec],
    environment: Mapping[str, str],
    ledger: Ledger,
    guard: Callable[[str], None],
) -> Links | None:
    """The links of these members, bound and not yet relaying; None where none has a link.

    Their process is written down in the ledger and told to the guard, as members are.
    """
    links = links_for(processes)
    if not links:
        return None

    def started(pid: int) -> None:
        guard(f"+{pid}")
        ledger.add(LINKS_NAME, pid)

    def ended(pid: int) -> None:
        guard(f"-{pid}")
        ledger.drop(LINKS_NAME)

    made = Links(links, on_started=started, on_ended=ended, environment=environment)
    made.bind()
    return made
