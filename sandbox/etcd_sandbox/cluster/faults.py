"""What is broken on purpose in one cluster and can be healed: peer links, and paused processes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from msgspec.structs import replace

from etcd_sandbox.cluster.peerlinks import links_for
from etcd_sandbox.cluster.preflight import check_links
from etcd_sandbox.errors import InputError, SandboxError, TimedOut
from etcd_sandbox.links.keeper import Links
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.fault import LinkFault, LinkFaultKind, Pair, Rule, rules_of
from etcd_sandbox.model.spec import ProcessSpec, as_member
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.plan.linked import MENDS, OTHER_MEND
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.supervisor import Supervisor

IN_FORCE_WITHIN_S = 10.0


class Faults:
    """The faults of one cluster. Members are named by their process names."""

    def __init__(self, supervisor: Supervisor, bus: Bus, links: Links | None) -> None:
        self._supervisor = supervisor
        self._bus = bus
        self._links = links
        self._faults: list[LinkFault] = []

    @property
    def rules(self) -> Mapping[Pair, Rule]:
        """What holds for each pair of members that is not as it should be."""
        return rules_of(self._faults)

    async def add(self, fault: LinkFault) -> bool:
        """Put a fault on the links; whether it changes anything. Returns when it is in force.

        Raises SandboxError for a member without links.
        """
        links = self._links_of({member for pair in fault.pairs for member in pair})
        faults = [*(known for known in self._faults if not _replaces(fault, known)), fault]
        changes = rules_of(faults) != self.rules
        if changes:
            self._faults = faults
            self._publish(Kind.FAULT_APPLIED, fault)
        await self._tell(links)
        return changes

    async def heal(self) -> tuple[list[LinkFault], list[str]]:
        """Undo everything; the faults on links that there were, and the processes that were paused."""
        healed, self._faults = self._faults, []
        if self._links is not None:
            await self._tell(self._links)
        for fault in healed:
            self._publish(Kind.FAULT_HEALED, fault)
        paused = [
            process
            for process in self._supervisor.processes.values()
            if process.state is ProcessState.PAUSED
        ]
        for process in paused:
            await process.resume()
        return healed, [process.name for process in paused]

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
        pauses: list[dict[str, object]] = [
            {
                "kind": "pause",
                "process": process.name,
                "member": process.spec.member.name if process.spec.member else None,
            }
            for process in self._supervisor.processes.values()
            if process.state is ProcessState.PAUSED
        ]
        return pauses + [{"kind": fault.kind, **self._fields(fault)} for fault in self._faults]

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
            member = as_member(self._supervisor.processes[process].spec).member
            if member.link is None:
                raise SandboxError(
                    f"there is no link in front of {member.name}: {member.no_link}",
                    hint=MENDS.get(member.no_link, OTHER_MEND),
                )
        if self._links is None:
            raise InputError("this cluster has no links between its members")
        return self._links

    def _pids(self) -> dict[str, int]:
        pids = (
            (name, own.life.pid)
            for name, own in self._supervisor.processes.items()
            if own.spec.member
        )
        return {name: pid for name, pid in pids if pid is not None}

    def _publish(self, kind: Kind, fault: LinkFault) -> None:
        self._bus.publish(kind, None, fault=fault.kind.value, **self._fields(fault))

    def _fields(self, fault: LinkFault) -> dict[str, object]:
        fields: dict[str, object] = {
            "members": [self._supervisor.processes[name].spec.own_name for name in fault.side],
            "versus": [self._supervisor.processes[name].spec.own_name for name in fault.other],
        }
        if fault.kind is LinkFaultKind.SLOW:
            fields |= {"delay_s": fault.delay_s, "jitter_s": fault.jitter_s}
        return fields


def _replaces(fault: LinkFault, known: LinkFault) -> bool:
    """A delay replaces an earlier one on the same links."""
    slow = known.kind is fault.kind is LinkFaultKind.SLOW
    return known == fault or (slow and known.pairs <= fault.pairs)
