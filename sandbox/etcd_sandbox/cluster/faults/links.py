"""The peer links in front of the members: those that are cut, slow, limited or flaky on purpose, or reset."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from etcd_sandbox.cluster.faults.fault import Applied, Fault, Ground
from etcd_sandbox.cluster.preflight import check_links
from etcd_sandbox.errors import InputError, SandboxError, TimedOut
from etcd_sandbox.links.keeper import Link, Links
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.fault import CLIENTS, LinkFault, Pair, Rule, rules_of
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.spec import ProcessSpec, members_of
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.plan.linked import MENDS, OTHER_MEND
from etcd_sandbox.supervise.ledger import Ledger
from etcd_sandbox.verbs import ONE_WAY, Targets, Verb

_FIELDS = frozenset(Rule.__struct_fields__)
IN_FORCE_WITHIN_S = 10.0


class LinkFaults(Fault):
    """What is broken between members."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._faults: dict[Hashable, LinkFault] = {}
        self._numbers = itertools.count()

    @property
    def rules(self) -> Mapping[Pair, Rule]:
        """What holds for each pair of members that is not as it should be."""
        return rules_of(self._faults.values())

    def check(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> None:
        """Raises SandboxError for sides that cannot be, and for a member without links."""
        self._links_of(self._meant(order, names, versus))

    async def apply(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> Applied:
        """Put a fault on the links, or reset what is open there. Raises SandboxError as `check`."""
        fault = self._meant(order, names, versus)
        links = self._links_of(fault)
        if order.verb.fault is not None and order.verb.fault.passes:
            await self._tell(links, fault.pairs)
            self._publish(Kind.FAULT_PASSED, fault)
            return Applied(fault.side, fault.other, fault.side)
        before, known = self.rules, fault in self._faults.values()
        handle = next(self._numbers)
        faults = {each: old for each, old in self._faults.items() if not fault.replaces(old)}
        replaced = [old for old in self._faults.values() if fault.replaces(old)]
        faults[handle] = fault
        changes = rules_of(faults.values()) != before
        # What others hide is there all the same, where one of the two has its time.
        if changes or known or order.for_s is not None or self.ends_at:
            self._faults = faults
        if handle in self._faults and not known:
            for old in replaced:
                self._publish(Kind.FAULT_HEALED, old)
            self._publish(Kind.FAULT_APPLIED, fault)
        await self._tell(links)
        changed = changes or order.for_s is not None
        return Applied(fault.side, fault.other, fault.side if changed else (), [handle])

    def _meant(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> LinkFault:
        verb = order.verb
        side = self._members(order.select, names)
        other = self._members(order.versus, versus) or self._other_side(verb, side)
        self._check_sides(verb, side, other)
        fields = [each.parameter for each in verb.options if each.parameter in _FIELDS]
        how = {name: value for name in fields if (value := order.given(name)) is not False}
        if how.get("refuse") and other != (CLIENTS,):
            raise InputError(
                "--refuse is for clients: a cut between members resets their connections anyway",
                hint=f"etcd-sandbox {verb} {self._roster.title(side[0])} vs {CLIENTS} --refuse",
            )
        if order.seed is not None and (verb.draws or how.get("jitter_s")):
            how["seed"] = order.seed
        one_way = bool(order.given(ONE_WAY.parameter))
        return LinkFault(kind=verb.name, side=side, other=other, one_way=one_way, how=how)

    async def heal(self) -> Collection[str]:
        """Undo everything; who was on the side that was hit."""
        healed, self._faults = self._faults, {}
        if self._links is not None:
            await self._tell(self._links)
        for fault in healed.values():
            self._publish(Kind.FAULT_HEALED, fault)
        return {name for fault in healed.values() for name in fault.side}

    async def end(self, handle: Hashable) -> None:
        """Undo one fault, if it is there still."""
        fault = self._faults.pop(handle, None)
        if fault is not None and self._links is not None:
            await self._tell(self._links)
            self._publish(Kind.FAULT_HEALED, fault)

    async def in_force(self) -> None:
        """Return when the links relay, which takes their process a moment after the start."""
        if self._links is not None:
            await self._tell(self._links)

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
        before, self._faults = self._faults, {}
        for handle, fault in before.items():
            side = tuple(name for name in fault.side if name != process)
            other = tuple(name for name in fault.other if name != process)
            left = replace(fault, side=side, other=other)
            if left.pairs:
                self._faults[handle] = left
            else:
                self._publish(Kind.FAULT_HEALED, fault)
        if self._faults != before:
            await self._tell(self._links)

    def told(self) -> list[dict[str, object]]:
        """Each fault that there is, as `status` shows it."""
        return [
            {"kind": fault.kind, **self._fields(fault), **self.time_left(handle)}
            for handle, fault in self._faults.items()
        ]

    def pids_changed(self) -> None:
        """A member was started or has ended."""
        if self._links is not None:
            self._links.note_pids(self._pids())

    async def _tell(self, links: Links, resets: Collection[Pair] = ()) -> None:
        try:
            async with asyncio.timeout(IN_FORCE_WITHIN_S):
                await links.tell(self._pids(), self.rules, resets)
        except TimeoutError:
            raise TimedOut(
                f"the peer links did not take the rules within {IN_FORCE_WITHIN_S:g} s",
                hint="the supervisor's log says why they do not stay up",
            ) from None

    def _links_of(self, fault: LinkFault) -> Links:
        ends = {pair for pair in fault.pairs if pair[0] != CLIENTS}
        for process, other in sorted(ends):
            member = self._roster.member(process)
            if other == CLIENTS:
                if member.client_link is None:
                    raise SandboxError(
                        f"there is no link between {member.name} and its clients",
                        hint="etcd-sandbox down, then etcd-sandbox up --client-links",
                    )
            elif member.link is None:
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
        if fault.one_way:
            fields[ONE_WAY.parameter] = True
        return {**fields, **fault.how}

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
            name
            for name in names
            if name != CLIENTS and self._supervisor.processes[name].state is ProcessState.REMOVED
        }
        if removed and removed == set(names):
            raise InputError(
                f"{', '.join(map(self._roster.title, names))} was removed from the cluster",
                hint="etcd-sandbox replace brings a new member of that name",
            )
        names = [name for name in names if name not in removed]
        others = [name for name in names if name not in self._roster and name != CLIENTS]
        if others and "all" not in words:
            raise InputError(
                f"{others[0]} is no member of the cluster, so no peer link leads to it",
                hint=f"members: {', '.join(map(self._roster.title, self._roster.names))}",
            )
        return tuple(name for name in names if name in self._roster or name == CLIENTS)

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


LINKS_NAME = "peer links"
"""What the process of the links is called where pids are written down."""


def links_for(processes: Iterable[ProcessSpec]) -> list[Link]:
    """The links that these members need."""
    found = []
    for process in members_of(processes):
        for link, clients in ((process.member.link, False), (process.member.client_link, True)):
            listen = link.listen_url.bound if link is not None else None
            target = link.target_url.bound if link is not None else None
            if listen is not None and target is not None:
                found.append(
                    Link(member=process.name, listen=listen, target=target, clients=clients)
                )
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
