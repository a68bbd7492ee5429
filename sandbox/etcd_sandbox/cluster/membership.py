"""Changes the members of the living cluster: each change is done whole, and the plan follows it.

One change is made at a time. The quorum is never given up by it: a member that comes gets its vote
when it has caught up, where the cluster could not bear that it fails before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from etcd_sandbox import verbs
from etcd_sandbox.cluster.addmember import AddMember
from etcd_sandbox.cluster.changecontext import ChangeContext, look_before, member_of
from etcd_sandbox.cluster.evicting import Evicting, evicted
from etcd_sandbox.cluster.memberlist import MemberList, Report
from etcd_sandbox.cluster.removemember import RemoveMember
from etcd_sandbox.cluster.updatemember import UpdateMember
from etcd_sandbox.cluster.verbs import target_of
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.spec import PastKind, ProcessSpec, as_member
from etcd_sandbox.model.state import Peer, ProcessState
from etcd_sandbox.model.verdict import Target
from etcd_sandbox.plan.changes import in_order

if TYPE_CHECKING:
    from etcd_sandbox.cluster.cluster import Cluster


class Changed(Struct, frozen=True):
    """What became of those that were meant, and what is to be told of it."""

    targets: list[Target]
    report: Report


class Membership:
    """Changes of the members of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._at = ChangeContext(
            spec=lambda: cluster.spec,
            adopt=cluster.adopt,
            data_root=cluster.paths.data,
            supervisor=cluster.supervisor,
            members=cluster.members,
            verbs=cluster.verbs,
            bus=cluster.bus,
            listed=MemberList(cluster.members, cluster.bus),
        )
        self._add_member = AddMember(self._at)
        self._remove_member = RemoveMember(self._at)
        self._evicting = Evicting(self._at)
        self._update_member = UpdateMember(self._at)

    async def carry_out(
        self,
        order: Order,
        names: Sequence[str],
        leader: str | None,
        deadline: float,
        strangers: Sequence[Peer] = (),
    ) -> Changed:
        """Do what is ordered, after whatever change is under way; `leader` is the process that leads.

        `strangers` are entries on etcd's list that are no process of ours, to be removed as well.
        Raises InputError for what cannot be meant, SandboxError and TimedOut for what fails: the
        error says what is as before and what is not.
        """
        report = Report()
        async with self._at.members.changing:
            before = {name: self._before(name, leader) for name in names}
            match order.verb:
                case verbs.ADD:
                    name = await self._add(order.name, deadline, report, learner=order.learner)
                    before[name] = (ProcessState.STOPPED, None, False)
                    done = {name}
                case verbs.PROMOTE:
                    done = await self._promote_all(names, deadline, report)
                case verbs.REMOVE:
                    done = await self._remove_all(names, deadline, report, force=order.force)
                    for peer in strangers:
                        await self._evicting.take_off(peer, deadline, report, force=order.force)
                case _:
                    done = await self._replace_all(names, deadline, report)
        targets = []
        for name, (state, pid, led) in before.items():
            process = self._at.members.processes[name]
            targets.append(
                target_of(process, before=state, pid=pid, was_leader=led, done=name in done)
            )
        targets += [evicted(peer) for peer in strangers]
        return Changed(targets, report)

    async def move(self, wanted: Sequence[ProcessSpec], deadline: float) -> None:
        """Give members another peer URL, one after the other (see `Moving.move`)."""
        async with self._at.members.changing:
            for process in in_order(wanted, dict(self._at.members.items())):
                await self._update_member.move(process, deadline)

    async def join(self, name: str, deadline: float) -> None:
        """Add a learner of the plan, whose process is known, and start it."""
        async with self._at.members.changing:
            process = self._at.members.processes[name]
            self._at.begin(verbs.ADD, process.spec)
            try:
                await self._add_member.join(process, deadline, Report(), learner=True)
            finally:
                self._at.end(name)

    async def _add(
        self, name: str | None, deadline: float, report: Report, *, learner: bool
    ) -> str:
        spec = self._add_member.planned(name, learner=learner)
        there = await self._add_member.can_come(spec, deadline, learner=learner)
        # Of one voter and one that has not come up yet, neither would be a quorum; nor with others down.
        first_learner = (
            there is None and not learner and await self._add_member.could_not_bear_one_more()
        )
        process = self._add_member.take_in(spec)
        self._at.begin(verbs.ADD, spec)
        try:
            await self._add_member.join(process, deadline, report, learner=learner or first_learner)
            if first_learner:
                report.notes.append(
                    "it came as a learner first: one more voter would have been missed by the quorum until "
                    "it was up"
                )
            if first_learner or (there is not None and there.is_learner and not learner):
                await self._add_member.promote(spec.name, deadline, report)
        except SandboxError as error:
            raise await self._add_member.undone(process, error) from error
        self._at.end(spec.name)
        return spec.name

    async def _promote_all(self, names: Sequence[str], deadline: float, report: Report) -> set[str]:
        for name in names:
            self._check_learner(name)
        for name in names:
            await self._add_member.promote(name, deadline, report)
        return set(names)

    def _check_learner(self, name: str) -> None:
        own = self._at.members.title(name)
        if name not in self._at.members or self._at.members.is_removed(name):
            raise InputError(f"{own} is no member of the cluster", hint=self._learners())
        if not self._at.members.is_learner(name):
            raise InputError(f"{own} is no learner: it has a vote already", hint=self._learners())
        if not self._at.members.runs(name):
            raise SandboxError(
                f"{own} does not run, so it cannot catch up with the leader",
                hint=f"etcd-sandbox start {own}, or etcd-sandbox resume {own}",
            )

    def _learners(self) -> str:
        names = [
            own.name for name, own in self._at.members.items() if self._at.members.is_learner(name)
        ]
        return (
            f"learners: {', '.join(names)}"
            if names
            else "etcd-sandbox add --learner brings a learner"
        )

    async def _remove_all(
        self, names: Sequence[str], deadline: float, report: Report, *, force: bool
    ) -> set[str]:
        self._check_members(names, "removed")
        names = [
            n
            for n in sorted(names, key=self._at.members.runs)
            if self._at.spec().process(n) is not None
        ]
        look = await self._at.members.look()
        self._remove_member.check_quorum(names, look, "removing", force=force)
        for name in names:
            process = self._at.members.processes[name]
            self._at.begin(verbs.REMOVE, process.spec)
            await self._remove_member.take_out(process, names, deadline, report)
            await self._at.members.faults.let_go(name)
            self._at.leave_out(name)
        return set(names)

    async def _replace_all(self, names: Sequence[str], deadline: float, report: Report) -> set[str]:
        self._check_members(names, "replaced")
        for name in names:
            member = self._at.members.member(name)
            if foreign := member.foreign_data:
                keeper = "its profile" if member.data_owned else "its Procfile's command"
                raise InputError(
                    f"{member.name} starts with data that {keeper} keeps, which is not ours to delete",
                    ", ".join(foreign),
                    f"etcd-sandbox remove {member.name}, then etcd-sandbox add brings another",
                )
            if any(name in pair and rule.cut for pair, rule in self._at.members.rules.items()):
                raise SandboxError(
                    f"links of {member.name} are cut, so a new one would be cut off as well",
                    hint=f"etcd-sandbox heal, then etcd-sandbox replace {member.name}",
                )
        await self._at.listed.leader_url(deadline)
        look = await self._at.members.look()
        dead = [name for name in names if not self._at.members.runs(name)]
        going = [name for name in dead if not self._at.members.is_removed(name)]
        # Those that live go one by one, when those that are down have come back.
        self._remove_member.check_quorum(
            going or [n for n in names if n not in dead][:1], look, "replacing"
        )
        await self._add_member.check_connected(names, deadline)
        # All that are down go first: etcd wants every voter that is left to be connected.
        for name in dead:
            await self._leave(name, dead, deadline, report)
        for name in dead:
            await self._return(name, deadline, report)
        for name in names:
            if name not in dead:
                self._remove_member.check_quorum([name], await self._at.members.look(), "replacing")
                await self._leave(name, [name], deadline, report)
                await self._return(name, deadline, report)
        return set(names)

    async def _leave(
        self, name: str, going: Sequence[str], deadline: float, report: Report
    ) -> None:
        process = self._at.members.processes[name]
        self._at.begin(verbs.REPLACE, process.spec)
        await self._remove_member.take_out(process, going, deadline, report, PastKind.REPLACED)

    async def _return(self, name: str, deadline: float, report: Report) -> None:
        """A new member under the old name: a learner first, so that the quorum never waits for it."""
        process = self._at.members.processes[name]
        own, stays_learner = self._at.members.title(name), member_of(process.spec).learner
        self._at.begin(verbs.REPLACE, process.spec)
        try:
            # That of one that was removed earlier has gone with it.
            self._at.members.faults.take_in(process.spec)
            await asyncio.to_thread(look_before, as_member(process.spec))
            await self._add_member.join(process, deadline, report, learner=True)
        except SandboxError as error:
            raise type(error)(
                f"{own} was removed, but the new one is not there yet: {error.what}",
                error.where,
                f"{error.hint}; then etcd-sandbox replace {own} goes on".removeprefix("; then "),
                error.detail,
            ) from error
        try:
            if not stays_learner:
                await self._add_member.promote(name, deadline, report)
        except SandboxError as error:
            raise type(error)(
                f"the new {own} runs, but as a learner: {error.what}",
                error.where,
                f"etcd-sandbox promote {own}",
                error.detail,
            ) from error
        finally:
            self._at.end(name)

    def _check_members(self, names: Sequence[str], what: str) -> None:
        for name in names:
            if name not in self._at.members:
                raise InputError(
                    f"{name} is no member of the cluster, so it cannot be {what}",
                    hint=f"members: {', '.join(own.name for _, own in self._at.members.items())}",
                )

    def _before(self, name: str, leader: str | None) -> tuple[ProcessState, int | None, bool]:
        process = self._at.members.processes[name]
        return process.state, process.life.pid, name == leader
