"""How a member comes: onto etcd's list, into the plan, and up; and out again if it does not come up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.cluster import preflight
from sandbox.cluster.memberlist import Report
from sandbox.cluster.surroundings import (
    ENDS_BY_ITSELF_S,
    Surroundings,
    delete_data,
    look_before,
    member_of,
)
from sandbox.errors import InputError, SandboxError, TimedOut
from sandbox.etcd.version import parse
from sandbox.model.event import Kind
from sandbox.model.spec import PastKind, ProcessSpec
from sandbox.model.state import ProcessState
from sandbox.plan.joining import joining, newcomer
from sandbox.plan.membership import with_member

if TYPE_CHECKING:
    from sandbox.etcd.gateway import Added
    from sandbox.supervise.supervisor import Supervised

SAME_SECOND_S = 1.1
"""How long a peer URL rests: etcd makes IDs of it and of the second, and a removed ID never returns."""

UNDONE_WITHIN_S = 15.0
"""What it may take to undo an addition that failed: etcd's 5 s, and some."""

_BEARS_ONE_AWAY = (3, 6, 11)
"""From here on etcd takes a new member though a voter is away, if the others are a quorum."""


class Coming:
    """Members that come to one cluster. Deadlines are monotonic."""

    def __init__(self, at: Surroundings) -> None:
        self._at = at
        self._removed_at: dict[str, float] = {}

    def was_removed(self, process: str) -> None:
        """Its peer URL must rest before it can come again."""
        self._removed_at[process] = time.monotonic()

    def planned(self, name: str | None, *, learner: bool) -> ProcessSpec:
        """The process of a new member, by this name or the next. Raises InputError for what cannot be."""
        processes = [process.spec for process in self._at.supervisor.processes.values()]
        gone = [each for each in processes if self._at.is_removed(each.name)]
        if name is not None:
            gone_names = {word for each in gone for word in _names(each)}
            for each in processes:
                if name in _names(each) and name not in gone_names:
                    raise InputError(
                        f"there is a {'member' if each.member else 'process'} {name!r} already",
                        hint="choose another name, or none for the next number",
                    )
            processes = [each for each in processes if name not in _names(each) or each not in gone]
        spec = newcomer(
            self._at.spec(),
            processes,
            name,
            self._at.data_root,
            preflight.can_bind,
            learner=learner,
        )
        if any(spec.name in _names(each) for each in processes):
            raise InputError(
                f"the process of {spec.member.name if spec.member else ''} would be called "
                f"{spec.name!r}, as another is",
                hint="choose another name",
            )
        return spec

    async def can_come(self, spec: ProcessSpec, deadline: float) -> None:
        """Raises SandboxError for what would be in its way."""
        await self._at.listed.leader_url(deadline)
        await self.check_connected(())
        await asyncio.to_thread(look_before, spec)
        await asyncio.to_thread(delete_data, spec)

    def take_in(self, spec: ProcessSpec) -> Supervised:
        """The process gets its place here; it has no vote before etcd says so."""
        self._at.faults.take_in(spec)
        process = self._at.supervisor.processes.get(spec.name)
        if process is None:
            process = self._at.supervisor.add(spec)
        else:
            process.adopt(spec)
        self._at.roster.join(spec)
        self._at.roster.retire(spec.name)
        return process

    async def join(
        self, process: Supervised, deadline: float, report: Report, *, learner: bool
    ) -> None:
        """Have it on etcd's list, and have it run."""
        await self._same_second_over(process.name)
        added = await self._at.listed.add(process.name, deadline, report, learner=learner)
        spec = self._with_list(process.spec, added, learner=learner)
        member = member_of(spec)
        process.adopt(spec)
        self._at.roster.join(spec)
        self._at.adopt(with_member(self._at.spec(), spec))
        self._at.remember(PastKind.ADDED, member.name, added.id)
        self._at.bus.publish(
            Kind.MEMBER_ADDED,
            member.name,
            process=process.name,
            id=added.id,
            peer_url=member.peer_url,
            learner=learner,
        )
        report.equivalents.append(
            f"etcdctl member add {member.name} {'--learner ' if learner else ''}"
            f"--peer-urls={member.peer_url}"
        )
        report.equivalents.append(
            f"etcd --name={member.name} --initial-cluster-state=existing "
            f"--initial-cluster={','.join(member.initial_cluster)} …"
        )
        await self._started(process, deadline)

    def _with_list(self, spec: ProcessSpec, added: Added, *, learner: bool) -> ProcessSpec:
        member = member_of(spec)
        known = {own.peer_url: own.name for _, own in self._at.roster.items()}
        order = list(known)
        listed = []
        for peer in sorted(
            added.members,
            key=lambda peer: [order.index(url) for url in peer.peer_urls if url in known],
        ):
            name = member.name if peer.id == added.id else peer.name
            name = name or next((known[url] for url in peer.peer_urls if url in known), peer.id)
            listed += [f"{name}={url}" for url in peer.peer_urls]
        changed = replace(
            member, id=added.id, initial_cluster=tuple(listed), learner=learner, joined=True
        )
        return joining(spec, changed)

    async def _started(self, process: Supervised, deadline: float) -> None:
        name = member_of(process.spec).name
        try:
            async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                await self._at.verbs.start([process])
        except TimeoutError:
            raise TimedOut(
                f"{name} is on the list of members, but did not become ready in time",
                hint=f"etcd-sandbox logs {name} shows why",
            ) from None
        if process.state is not ProcessState.RUNNING:
            raise SandboxError(
                f"{name} is on the list of members, but finds no quorum that it could join",
                hint="etcd-sandbox status shows who is up",
            )

    async def undone(self, process: Supervised, error: SandboxError) -> SandboxError:
        """Take the new member out again; the error that says so."""
        name, deadline = member_of(process.spec).name, time.monotonic() + UNDONE_WITHIN_S
        said = "the members are as before"
        try:
            if (peer := await self._at.listed.find(process.name, deadline)) is not None:
                await self._at.listed.remove(process.name, peer.id, deadline, Report())
                said = f"it was taken out again, and {said}"
        except SandboxError as worse:
            return type(error)(
                f"{error.what}; and it could not be taken off the list again ({worse.what})",
                error.where,
                f"etcd-sandbox remove {name} takes it off, etcd-sandbox replace {name} tries again",
                error.detail,
            )
        await self._forget(process)
        return type(error)(
            f"{error.what}; {said}",
            error.where,
            error.hint,
            error.detail,
        )

    async def _forget(self, process: Supervised) -> None:
        await process.stop(ENDS_BY_ITSELF_S)
        await self._at.faults.let_go(process.name)
        self._at.supervisor.remove(process.name)
        self._at.roster.drop(process.name)
        await asyncio.to_thread(delete_data, process.spec)
        self._at.leave_out(process.name)

    async def promote(self, name: str, deadline: float, report: Report) -> None:
        """Give a learner its vote."""
        peer = await self._at.listed.find(name, deadline)
        own = self._at.name(name)
        if peer is None:
            raise SandboxError(
                f"{own} is not on etcd's list of members", hint="etcd-sandbox ctl member list"
            )
        await self._at.listed.promote(name, peer.id, deadline, report)
        report.equivalents.append(f"etcdctl member promote {peer.id}")
        self._at.roster.learn(name, peer.id, is_learner=False)
        process = self._at.supervisor.processes[name]
        spec = replace(process.spec, member=replace(member_of(process.spec), learner=False))
        process.spec = spec
        self._at.roster.renew(spec)
        self._at.adopt(with_member(self._at.spec(), spec))
        self._at.remember(PastKind.PROMOTED, own, peer.id)
        self._at.bus.publish(Kind.MEMBER_PROMOTED, own, process=name, id=peer.id)

    async def check_connected(self, names: Sequence[str]) -> None:
        """Most versions of etcd take no new member while a voter is away: say so before anything is done."""
        look = await self._at.monitor.look()
        away = [
            self._at.name(voter.process)
            for voter in look.voters
            if not voter.running and voter.process not in names
        ]
        leader = look.leader and self._at.roster.member(look.leader)
        version = leader.etcd.version if leader and leader.etcd is not None else ""
        if not away or not version or parse(version) >= _BEARS_ONE_AWAY:
            return
        is_, it = ("is", "it") if len(away) == 1 else ("are", "them")
        raise SandboxError(
            f"{', '.join(away)} {is_} down, and etcd {version} takes no new member while a voter is "
            "away",
            hint=f"start {it}, remove {it}, or replace all that are down with one command: "
            f"etcd-sandbox replace {' '.join((*map(self._at.name, names), *away))}",
        )

    async def could_not_bear_one_more(self) -> bool:
        """Whether one more voter, before it is up, would leave no quorum."""
        voters = (await self._at.monitor.look()).voters
        return sum(voter.running for voter in voters) < (len(voters) + 1) // 2 + 1

    async def _same_second_over(self, name: str) -> None:
        """A peer URL that was just removed must wait for the next second."""
        since = self._removed_at.get(name)
        if since is not None:
            await asyncio.sleep(max(0.0, since + SAME_SECOND_S - time.monotonic()))


def _names(spec: ProcessSpec) -> tuple[str, ...]:
    return (spec.name,) if spec.member is None else (spec.name, spec.member.name)
