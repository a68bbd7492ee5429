"""What several members' logs say about one election, told once and in an order that makes sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.cluster.raft import RaftWatch
from sandbox.etcd.raftlog import Sign, SignKind
from sandbox.supervise.bus import Bus
from tests.unit.cluster.test_roster import roster


def stands(number: int, term: int, *, pre_vote: bool = False) -> tuple[str, Sign]:
    sign = Sign(
        kind=SignKind.BECAME_CANDIDATE,
        text="",
        member_id=f"{number}a",
        term=term,
        pre_vote=pre_vote,
    )
    return f"etcd{number}", sign


def elects(number: int, leader: int, term: int) -> tuple[str, Sign]:
    sign = Sign(
        kind=SignKind.ELECTED,
        text="",
        member_id=f"{number}a",
        leader_id=f"{leader}a",
        term=term,
    )
    return f"etcd{number}", sign


def hands_over(number: int, taker: int) -> tuple[str, Sign]:
    sign = Sign(
        kind=SignKind.TRANSFER_STARTED, text="", member_id=f"{number}a", leader_id=f"{taker}a"
    )
    return f"etcd{number}", sign


ASKS, STANDS, LEADS = stands(1, 1, pre_vote=True), stands(1, 2), elects(2, 1, 2)


@pytest.mark.parametrize(
    ("signs", "told"),
    [
        ([ASKS, STANDS, LEADS], ["candidate 1", "candidate 2", "leader_elected 2"]),
        # The winner's own log comes last.
        ([LEADS, ASKS, STANDS, elects(1, 1, 2)], ["leader_elected 2"]),
        # Who stood and did not win is told, also late.
        ([LEADS, stands(3, 2)], ["leader_elected 2", "candidate 2"]),
        # The same member stands again, after it has led.
        (
            [LEADS, stands(1, 2, pre_vote=True), stands(1, 3)],
            ["leader_elected 2", "candidate 2", "candidate 3"],
        ),
        (
            [LEADS, hands_over(1, 2), elects(3, 2, 3)],
            ["leader_elected 2", "leader_elected 3", "leader_transferred 3"],
        ),
        # The new leader's log comes first.
        (
            [LEADS, elects(3, 2, 3), hands_over(1, 2), hands_over(1, 2)],
            ["leader_elected 2", "leader_elected 3", "leader_transferred 3"],
        ),
    ],
)
def test_an_election_is_told_in_its_order(
    tmp_path: Path, signs: list[tuple[str, Sign]], told: list[str]
) -> None:
    bus = Bus(tmp_path / "events.jsonl")
    events: list[str] = []
    bus.listen(
        lambda event: events.append(f"{event.kind.removeprefix('raft.')} {event.fields['term']}")
    )
    watch = RaftWatch(roster(), bus)
    for process, sign in signs:
        watch.take(process, sign)
    bus.close()
    assert events == told
