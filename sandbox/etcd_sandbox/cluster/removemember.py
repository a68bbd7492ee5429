"""How a member leaves: leadership first, then etcd's list, the process, and its data.

Others are taken off the list that are no process of ours: never started, or brought back by an upgrade.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from etcd_sandbox.cluster.change import ENDS_BY_ITSELF_S, Change, delete_data, member_of
from etcd_sandbox.cluster.settling import judge
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.etcd.answers import Refusal
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import PastKind
from etcd_sandbox.model.state import Peer
from etcd_sandbox.plan.listed import panics_at_removal, stranger_words
from etcd_sandbox.plan.pastchanges import READS_DATABASE
from etcd_sandbox.supervise import lifecycle

if TYPE_CHECKING:
    from etcd_sandbox.cluster.members import Members, Observation
    from etcd_sandbox.supervise.supervisor import Supervised

SETTLED_WITHIN_S = 2.0
MOVE_WITHIN_S = 5.0
"""What handing leadership over may take."""

ANSWER_WITHIN_S = 1.0


async def take_out(
    change: Change,
    process: Supervised,
    going: Sequence[str],
    kind: PastKind = PastKind.REMOVED,
) -> None:
    """Off the list, ended, and its data deleted. Leadership goes first, where it has it.

    The plan remembers it as a change of this `kind`.
    """
    member, report = member_of(process.spec), change.report
    peer = await change.listed.find(process.name)
    if peer is not None:
        await _hand_over(change, process.name, going)
        await change.listed.remove(process.name, peer.id)
        change.remember(kind, member.name, peer.id)
        await _settled(change)
        report.equivalents.append(f"etcdctl member remove {peer.id}")
    await process.feed(lifecycle.Removed())
    change.members.retire(process.name)
    if change.members.runs(process.name):
        try:
            async with asyncio.timeout(ENDS_BY_ITSELF_S):
                await process.wait_for(lambda life: not life.state.alive)
        except TimeoutError:
            report.notes.append(
                f"{member.name} was cut off and has not learnt of it: it was stopped"
            )
    await process.stop(ENDS_BY_ITSELF_S)
    if member.data_owned:
        await asyncio.to_thread(delete_data, process.spec)
        report.equivalents.append(f"rm -r {member.data_dir}")
    if member.foreign_data:
        report.notes.append(
            f"the data of {member.name} is not ours to delete, and of no use any more: "
            f"{', '.join(member.foreign_data)}"
        )


async def _settled(change: Change) -> None:
    """Those that stay have written down that it is gone, before its data is: they may die, too."""
    with contextlib.suppress(SandboxError):
        url = await change.listed_within(SETTLED_WITHIN_S).leader_url()
        await change.members.gateway.settle(url, SETTLED_WITHIN_S)


async def _hand_over(change: Change, name: str, going: Sequence[str]) -> None:
    """A leader that goes hands over, so that nobody waits for an election."""
    look = await change.members.look()
    heirs = [
        voter.process
        for voter in look.voters
        if voter.process not in going and voter.running and voter.follows == name
    ]
    if look.leader == name and heirs:
        done = await change.members.hand_over(
            name,
            heirs[0],
            change.deadline,
            answered_within_s=MOVE_WITHIN_S,
            hint=f"nothing was done to {change.members.title(name)}: run the same command again",
        )
        change.report.equivalents.append(done)


def check_quorum(
    members: Members,
    names: Sequence[str],
    look: Observation,
    doing: str,
    *,
    force: bool = False,
) -> None:
    """Refuse what would leave too few voters up for a quorum."""
    left = [voter for voter in look.voters if voter.process not in names]
    who = ", ".join(map(members.title, names))
    if len(left) == len(look.voters):
        return
    if not left:
        raise SandboxError(
            f"{who} {'is the last voter' if len(names) == 1 else 'are all voters'}: "
            "without one there is no cluster",
            hint="etcd-sandbox down ends it",
        )
    judgement = judge(left, members.rules)
    if not judgement.quorum_lost or force:
        return
    away = [voter.process for voter in left if not voter.running]
    strangers = [id_ for id_ in away if id_ in members.elsewhere]
    ours = [members.title(name) for name in away if name not in strangers]
    mends = [f"start or remove {', '.join(ours)}"] if ours else []
    mends += [f"etcd-sandbox remove {id_}" for id_ in strangers]
    what = "run" if judgement.reach == sum(v.running for v in left) else "reach each other"
    raise SandboxError(
        f"{doing} {who} would break the quorum: of the {len(left)} "
        f"voter{'s' * (len(left) > 1)} left {judgement.reach} {what}, {judgement.needed} needed",
        hint=f"{', or '.join(mends) or 'etcd-sandbox heal'} first; --force leaves it to etcd to "
        "refuse it",
    )


async def take_off(change: Change, peer: Peer, *, force: bool) -> None:
    """An entry that is no process of ours, off the list; members that end of it are started again.

    Raises SandboxError for one whose removal would end every member, unless `force`.
    """
    members = change.members
    up = [members.processes[name] for name in members.names if members.processes[name].state.alive]
    may_panic = any(
        member.etcd is not None and panics_at_removal(peer, member.etcd.version)
        for _, member in members.items()
    )
    # Data of a time when etcd had two lists of members may hold what the second one had.
    began_before = any(
        parse(version) < READS_DATABASE
        for _, member in members.items()
        for version in member.upgraded_from
    )
    if may_panic and not force and began_before and not await _is_there(members, peer):
        raise SandboxError(
            f"{stranger_words(peer)} may be a removed member that the upgrade to etcd 3.6 brought "
            "back: etcd 3.6 panics in every member when such a one is removed",
            hint="--force removes it, and starts the members again; once all are of etcd 3.7 the removal "
            "does no harm",
        )
    try:
        await change.listed.remove(peer.id, peer.id)
    except SandboxError:
        if all(process.state.alive for process in up):
            raise
        may_panic = True
    if may_panic:
        await _survived(change, peer, up)
    change.remember(PastKind.REMOVED, peer.name or peer.id, peer.id)
    change.cluster.bus.publish(Kind.MEMBER_REMOVED, peer.id, id=peer.id)
    change.report.equivalents.append(f"etcdctl member remove {peer.id}")


async def _is_there(members: Members, peer: Peer) -> bool:
    """Whether it runs: a member of another supervisor, say."""
    own = {
        url
        for _, member in members.items()
        for url in (member.client_url, member.advertised_client_url)
    }
    urls = (url for url in peer.client_urls if url not in own)
    answers = await asyncio.gather(*(members.gateway.status(url, ANSWER_WITHIN_S) for url in urls))
    # A member that refuses to tell who it is, is there.
    return any(
        isinstance(answer, Refusal) or (answer is not None and answer.member_id == peer.id)
        for answer in answers
    )


async def _survived(change: Change, peer: Peer, up: Sequence[Supervised]) -> None:
    """Have every member be without it: those that ended of the removal are started again.

    They do not end at the same time: each when it comes to that entry of its log. Whoever does not
    list the peer any more is past it.
    """
    members, urls = change.members, [member_of(process.spec).client_url for process in up]
    fell: dict[str, None] = {}

    async def all_past() -> bool | None:
        if fallen := [process for process in up if not process.state.alive]:
            fell.update(dict.fromkeys(members.title(process.name) for process in fallen))
            try:
                await change.start(
                    fallen,
                    "the members panicked at the removal, and were not ready in time again",
                    "etcd-sandbox status",
                )
            except TimedOut:
                raise
            except SandboxError:
                pass  # It may end of the same entry once more; whether it is past it shows in its list.
        lists = await asyncio.gather(
            *(members.gateway.members(url, ANSWER_WITHIN_S) for url in urls)
        )
        past = (listed is not None and all(e.id != peer.id for e in listed) for listed in lists)
        return all(past) or None

    await members.until(
        all_past,
        change.deadline,
        lambda: (
            f"not every member is without {peer.id} yet, and some ended of its removal: {', '.join(fell)}"
        ),
        hint="etcd-sandbox start all, then etcd-sandbox status",
    )
    if fell:
        change.report.notes.append(
            f"{', '.join(fell)} panicked at that, since the old list of members does not have it, "
            f"and {'was' if len(fell) == 1 else 'were'} started again"
        )
