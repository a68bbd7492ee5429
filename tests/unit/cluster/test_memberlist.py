"""What is asked of etcd's list of members, and what is said where the answer does not come."""

from __future__ import annotations

import asyncio
import time
from types import MethodType, SimpleNamespace
from typing import Any

import pytest
from etcd_sandbox.cluster.memberlist import MemberList, Report, left_of_second
from etcd_sandbox.cluster.members import Members
from etcd_sandbox.cluster.roster import Roster
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.etcd.answers import Added, Refusal
from etcd_sandbox.model.state import Peer

from tests.unit.cluster.test_roster import member

LATE = Refusal(code=4, message="it does not answer in time")
NEVER_STARTED = Peer(id="9", name="", peer_urls=("http://c:2",), client_urls=(), is_learner=False)


QUIET: Any = SimpleNamespace(publish=lambda *_, **__: None)


def through(roster: Roster, look: Any, gateway: Any) -> Any:
    """These members, whose quorum is lost, asked through that gateway."""
    members: Any = roster
    members.look, members.gateway = look, gateway
    members.until = MethodType(Members.until, members)
    members.could_elect, members.seen = lambda: False, lambda _: ()
    return members


def member_list(*answers: Refusal | None, leads: int, within_s: float = 5.0) -> MemberList:
    """The list of two members, of whom etcd1 leads for so many looks; etcd answers a removal so."""
    said, looks = list(answers), iter(range(100))

    async def look() -> Any:
        return SimpleNamespace(leader="etcd1" if next(looks) < leads else None, voters=())

    async def change_member(*_: object) -> Refusal | None:
        return said.pop(0) if len(said) > 1 else said[0]

    roster = Roster([member(1), member(2)])
    roster.take_list([NEVER_STARTED])
    members = through(roster, look, SimpleNamespace(change_member=change_member))
    return MemberList(members, QUIET, time.monotonic() + within_s, Report())


def removal(asked: MemberList) -> SandboxError | None:
    """How the removal of infra2 ends."""
    try:
        asyncio.run(asked.remove("etcd2", "2a"))
    except SandboxError as error:
        return error
    return None


def test_what_a_leader_was_asked_may_be_done_yet_though_the_quorum_is_lost() -> None:
    error = removal(member_list(LATE, leads=1))
    assert error is not None
    assert error.what == (
        "the quorum is lost, and without it etcd cannot change its members; infra2 may be removed yet, "
        "since etcd was asked and did not answer"
    )


def test_what_nobody_was_asked_is_not_done_later() -> None:
    error = removal(member_list(None, leads=0))
    assert error is not None
    assert error.what == "the quorum is lost, and without it etcd cannot change its members"
    assert "etcd-sandbox add, which starts the member with the peer URL http://c:2" in error.hint


def test_a_leader_that_never_answers_may_do_it_yet() -> None:
    error = removal(member_list(LATE, leads=100, within_s=0.1))
    assert isinstance(error, TimedOut)
    assert "infra2 may be removed yet" in error.what


@pytest.mark.parametrize("answers", [(None,), (LATE, None)])
def test_an_answer_in_the_end_is_all_that_is_told(answers: tuple[Refusal | None, ...]) -> None:
    assert removal(member_list(*answers, leads=100)) is None


SECOND_USED = Refusal(code=5, message="etcdserver: member not found")


class RemovedThisSecond:
    """An etcd that took a member off its list in the second that is under way.

    It makes IDs of the second, as etcd does, and an ID that was removed never returns.
    """

    def __init__(self) -> None:
        self.removed = int(time.time())
        self.asked = 0

    async def members(self, *_: object) -> tuple[Peer, ...]:
        return ()

    async def add_member(self, *_: object, **__: object) -> Added | Refusal:
        self.asked += 1
        second = int(time.time())
        return SECOND_USED if second == self.removed else Added(id=f"{second:x}", members=())


def test_an_id_that_was_removed_this_second_is_asked_for_again_in_the_next() -> None:
    async def look() -> Any:
        return SimpleNamespace(leader="etcd1", voters=())

    told: list[str] = []
    etcd = RemovedThisSecond()
    members = through(Roster([member(1), member(2)]), look, etcd)
    bus: Any = SimpleNamespace(publish=lambda *_, why, **__: told.append(why))
    report = Report()

    listed = MemberList(members, bus, time.monotonic() + 5, report)
    added = listed.add("etcd2", learner=True, asked=set())

    assert int(asyncio.run(added).id, 16) > etcd.removed
    # A clock that is a little behind the other may make one more question of it, not one every 0.2 s.
    assert etcd.asked <= 3
    # On the edge of a second the first question may come in the next.
    assert told == [
        "etcd makes a new ID of the peer URL and the second, and this second's is used up"
    ] * (etcd.asked > 1)
    assert [note.split(" waited ")[0] for note in report.notes] == ["infra2"] * len(told)


@pytest.mark.parametrize(
    ("now", "left_s"), [(1_700_000_000.0, 1), (1_700_000_000.25, 0.75), (1_700_000_000.999, 0.001)]
)
def test_the_next_second_begins_when_the_clock_shows_it(now: float, left_s: float) -> None:
    assert left_of_second(now) == pytest.approx(left_s, abs=1e-6)
