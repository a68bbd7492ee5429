"""Changes the members of the living cluster: each change is done whole, and the plan follows it.

One change is made at a time. The quorum is never given up by it: a member that comes gets its vote
when it has caught up, where the cluster could not bear that it fails before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from etcd_sandbox import verbs
from etcd_sandbox.cluster import addmember, preflight, removemember
from etcd_sandbox.cluster.change import Change, look_before, member_of
from etcd_sandbox.cluster.memberlist import Report
from etcd_sandbox.cluster.verbs import Before, target_of
from etcd_sandbox.errors import InputError, SandboxError, TimedOut
from etcd_sandbox.etcd.datadir import has_data
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.spec import PastKind, ProcessSpec, as_member
from etcd_sandbox.model.state import Peer, ProcessState
from etcd_sandbox.model.verdict import Target
from etcd_sandbox.plan.changes import in_order, peer_urls_of, runs_differently

if TYPE_CHECKING:
    from etcd_sandbox.cluster.cluster import Cluster


class Membership:
    """Changes of the members of one cluster. Deadlines are monotonic."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._members = cluster.members

    async def carry_out(
        self,
        order: Order,
        names: Sequence[str],
        leader: str | None,
        deadline: float,
        strangers: Sequence[Peer] = (),
    ) -> tuple[list[Target], Report]:
        """Do what is ordered, after whatever change is under way; what became of each, and what is to be told of it.

        `leader` is the process that leads. `strangers` are entries on etcd's list that are no process of ours, to be removed as well.
        Raises InputError for what cannot be meant, SandboxError and TimedOut for what fails: the
        error says what is as before and what is not.
        """
        change, processes = Change(self._cluster, deadline), self._members.processes
        async with self._members.changing:
            before = Before((processes[name] for name in names), leader)
            done: Container[str] = names
            match order.verb:
                case verbs.ADD:
                    added = await self._add(change, order.name, learner=order.learner)
                    there = target_of(
                        processes[added],
                        before=ProcessState.STOPPED,
                        pid=None,
                        was_leader=False,
                        done=True,
                    )
                    return [there], change.report
                case verbs.PROMOTE:
                    await self._promote_all(change, names)
                case verbs.REMOVE:
                    done = await self._remove_all(change, names, force=order.force)
                    for peer in strangers:
                        await removemember.take_off(change, peer, force=order.force)
                case _:
                    await self._replace_all(change, names)
        targets = before.targets(names, done)
        targets += [
            Target(
                process=peer.id,
                member=None,
                pid=None,
                before=ProcessState.STOPPED,
                state=ProcessState.REMOVED,
                was_leader=False,
                done=True,
            )
            for peer in strangers
        ]
        return targets, change.report

    async def move(self, wanted: Sequence[ProcessSpec], deadline: float) -> None:
        """Give members another peer URL, one after the other."""
        change = Change(self._cluster, deadline)
        async with self._members.changing:
            for process in in_order(wanted, dict(self._members.items())):
                await self._move(change, process)

    async def join(self, name: str, deadline: float) -> None:
        """Add a learner of the plan, whose process is known, and start it."""
        change = Change(self._cluster, deadline)
        async with self._members.changing:
            process = self._members.processes[name]
            change.begin(verbs.ADD, process.spec)
            try:
                await addmember.join(change, process, learner=True)
            finally:
                change.end(name)

    async def _add(self, change: Change, name: str | None, *, learner: bool) -> str:
        spec = addmember.planned(change, name, learner=learner)
        there = await addmember.can_come(change, spec, learner=learner)
        # Of one voter and one that has not come up yet, neither would be a quorum; nor with others down.
        first_learner = (
            there is None and not learner and await addmember.could_not_bear_one_more(self._members)
        )
        process = addmember.take_in(change, spec)
        change.begin(verbs.ADD, spec)
        try:
            await addmember.join(change, process, learner=learner or first_learner)
            if first_learner:
                change.report.notes.append(
                    "it came as a learner first: one more voter would have been missed by the quorum until "
                    "it was up"
                )
            if first_learner or (there is not None and there.is_learner and not learner):
                await addmember.promote(change, spec.name)
        except SandboxError as error:
            raise await addmember.undone(change, process, error) from error
        change.end(spec.name)
        return spec.name

    async def _promote_all(self, change: Change, names: Sequence[str]) -> None:
        for name in names:
            self._check_learner(name)
        for name in names:
            await addmember.promote(change, name)

    def _check_learner(self, name: str) -> None:
        own = self._members.title(name)
        learners = [o.name for n, o in self._members.items() if self._members.is_learner(n)]
        known = f"learners: {', '.join(learners)}" if learners else ""
        hint = known or "etcd-sandbox add --learner brings a learner"
        if name not in self._members or self._members.is_removed(name):
            raise InputError(f"{own} is no member of the cluster", hint=hint)
        if not self._members.is_learner(name):
            raise InputError(f"{own} is no learner: it has a vote already", hint=hint)
        if not self._members.runs(name):
            raise SandboxError(
                f"{own} does not run, so it cannot catch up with the leader",
                hint=f"etcd-sandbox start {own}, or etcd-sandbox resume {own}",
            )

    async def _remove_all(self, change: Change, names: Sequence[str], *, force: bool) -> set[str]:
        self._check_members(names, "removed")
        names = [
            name
            for name in sorted(names, key=self._members.runs)
            if self._cluster.spec.process(name) is not None
        ]
        look = await self._members.look()
        removemember.check_quorum(self._members, names, look, "removing", force=force)
        for name in names:
            process = self._members.processes[name]
            change.begin(verbs.REMOVE, process.spec)
            await removemember.take_out(change, process, names)
            await self._members.faults.let_go(name)
            change.leave_out(name)
        return set(names)

    async def _replace_all(self, change: Change, names: Sequence[str]) -> None:
        self._check_members(names, "replaced")
        members = self._members
        for name in names:
            member = members.member(name)
            if foreign := member.foreign_data:
                keeper = "its profile" if member.data_owned else "its Procfile's command"
                raise InputError(
                    f"{member.name} starts with data that {keeper} keeps, which is not ours to delete",
                    ", ".join(foreign),
                    f"etcd-sandbox remove {member.name}, then etcd-sandbox add brings another",
                )
            if any(name in pair and rule.cut for pair, rule in members.rules.items()):
                raise SandboxError(
                    f"links of {member.name} are cut, so a new one would be cut off as well",
                    hint=f"etcd-sandbox heal, then etcd-sandbox replace {member.name}",
                )
        await change.listed.leader_url()
        look = await members.look()
        dead = [name for name in names if not members.runs(name)]
        going = [name for name in dead if not members.is_removed(name)]
        # Those that live go one by one, when those that are down have come back.
        first = going or [name for name in names if name not in dead][:1]
        removemember.check_quorum(members, first, look, "replacing")
        await addmember.check_connected(change, names)
        # All that are down go first: etcd wants every voter that is left to be connected.
        for name in dead:
            await self._leave(change, name, dead)
        for name in dead:
            await self._return(change, name)
        for name in names:
            if name not in dead:
                removemember.check_quorum(members, [name], await members.look(), "replacing")
                await self._leave(change, name, [name])
                await self._return(change, name)

    async def _leave(self, change: Change, name: str, going: Sequence[str]) -> None:
        process = self._members.processes[name]
        change.begin(verbs.REPLACE, process.spec)
        await removemember.take_out(change, process, going, PastKind.REPLACED)

    async def _return(self, change: Change, name: str) -> None:
        """A new member under the old name: a learner first, so that the quorum never waits for it."""
        process = self._members.processes[name]
        own, stays_learner = self._members.title(name), member_of(process.spec).learner
        change.begin(verbs.REPLACE, process.spec)
        try:
            # That of one that was removed earlier has gone with it.
            self._members.faults.take_in(process.spec)
            await self._members.faults.replaced(name)
            await asyncio.to_thread(look_before, as_member(process.spec))
            await addmember.join(change, process, learner=True)
        except SandboxError as error:
            raise error.told_as(
                f"{own} was removed, but the new one is not there yet: {error.what}",
                f"{error.hint}; then etcd-sandbox replace {own} goes on".removeprefix("; then "),
            ) from error
        try:
            if not stays_learner:
                await addmember.promote(change, name)
        except SandboxError as error:
            raise error.told_as(
                f"the new {own} runs, but as a learner: {error.what}",
                f"etcd-sandbox promote {own}",
            ) from error
        finally:
            change.end(name)

    def _check_members(self, names: Sequence[str], what: str) -> None:
        for name in names:
            if name not in self._members:
                raise InputError(
                    f"{name} is no member of the cluster, so it cannot be {what}",
                    hint=f"members: {', '.join(own.name for _, own in self._members.items())}",
                )

    async def _move(self, change: Change, wanted: ProcessSpec) -> None:
        """Have it as `wanted`, which has its name and another peer URL: etcd's list first, since its peers dial it there.

        Raises SandboxError, and says what is done by then.
        """
        process, member = self._members.processes[wanted.name], member_of(wanted)
        anew = runs_differently(process.spec, wanted)
        await asyncio.to_thread(_check_free, process.spec, wanted)
        data_dirs = [member.data_dir for _, member in self._members.items()]
        peer = None
        if await asyncio.to_thread(lambda: any(map(has_data, data_dirs))):
            peer = await change.listed.find(wanted.name)
        else:
            # Members that never ran have no list yet.
            self._members.add(wanted)
        if peer is not None and member.peer_url not in peer.peer_urls:
            await change.listed.update(wanted.name, peer.id, peer_urls_of(member))
            self._cluster.bus.publish(
                Kind.MEMBER_MOVED,
                member.name,
                process=wanted.name,
                id=peer.id,
                peer_url=member.peer_url,
            )
        runs = process.state.alive or process.state is ProcessState.BACKOFF
        if anew:
            await process.stop()
            self._members.faults.take_in(wanted)
            process.adopt(wanted)
        self._cluster.renew(wanted)
        if not anew or not runs:
            return
        try:
            await change.start(
                [process],
                f"{member.name} was not ready in time at its new peer URL, which etcd's list of members has",
                f"etcd-sandbox logs {member.name} shows why",
            )
        except TimedOut:
            raise
        except SandboxError as error:
            raise error.told_as(
                f"{error.what}; etcd's list of members has its new peer URL"
            ) from error


def _check_free(before: ProcessSpec, wanted: ProcessSpec) -> None:
    """The new addresses must be free before etcd is asked; the others are its own still."""
    old = {*member_of(before).listen_urls}
    new = tuple(url for url in member_of(wanted).listen_urls if url not in old)
    member = replace(member_of(wanted), listen_urls=new)
    preflight.check_ports(replace(as_member(wanted), member=member))
    if member_of(before).link != member_of(wanted).link:
        preflight.check_links([wanted])
