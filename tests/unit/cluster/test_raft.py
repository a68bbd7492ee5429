"""What several members' logs say about one election, told once and in an order that makes sense."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from etcd_sandbox.cluster.raft import RaftWatch
from etcd_sandbox.etcd.raftlog import Sign, SignKind
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.supervise.bus import Bus

from tests.unit.cluster.test_roster import roster


def stands(number: int, term: int, *, pre_vote: bool = False) -> tuple[str, Sign]:
    sign = Sign(
        kind=SignKind.BECAME_CANDIDATE,
        member_id=f"{number}a",
        term=term,
        pre_vote=pre_vote,
    )
    return f"etcd{number}", sign


def elects(number: int, leader: int, term: int) -> tuple[str, Sign]:
    sign = Sign(
        kind=SignKind.ELECTED,
        member_id=f"{number}a",
        leader_id=f"{leader}a",
        term=term,
    )
    return f"etcd{number}", sign


def follows(number: int, term: int) -> tuple[str, Sign]:
    """The first line of a run: nobody is known to lead yet."""
    sign = Sign(kind=SignKind.BECAME_FOLLOWER, member_id=f"{number}a", term=term)
    return f"etcd{number}", sign


def hands_over(number: int, taker: int) -> tuple[str, Sign]:
    sign = Sign(kind=SignKind.TRANSFER_STARTED, member_id=f"{number}a", leader_id=f"{taker}a")
    return f"etcd{number}", sign


ASKS, STANDS, LEADS = stands(1, 1, pre_vote=True), stands(1, 2), elects(2, 1, 2)


@pytest.mark.parametrize(
    ("signs", "told"),
    [
        ([ASKS, STANDS, LEADS], ["candidate 1", "candidate 2", "leader_elected 2"]),
        # The winner's own log comes last, too late to be put in order: nothing is lost all the same.
        (
            [LEADS, ASKS, STANDS, elects(1, 1, 2)],
            ["leader_elected 2", "candidate 1", "candidate 2"],
        ),
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
        # Two stood, nobody was elected: that is known once one stands in a later term, or leads in it.
        (
            [stands(1, 2), stands(2, 2), stands(2, 3), elects(2, 2, 3)],
            ["candidate 2", "candidate 2", "split_vote 2", "candidate 3", "leader_elected 3"],
        ),
        (
            [stands(1, 2), stands(2, 2), elects(3, 3, 3)],
            ["candidate 2", "candidate 2", "split_vote 2", "leader_elected 3"],
        ),
        # One of the two was elected, or the same one stood twice: no split vote.
        (
            [stands(1, 2), stands(2, 2), LEADS, stands(2, 3)],
            ["candidate 2", "candidate 2", "leader_elected 2", "candidate 3"],
        ),
        (
            [stands(1, 2), stands(1, 2), stands(1, 3)],
            ["candidate 2", "candidate 2", "candidate 3"],
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


def loses(number: int, leader: int, term: int) -> tuple[str, Sign]:
    sign = Sign(
        kind=SignKind.LOST_LEADER,
        member_id=f"{number}a",
        leader_id=f"{leader}a",
        term=term,
    )
    return f"etcd{number}", sign


def told_by(tmp_path: Path, *signs: tuple[str, Sign]) -> tuple[RaftWatch, list[Event]]:
    bus = Bus(tmp_path / "events.jsonl")
    events: list[Event] = []
    bus.listen(events.append)
    watch = RaftWatch(roster(), bus)
    for process, sign in signs:
        watch.take(process, sign)
    bus.close()
    return watch, events


@pytest.mark.parametrize(("term", "why"), [(2, "quorum"), (3, "term")])
def test_a_leader_that_loses_itself_steps_down_and_says_why(
    tmp_path: Path, term: int, why: str
) -> None:
    _, events = told_by(tmp_path, LEADS, loses(1, 1, term))
    assert [event.fields.get("why") for event in events] == [None, why]


def test_an_election_tells_how_long_nobody_led_on_the_clock_of_the_verdict(tmp_path: Path) -> None:
    bus = Bus(tmp_path / "events.jsonl")
    events: list[Event] = []
    bus.listen(events.append)
    watch = RaftWatch(roster(), bus)
    moments: list[tuple[float, str | None]] = []
    with watch.watched(lambda moment, process: moments.append((moment, process))):
        watch.take(*LEADS)
        watch.disabled("etcd1", moments[0][0] - 1.0)
        watch.take(*loses(2, 1, 2))
        watch.take(*loses(3, 1, 2))
        watch.take(*elects(3, 2, 3))
    bus.close()
    assert [process for _, process in moments] == ["etcd1", None, "etcd2"]
    after_s = events[-1].fields["after_s"]
    assert after_s == pytest.approx(moments[2][0] - moments[0][0] + 1.0, abs=0.002)


def test_a_leader_that_was_healed_in_time_has_led_all_the_time(tmp_path: Path) -> None:
    watch, _ = told_by(tmp_path, LEADS)
    watch.disabled("etcd1", 5.0)
    watch.leads_on("etcd1", 4.9)  # an answer to an earlier question proves nothing
    watch.leads_on("etcd2", 6.0)
    assert watch.leaderless_since == 5.0
    watch.leads_on("etcd1", 6.0)
    assert watch.leaderless_since is None


def test_a_leader_that_hung_leads_again_as_soon_as_enough_follow_it(tmp_path: Path) -> None:
    lost = (LEADS, loses(2, 1, 2), loses(3, 1, 2))
    watch, _ = told_by(tmp_path, *lost)
    assert (watch.leader, watch.leaderless_since is None) == (None, False)
    watch, events = told_by(tmp_path, *lost, elects(3, 1, 2))
    assert (watch.leader, watch.leaderless_since) == ("etcd1", None)
    assert [event.kind for event in events].count(Kind.LEADER_ELECTED) == 1
    # It is lost anew, and told so.
    watch, events = told_by(tmp_path, *lost, elects(3, 1, 2), loses(3, 1, 2))
    assert watch.leader is None
    assert [event.kind for event in events].count(Kind.LEADER_LOST) == 2


def test_a_leader_that_stepped_down_is_not_revived_by_what_a_follower_still_hears(
    tmp_path: Path,
) -> None:
    for first in (loses(1, 1, 2), loses(2, 1, 2)):
        watch, _ = told_by(
            tmp_path, LEADS, first, loses(3, 1, 2), loses(1, 1, 2), elects(3, 1, 2), elects(2, 1, 2)
        )
        assert watch.leader is None


def test_a_member_is_in_the_term_that_its_own_log_says(tmp_path: Path) -> None:
    watch, _ = told_by(tmp_path, LEADS, stands(3, 7), stands(3, 9, pre_vote=True))
    assert watch.term_of("etcd3", None, 2) == 7
    assert watch.term_of("etcd2", "1a", 1) == 2
    assert watch.term_of("etcd1", None, None) is None
    watch.gone("etcd3")
    assert watch.term_of("etcd3", "1a", 5) == 5  # this run's log has said nothing


def test_the_term_of_an_answer_is_not_known_where_the_log_names_another_leader(
    tmp_path: Path,
) -> None:
    watch, _ = told_by(tmp_path, LEADS, follows(1, 3))
    # Its answer is ahead: it leads, in a later term than that of the last entry that it has applied.
    assert watch.term_of("etcd1", "1a", 3, leads=True) is None
    watch.take(*elects(1, 1, 4))
    assert watch.term_of("etcd1", "1a", 3, leads=True) == 4
    # It has heard of a later term, and answers from before that.
    watch.take(*follows(1, 5))
    assert watch.term_of("etcd1", "1a", 4, leads=True) == 4
    # Its log is ahead: it has lost its leader.
    watch.take(*loses(2, 1, 5))
    assert watch.term_of("etcd2", "1a", 4) is None


def test_an_event_bears_the_time_at_which_the_line_was_written(tmp_path: Path) -> None:
    bus = Bus(tmp_path / "events.jsonl")
    watch = RaftWatch(roster(), bus)
    events: list[Event] = []
    bus.listen(events.append)
    watch.take(*LEADS, 1_795_332_502_840_000)
    bus.close()
    assert events[0].ts == "2026-11-22T07:28:22.840000Z"


def test_what_was_read_is_told_before_what_happens_now(tmp_path: Path) -> None:
    async def run() -> list[str]:
        bus = Bus(tmp_path / "events.jsonl")
        kinds: list[str] = []
        bus.listen(lambda event: kinds.append(event.kind))
        watch = RaftWatch(roster(), bus)
        watch.hear(*LEADS)
        watch.hear(*STANDS)
        assert not kinds
        bus.publish(Kind.PROCESS_EXITED, "infra1")
        bus.close()
        return kinds

    assert asyncio.run(run()) == [Kind.CANDIDATE, Kind.LEADER_ELECTED, Kind.PROCESS_EXITED]
