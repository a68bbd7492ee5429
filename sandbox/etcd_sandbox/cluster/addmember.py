"""How a member comes: onto etcd's list, into the plan, and up; and out again if it does not come up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from etcd_sandbox.cluster.change import (
    ENDS_BY_ITSELF_S,
    Change,
    delete_data,
    look_before,
    member_of,
)
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.etcd.version import bears_absence, voters_needed
from etcd_sandbox.host.addresses import is_free
from etcd_sandbox.model.access import Address, InitialCluster, as_pairs
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import PastKind, ProcessSpec, as_member
from etcd_sandbox.model.state import Peer, ProcessState
from etcd_sandbox.plan.joining import joining, newcomer
from etcd_sandbox.plan.listed import stranger_words
from etcd_sandbox.plan.memberoptions import checks_strictly
from etcd_sandbox.plan.membership import with_member
from etcd_sandbox.plan.upgrades import version_of

if TYPE_CHECKING:
    from etcd_sandbox.cluster.memberlist import Placed
    from etcd_sandbox.cluster.members import Members
    from etcd_sandbox.supervise.supervisor import Supervised

UNDONE_WITHIN_S = 15.0
"""What it may take to undo an addition that failed: etcd's 5 s, and some."""


def planned(change: Change, name: str | None, *, learner: bool) -> ProcessSpec:
    """The process of a new member, by this name or the next. Raises InputError for what cannot be."""
    processes = [process.spec for process in change.members.processes.values()]
    gone = [each for each in processes if change.members.is_removed(each.name)]
    if name is not None:
        gone_names = {word for each in gone for word in _names(each)}
        for each in processes:
            if name in _names(each) and name not in gone_names:
                raise InputError(
                    f"there is a {'member' if each.member else 'process'} {name!r} already",
                    hint="choose another name, or none for the next number",
                )
        processes = [each for each in processes if name not in _names(each) or each not in gone]
    plan, data_root = change.cluster.spec, change.cluster.paths.data
    spec = newcomer(plan, processes, name, data_root, is_free, learner=learner)
    if any(spec.name in _names(each) for each in processes):
        raise InputError(
            f"the process of {spec.member.name if spec.member else ''} would be called "
            f"{spec.name!r}, as another is",
            hint="choose another name",
        )
    return spec


async def can_come(change: Change, spec: ProcessSpec, *, learner: bool) -> Peer | None:
    """The entry that etcd's list has for it already, never started. Raises SandboxError for what is in its way."""
    member = member_of(spec)
    there = await change.listed.vacant(member.peer_url)
    if there is None:
        await check_connected(change, ())
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


def take_in(change: Change, spec: ProcessSpec) -> Supervised:
    """The process gets its place here; it has no vote before etcd says so."""
    change.members.faults.take_in(spec)
    process = change.members.processes.get(spec.name)
    if process is None:
        process = change.cluster.supervisor.add(spec)
    else:
        process.adopt(spec)
    change.members.join(spec)
    change.members.retire(spec.name)
    return process


async def join(change: Change, process: Supervised, *, learner: bool) -> None:
    """Have it on etcd's list, and have it run."""
    report = change.report
    # etcd asks the others for their list at its start, once: a link that does not relay yet would refuse.
    await change.members.faults.in_force()
    change.asked.discard(process.name)
    placed = await change.listed.add(process.name, learner=learner, asked=change.asked)
    spec = _with_list(process.spec, placed, change.members)
    member = member_of(spec)
    process.adopt(spec)
    change.members.join(spec)
    change.cluster.adopt(with_member(change.cluster.spec, spec))
    change.remember(PastKind.ADDED, member.name, placed.id)
    change.cluster.bus.publish(
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
        f"--initial-cluster={','.join(as_pairs(member.initial_cluster))} …"
    )
    await change.start(
        [process],
        f"{member.name} is on the list of members, but did not become ready in time",
        f"etcd-sandbox logs {member.name} shows why",
    )
    if process.state is not ProcessState.RUNNING:
        raise SandboxError(
            f"{member.name} is on the list of members, but finds no quorum that it could join",
            hint="etcd-sandbox status shows who is up",
        )


def _with_list(spec: ProcessSpec, placed: Placed, members: Members) -> ProcessSpec:
    member = member_of(spec)
    known: dict[str, str] = {own.peer_url: own.name for _, own in members.items()}
    order = list(known)
    listed: InitialCluster = {}
    for peer in sorted(
        placed.members,
        # Entries that are no process of ours come last.
        key=lambda peer: (
            [order.index(url) for url in peer.peer_urls if url in known] or [len(order)]
        ),
    ):
        name = member.name if peer.id == placed.id else peer.name
        name = name or next((known[url] for url in peer.peer_urls if url in known), peer.id)
        listed[name] = (*listed.get(name, ()), *map(Address, peer.peer_urls))
    changed = replace(
        member,
        id=placed.id,
        initial_cluster=listed,
        learner=placed.learner,
        joined=True,
    )
    return joining(as_member(spec), changed)


async def undone(change: Change, process: Supervised, error: SandboxError) -> SandboxError:
    """Take the new member out again, if it is on the list because of us; the error that says so."""
    name = member_of(process.spec).name
    if process.name not in change.asked and member_of(process.spec).id is not None:
        # Its data may have its vote by now, and the entry is not ours.
        change.end(process.name)
        return error.told_as(
            f"{error.what}; it stays on etcd's list of members, where it was before",
            f"etcd-sandbox start {name} tries again, etcd-sandbox remove {name} takes it off",
        )
    said, listed = "the members are as before", change.listed_within(UNDONE_WITHIN_S)
    try:
        peer = await listed.find(process.name) if process.name in change.asked else None
        if peer is not None:
            await listed.remove(process.name, peer.id)
            said = f"it was taken out again, and {said}"
    except SandboxError as worse:
        return error.told_as(
            f"{error.what}; and it could not be taken off the list again ({worse.what})",
            f"etcd-sandbox remove {name} takes it off, etcd-sandbox replace {name} tries again",
        )
    await process.stop(ENDS_BY_ITSELF_S)
    await change.members.faults.let_go(process.name)
    change.cluster.supervisor.remove(process.name)
    change.members.drop(process.name)
    await asyncio.to_thread(delete_data, process.spec)
    change.leave_out(process.name)
    return error.told_as(f"{error.what}; {said}")


async def promote(change: Change, name: str) -> None:
    """Give a learner its vote."""
    peer = await change.listed.find(name)
    own = change.members.title(name)
    if peer is None:
        raise SandboxError(
            f"{own} is not on etcd's list of members", hint="etcd-sandbox ctl member list"
        )
    await change.listed.promote(name, peer.id)
    change.report.equivalents.append(f"etcdctl member promote {peer.id}")
    change.members.learn(name, peer.id, is_learner=False)
    process = change.members.processes[name]
    spec = replace(process.spec, member=replace(member_of(process.spec), learner=False))
    process.spec = spec
    change.members.renew(spec)
    change.cluster.adopt(with_member(change.cluster.spec, spec))
    change.remember(PastKind.PROMOTED, own, peer.id)
    change.cluster.bus.publish(Kind.MEMBER_PROMOTED, own, process=name, id=peer.id)


async def check_connected(change: Change, names: Sequence[str]) -> None:
    """etcd takes no new member while too many voters are away: say so before anything is done.

    `names` are the members that are replaced: those that are down go together, the others one by one.
    """
    members = change.members
    url = await change.listed.leader_url()
    # etcd counts those as well that only its list has.
    voters = await _voters(members) | dict.fromkeys(members.remnants, False)
    leader = next((name for name, own in members.items() if own.client_url == url), None)
    if leader is None:
        return
    process = as_member(members.processes[leader].spec)
    version = version_of(process)
    down = [name for name in names if not members.runs(name)]
    going = set(down or names[:1])
    left = {name: is_up for name, is_up in voters.items() if name not in going}
    away = [name for name, is_up in left.items() if not is_up]
    up, needed = len(left) - len(away), voters_needed(version, len(left))
    if away and version and up < needed and checks_strictly(process):
        raise _too_few(members, names, away, up, len(left), version)


def _too_few(
    members: Members,
    names: Sequence[str],
    away: Sequence[str],
    up: int,
    voters: int,
    version: str,
) -> SandboxError:
    """The refusal, and what can be done about those that are away: some were never started."""
    elsewhere = members.elsewhere
    down = [members.title(name) for name in away if name not in elsewhere]
    unlisted = [elsewhere[name] for name in away if name in elsewhere]
    is_, it = ("is", "it") if len(down) == 1 else ("are", "them")
    what = [f"{', '.join(down)} {is_} down"] if down else []
    what += [
        f"{stranger_words(peer)} is on etcd's list of members{' and does not answer' * bool(peer.name)}"
        for peer in unlisted
    ]
    mends = [f"etcd-sandbox remove {peer.id} takes it off the list" for peer in unlisted]
    if down:
        every = " ".join((*map(members.title, names), *down))
        mends.append(
            f"start {it}, remove {it}, or replace all that are down with one command: "
            f"etcd-sandbox replace {every}"
        )
    why = (
        f"takes no new member where {up} of {voters + 1} voters, the new one among them, would be up"
        if bears_absence(version)
        else "takes no new member while a voter is away"
    )
    return SandboxError(f"{', and '.join(what)}, and etcd {version} {why}", hint="; ".join(mends))


async def _voters(members: Members) -> dict[str, bool]:
    """Who has a vote by etcd's list, and whether it is up: by process, and by ID where it is none of ours."""
    await members.learn_list()
    return {each.process: each.running for each in (await members.look()).voters}


async def could_not_bear_one_more(members: Members) -> bool:
    """Whether one more voter, before it is up, would leave no quorum."""
    voters = await _voters(members)
    return sum(voters.values()) < (len(voters) + 1) // 2 + 1


def _names(spec: ProcessSpec) -> tuple[str, ...]:
    return (spec.name,) if spec.member is None else (spec.name, spec.member.name)
