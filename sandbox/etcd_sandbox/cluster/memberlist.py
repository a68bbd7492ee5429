"""etcd's own list of members: asked of whoever leads, and changed with the patience that etcd asks for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, field

from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.etcd.answers import GIVE_A_USER, NO_ANSWER, Added, Refusal
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.state import Peer
from etcd_sandbox.plan.listed import stranger_words

if TYPE_CHECKING:
    from etcd_sandbox.cluster.members import Members
    from etcd_sandbox.supervise.bus import Bus

ASK_AGAIN_S = 0.2
ANSWER_WITHIN_S = 5.0
"""What one question may take; what came of one without an answer is seen in the list."""

AWAY_PATIENCE_S = 7.0
"""How long etcd's "unhealthy cluster" is borne while a voter is away: more than its 5 s for all others."""

_UNHEALTHY = "unhealthy cluster"
_NOT_FOUND = "member not found"
_TIMED_OUT = "request timed out"
_SECOND_USED = "etcd makes a new ID of the peer URL and the second, and this second's is used up"
"""Why etcd answers `member not found` to an addition.

The ID is a hash of peer URL and time in whole seconds (`computeMemberID` in etcd's
`server/etcdserver/api/membership/member.go`), and an ID that was removed never returns
(`ErrIDRemoved`, which `api/v3rpc/util.go` tells as `ErrGRPCMemberNotFound`): etcd 3.4 to 3.7.
"""
_WAITS = {
    _UNHEALTHY: "etcd changes its members only when its voters have been connected for 5 s",
    "in sync with leader": "etcd gives a learner its vote only when it has caught up with the leader",
    _TIMED_OUT: "the leader did not get it through in time",
    "leader changed": "the leader has changed",
    "no leader": "no member leads",
}
"""What ends by itself, by a part of etcd's refusal, and why."""

_MENDS = {
    "too many learner": "etcd has one learner at a time, unless --max-learners (3.6 and later) says "
    "more: etcd-sandbox promote learners, or etcd-sandbox remove learners",
    "not enough started members": "a member on the list was never started, and counts for the quorum "
    "all the same: etcd-sandbox status shows it, etcd-sandbox remove ID takes it off",
    "user name is empty": GIVE_A_USER,
    "permission denied": "give a user of etcd with the role root: --user NAME:PASSWORD",
    "already exist": "etcd-sandbox ctl member list shows who has that peer URL",
    _UNHEALTHY: "etcd-sandbox status shows who is away: start it, or replace it",
}

_T = TypeVar("_T")


class Report(Struct):
    """What is to be told of a change: what it waited for and left, and the commands that do the same."""

    notes: list[str] = field(default_factory=list)
    equivalents: list[str] = field(default_factory=list)


class Placed(Struct, frozen=True, kw_only=True):
    """A member that is on the list: its ID, whether it is a learner, the list, and whether we put it there."""

    id: str
    learner: bool
    members: tuple[Peer, ...]
    ours: bool


class MemberList:
    """The list of one cluster, asked until `deadline` (monotonic); `report` hears what was waited for."""

    def __init__(self, members: Members, bus: Bus, deadline: float, report: Report) -> None:
        self._members = members
        self._bus = bus
        self._deadline = deadline
        self._report = report

    async def now(self) -> tuple[Peer, ...]:
        """The members that etcd knows, as the leader has them."""

        async def told() -> tuple[Peer, ...] | None:
            gateway = self._members.gateway
            listed = await gateway.members(await self.leader_url(), ANSWER_WITHIN_S)
            if listed is None and gateway.authentication and gateway.login.token is None:
                raise SandboxError(
                    "etcd tells its list of members to a user only", hint=GIVE_A_USER
                )
            return listed

        listed = await self._until(told, "the leader does not tell who the members are")
        self._members.take_list(listed)
        return listed

    async def _told(self) -> tuple[Peer, ...]:
        """The list as the leader has it; where none leads, as any has it.

        A single voter leads no more from the time when a second is on the list and is not up.
        """
        look = await self._members.look()
        if look.leader is None:
            for each in look.candidates:
                if each.running and each.process in self._members:
                    url = self._members.member(each.process).client_url
                    listed = await self._members.gateway.members(url, ANSWER_WITHIN_S)
                    if listed is not None:
                        return listed
        return await self.now()

    async def find(self, process: str) -> Peer | None:
        """The entry of that process: by its ID, else by its peer URL; None when it has none."""
        listed, own = await self.now(), self._members.member(process)
        by_id = [peer for peer in listed if peer.id == self._members.id_of(process)]
        by_url = [peer for peer in listed if own.peer_url in peer.peer_urls]
        return next(iter(by_id + by_url), None)

    async def vacant(self, peer_url: str) -> Peer | None:
        """The entry with that peer URL that was never started: whoever added it has begun what is to be done.

        None where there is no entry with that peer URL. Raises SandboxError where one has started.
        """
        for peer in await self._told():
            if peer_url in peer.peer_urls:
                if peer.name:
                    raise SandboxError(
                        f"{stranger_words(peer)} is on etcd's list of members already, and has started",
                        hint=f"etcd-sandbox remove {peer.id} takes it off the list",
                    )
                return peer
        return None

    async def add(self, process: str, *, learner: bool, asked: set[str]) -> Placed:
        """Have the process's member on the list; one that is there and was never started is taken for it.

        `asked` gets the process as soon as etcd may have put it there because of us.
        """
        member = self._members.member(process)
        there = await self.vacant(member.peer_url)
        if there is not None:
            return Placed(
                id=there.id,
                learner=there.is_learner,
                members=await self._told(),
                ours=False,
            )
        asked.add(process)

        async def ask(url: str) -> Added | Refusal:
            answer = await self._members.gateway.add_member(
                url, member.peer_url, ANSWER_WITHIN_S, learner=learner
            )
            if isinstance(answer, Refusal) and "already exist" in answer.message:
                # An earlier question, whose answer got lost, has done it.
                listed = await self.now()
                for peer in listed:
                    if member.peer_url in peer.peer_urls and not peer.name:
                        return Added(id=peer.id, members=listed)
            return answer

        added = await self._insist(process, "added", ask, (_NOT_FOUND,))
        return Placed(id=added.id, learner=learner, members=added.members, ours=True)

    async def promote(self, process: str, member_id: str) -> None:
        """Give the learner its vote."""

        async def ask(url: str) -> Refusal | None:
            answer = await self._change(url, "promote", member_id)
            if answer is not None and str(answer) == "can only promote a learner member":
                return None  # an earlier question, whose answer got lost, has done it
            return answer

        await self._insist(process, "promoted", ask)

    async def remove(self, process: str, member_id: str) -> None:
        """Take the member off the list; `process` is the ID as well, where it is no process of ours."""

        async def ask(url: str) -> Refusal | None:
            answer = await self._change(url, "remove", member_id)
            if answer is not None and _NOT_FOUND in answer.message:
                return None
            return answer

        await self._insist(process, "removed", ask)

    async def update(self, process: str, member_id: str, peer_urls: Sequence[str]) -> None:
        """Have the member dialled at these peer URLs."""

        async def ask(url: str) -> Refusal | None:
            return await self._change(url, "update", member_id, peerURLs=list(peer_urls))

        await self._insist(process, "updated", ask)

    async def _change(
        self, url: str, change: str, member_id: str, **more: object
    ) -> Refusal | None:
        gateway = self._members.gateway
        return await gateway.change_member(url, change, member_id, ANSWER_WITHIN_S, **more)

    async def leader_url(self) -> str:
        """Where clients reach the leader; waits for one while a quorum runs.

        Where a member leads that is no process of ours, one that follows it hands on what it is asked.
        """

        async def reached() -> str | None:
            look = await self._members.look()
            elsewhere = self._members.elsewhere
            led = (
                each.process for each in look.voters if each.running and each.follows in elsewhere
            )
            asked = look.leader or next((name for name in led if name in self._members), None)
            if asked is None and not self._members.could_elect():
                raise SandboxError(
                    "the quorum is lost, and without it etcd cannot change its members",
                    hint=self._without_quorum(),
                )
            return None if asked is None else self._members.member(asked).client_url

        return await self._until(reached, "no member leads, so none can change the members")

    async def _until(self, condition: Callable[[], Awaitable[_T | None]], late: str) -> _T:
        return await self._members.until(
            condition,
            self._deadline,
            late,
            hint="etcd-sandbox status shows who is up",
            every_s=ASK_AGAIN_S,
        )

    def _without_quorum(self) -> str:
        """What brings the quorum back: a member that was never started counts for it as well."""
        mends = ["etcd-sandbox start the members that are down", "etcd-sandbox heal"]
        mends += [
            f"etcd-sandbox add, which starts the member with the peer URL {peer.peer_urls[0]} that was "
            "never started, where a new one would have that URL"
            for peer in self._members.elsewhere.values()
            if not peer.name and not peer.is_learner and peer.peer_urls
        ]
        return ", or ".join(mends)

    async def _insist(
        self,
        process: str,
        done: str,
        ask: Callable[[str], Awaitable[_T | Refusal]],
        also: tuple[str, ...] = (),
    ) -> _T:
        """Ask until etcd does it, as long as what it says passes by itself."""
        # One that came back may be called as one of ours is.
        name = self._members.member(process).name if process in self._members else process
        began = time.monotonic()
        why, unanswered = "", False
        while True:
            try:
                url = await self.leader_url()
            except SandboxError as error:
                raise _may_be_done_yet(error, name, done) if unanswered else error from error
            answer = await ask(url)
            if isinstance(answer, Refusal):
                unanswered = unanswered or _is_open(answer)
            if not isinstance(answer, Refusal):
                if why:
                    waited_s = time.monotonic() - began
                    self._report.notes.append(f"{name} waited {waited_s:.1f} s: {why}")
                return answer
            reason = _why(answer, also)
            away = self._away()
            impatient = time.monotonic() - began > AWAY_PATIENCE_S
            if _UNHEALTHY in answer.message and away and impatient:
                reason = ""
            if not reason:
                raise _refused(f"{name} was not {done}", answer, away)
            if time.monotonic() >= self._deadline:
                late = TimedOut(f"{name} was not {done} in time: {reason}", hint=str(answer))
                raise _may_be_done_yet(late, name, done) if unanswered else late
            if reason != why:
                why = reason
                self._bus.publish(Kind.MEMBER_WAITING, name, process=process, why=why)
            pause_s = left_of_second(time.time()) if why == _SECOND_USED else ASK_AGAIN_S
            await asyncio.sleep(pause_s)

    def _away(self) -> list[str]:
        return [
            self._members.title(voter.process)
            for voter in self._members.seen({})
            if not voter.running
        ]


def left_of_second(now: float) -> float:
    """How long it is until the clock shows the next second, in seconds; `now` is Unix time."""
    return 1 - now % 1


def _is_open(refusal: Refusal) -> bool:
    """Whether the leader may have what it was asked in its log, and do it later."""
    return refusal.code == NO_ANSWER or _TIMED_OUT in refusal.message


def _why(refusal: Refusal, also: tuple[str, ...]) -> str:
    """Why it is worth asking again; empty when it is not."""
    if any(part in refusal.message for part in also):
        return _SECOND_USED
    if refusal.code == NO_ANSWER:
        return "the leader does not answer"
    return next((why for part, why in _WAITS.items() if part in refusal.message), "")


def _refused(what: str, refusal: Refusal, away: list[str]) -> SandboxError:
    reason = str(refusal)
    if _UNHEALTHY in reason and away:
        verb = "does" if len(away) == 1 else "do"
        reason += f", since {', '.join(away)} {verb} not run"
    mend = next((mend for part, mend in _MENDS.items() if part in reason), "")
    return SandboxError(f"{what}, etcd refuses it: {reason}", hint=mend)


def _may_be_done_yet(error: SandboxError, name: str, done: str) -> SandboxError:
    """The error, for what the leader may do yet."""
    return error.told_as(
        f"{error.what}; {name} may be {done} yet, since etcd was asked and did not answer"
    )
