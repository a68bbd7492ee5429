"""How a member comes: onto etcd's list, into the plan, and up; and out again if it does not come up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from etcd_sandbox.cluster.changecontext import (
    ENDS_BY_ITSELF_S,
    ChangeContext,
    delete_data,
    look_before,
    member_of,
)
from etcd_sandbox.cluster.memberlist import Placed, Report
from etcd_sandbox.errors import InputError, SandboxError, TimedOut
from etcd_sandbox.etcd.membership import voters_needed
from etcd_sandbox.etcd.version import bears_absence
from etcd_sandbox.host.addresses import is_free
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import PastKind, ProcessSpec, as_member
from etcd_sandbox.model.state import Peer, ProcessState
from etcd_sandbox.plan.joining import joining, newcomer
from etcd_sandbox.plan.listed import stranger_words
from etcd_sandbox.plan.memberoptions import checks_strictly
from etcd_sandbox.plan.membership import with_member
from etcd_sandbox.plan.upgrades import version_of

if TYPE_CHECKING:
    from etcd_sandbox.supervise.supervisor import Supervised

UNDONE_WITHIN_S = 15.0
"""What it may take to undo an addition that failed: etcd's 5 s, and some."""


class AddMember:
    """Members that come to one cluster. Deadlines are monotonic."""

    def __init__(self, at: ChangeContext) -> None:
        self._at = at
        self._asked: set[str] = set()
        """Processes that etcd may have on its list because of us: these alone are taken out again."""

    def planned(self, name: str | None, *, learner: bool) -> ProcessSpec:
        """The process of a new member, by this name or the next. Raises InputError for what cannot be."""
        processes = [process.spec for process in self._at.members.processes.values()]
        gone = [each for each in processes if self._at.members.is_removed(each.name)]
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
            is_free,
            learner=learner,
        )
        if any(spec.name in _names(each) for each in processes):
            raise InputError(
                f"the process of {spec.member.name if spec.member else ''} would be called "
                f"{spec.name!r}, as another is",
                hint="choose another name",
            )
        return spec

    async def can_come(self, spec: ProcessSpec, deadline: float, *, learner: bool) -> Peer | None:
        """The entry that etcd's list has for it already, never started. Raises SandboxError for what is in its way."""
        member = member_of(spec)
        there = await self._at.listed.vacant(member.peer_url, deadline)
        if there is None:
            await self.check_connected((), deadline)
        elif learner and not there.is_learner:
            raise InputError(
                f"{member.name} is on etcd's list of members already, with a vote: it cannot come as a "
                "learner",
                hint=f"etcd-sandbox add {member.name} starts it as it is; etcd-sandbox remove "
                f"{there.id} takes it off first",
            )
        await asyncio.to_thread(look_before, as_member(spec))
        await asyncio.to_thread(delete_data, spec)
        return there

    def take_in(self, spec: ProcessSpec) -> Supervised:
        """The process gets its place here; it has no vote before etcd says so."""
        self._at.members.faults.take_in(spec)
        process = self._at.members.processes.get(spec.name)
        if process is None:
            process = self._at.supervisor.add(spec)
        else:
            process.adopt(spec)
        self._at.members.join(spec)
        self._at.members.retire(spec.name)
        return process

    async def join(
        self, process: Supervised, deadline: float, report: Report, *, learner: bool
    ) -> None:
        """Have it on etcd's list, and have it run."""
        self._asked.discard(process.name)
        placed = await self._at.listed.add(
            process.name, deadline, report, learner=learner, asked=self._asked
        )
        spec = self._with_list(process.spec, placed)
        member = member_of(spec)
        process.adopt(spec)
        self._at.members.join(spec)
        self._at.adopt(with_member(self._at.spec(), spec))
        self._at.remember(PastKind.ADDED, member.name, placed.id)
        self._at.bus.publish(
            Kind.MEMBER_ADDED,
            member.name,
            process=process.name,
            id=placed.id,
            peer_url=member.peer_url,
            learner=placed.learner,
        )
        if placed.ours:
            report.equivalents.append(
                f"etcdctl member add {member.name} {'--learner ' if placed.learner else ''}"
                f"--peer-urls={member.peer_url}"
            )
        else:
            report.notes.append(
                f"{member.name} was on etcd's list of members already ({placed.id}), and had never started"
            )
        report.equivalents.append(
            f"etcd --name={member.name} --initial-cluster-state=existing "
            f"--initial-cluster={','.join(member.initial_cluster)} …"
        )
        await self._started(process, deadline)

    def _with_list(self, spec: ProcessSpec, placed: Placed) -> ProcessSpec:
        member = member_of(spec)
        known = {own.peer_url: own.name for _, own in self._at.members.items()}
        order = list(known)
        listed = []
        for peer in sorted(
            placed.members,
            # Entries that are no process of ours come last.
            key=lambda peer: (
                [order.index(url) for url in peer.peer_urls if url in known] or [len(order)]
            ),
        ):
            name = member.name if peer.id == placed.id else peer.name
            name = name or next((known[url] for url in peer.peer_urls if url in known), peer.id)
            listed += [f"{name}={url}" for url in peer.peer_urls]
        changed = replace(
            member,
            id=placed.id,
            initial_cluster=tuple(listed),
            learner=placed.learner,
            joined=True,
        )
        return joining(as_member(spec), changed)

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
        """Take the new member out again, if it is on the list because of us; the error that says so."""
        name, deadline = member_of(process.spec).name, time.monotonic() + UNDONE_WITHIN_S
        if process.name not in self._asked and member_of(process.spec).id is not None:
            # Its data may have its vote by now, and the entry is not ours.
            self._at.end(process.name)
            return type(error)(
                f"{error.what}; it stays on etcd's list of members, where it was before",
                error.where,
                f"etcd-sandbox start {name} tries again, etcd-sandbox remove {name} takes it off",
                error.detail,
            )
        said = "the members are as before"
        try:
            peer = None
            if process.name in self._asked:
                peer = await self._at.listed.find(process.name, deadline)
            if peer is not None:
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
        await self._at.members.faults.let_go(process.name)
        self._at.supervisor.remove(process.name)
        self._at.members.drop(process.name)
        await asyncio.to_thread(delete_data, process.spec)
        self._at.leave_out(process.name)

    async def promote(self, name: str, deadline: float, report: Report) -> None:
        """Give a learner its vote."""
        peer = await self._at.listed.find(name, deadline)
        own = self._at.members.title(name)
        if peer is None:
            raise SandboxError(
                f"{own} is not on etcd's list of members", hint="etcd-sandbox ctl member list"
            )
        await self._at.listed.promote(name, peer.id, deadline, report)
        report.equivalents.append(f"etcdctl member promote {peer.id}")
        self._at.members.learn(name, peer.id, is_learner=False)
        process = self._at.members.processes[name]
        spec = replace(process.spec, member=replace(member_of(process.spec), learner=False))
        process.spec = spec
        self._at.members.renew(spec)
        self._at.adopt(with_member(self._at.spec(), spec))
        self._at.remember(PastKind.PROMOTED, own, peer.id)
        self._at.bus.publish(Kind.MEMBER_PROMOTED, own, process=name, id=peer.id)

    async def check_connected(self, names: Sequence[str], deadline: float) -> None:
        """etcd takes no new member while too many voters are away: say so before anything is done.

        `names` are the members that are replaced: those that are down go together, the others one by one.
        """
        url = await self._at.listed.leader_url(deadline)
        # etcd counts those as well that only its list has.
        voters = await self._voters()
        voters |= dict.fromkeys(self._at.members.remnants, False)
        leader = next((n for n, own in self._at.members.items() if own.client_url == url), None)
        if leader is None:
            return
        process = self._at.members.processes[leader].spec
        version = version_of(as_member(process))
        down = [name for name in names if not self._at.members.runs(name)]
        going = set(down or names[:1])
        left = {name: is_up for name, is_up in voters.items() if name not in going}
        away = [name for name, is_up in left.items() if not is_up]
        up, needed = len(left) - len(away), voters_needed(version, len(left))
        if not away or not version or up >= needed or not checks_strictly(as_member(process)):
            return
        raise self._too_few(names, away, up, len(left), version)

    def _too_few(
        self, names: Sequence[str], away: Sequence[str], up: int, voters: int, version: str
    ) -> SandboxError:
        """The refusal, and what can be done about those that are away: some were never started."""
        elsewhere = self._at.members.elsewhere
        down = [self._at.members.title(name) for name in away if name not in elsewhere]
        unlisted = [elsewhere[name] for name in away if name in elsewhere]
        is_, it = ("is", "it") if len(down) == 1 else ("are", "them")
        what = [f"{', '.join(down)} {is_} down"] if down else []
        what += [
            f"{stranger_words(peer)} is on etcd's list of members{' and does not answer' * bool(peer.name)}"
            for peer in unlisted
        ]
        mends = [f"etcd-sandbox remove {peer.id} takes it off the list" for peer in unlisted]
        if down:
            every = " ".join((*map(self._at.members.title, names), *down))
            mends.append(
                f"start {it}, remove {it}, or replace all that are down with one command: "
                f"etcd-sandbox replace {every}"
            )
        why = (
            f"takes no new member where {up} of {voters + 1} voters, the new one among them, would be up"
            if bears_absence(version)
            else "takes no new member while a voter is away"
        )
        return SandboxError(
            f"{', and '.join(what)}, and etcd {version} {why}", hint="; ".join(mends)
        )

    async def _voters(self) -> dict[str, bool]:
        """Who has a vote by etcd's list, and whether it is up: by process, and by ID where it is none of ours."""
        await self._at.members.learn_list()
        return {each.process: each.running for each in (await self._at.members.look()).voters}

    async def could_not_bear_one_more(self) -> bool:
        """Whether one more voter, before it is up, would leave no quorum."""
        voters = await self._voters()
        return sum(voters.values()) < (len(voters) + 1) // 2 + 1


def _names(spec: ProcessSpec) -> tuple[str, ...]:
    return (spec.name,) if spec.member is None else (spec.name, spec.member.name)
