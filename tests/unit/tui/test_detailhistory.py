"""What two answers, one after the other, say of the time between them."""

from __future__ import annotations

import pytest
from etcd_sandbox.model.state import Detail, ProcessState, Totals
from etcd_sandbox.tui.figures import LONGEST_S, POINTS_KEPT, Figure, History
from msgspec.structs import replace

from tests.tui.detailsamples import KILLED, detail, metrics, peer


def history_of(*answers: Detail, apart_s: float = 1.0) -> History:
    history = History()
    for number, answer in enumerate(answers):
        history.take(answer, number * apart_s)
    return history


def points(history: History, figure: Figure) -> list[float | None]:
    return list(history.of(figure))


def told(**changes: object) -> Detail:
    return detail(metrics=metrics(**changes))


def test_a_duration_is_the_mean_of_those_that_took_place_meanwhile() -> None:
    history = history_of(
        told(fsync=Totals(count=100, seconds=9.0)),
        told(fsync=Totals(count=104, seconds=9.02)),
    )
    first, second = points(history, Figure.FSYNC)
    assert first is None
    assert second == pytest.approx(0.005)


def test_where_none_took_place_there_is_a_gap_and_not_a_zero() -> None:
    assert points(history_of(told(), told()), Figure.FSYNC) == [None, None]


def test_a_rate_is_by_the_second_whatever_the_time_between() -> None:
    history = history_of(told(puts=10), told(puts=40), apart_s=2.0)
    assert points(history, Figure.PUTS) == [None, 15.0]


def test_a_count_is_by_how_much_it_rose_whatever_the_time_between() -> None:
    history = history_of(told(leader_changes=1), told(leader_changes=3), apart_s=2.0)
    assert points(history, Figure.LEADER_CHANGES) == [None, 2.0]


def test_what_is_pending_is_known_from_the_first_answer() -> None:
    assert points(history_of(told(proposals_pending=4)), Figure.PENDING) == [4]


def test_after_a_restart_counts_that_went_down_make_a_gap_in_all_series() -> None:
    history = history_of(
        told(puts=500, proposals_committed=600),
        told(puts=510, proposals_committed=610),
        told(puts=3, proposals_committed=615),
        told(puts=5, proposals_committed=617),
    )
    assert points(history, Figure.PUTS) == [None, 10.0, None, 2.0]
    assert points(history, Figure.PROPOSALS) == [None, 10.0, None, 2.0]


def test_after_a_restart_counts_that_already_went_past_make_a_gap_too() -> None:
    again = replace(told(puts=90), exit=KILLED)
    assert points(history_of(told(puts=5), again), Figure.PUTS) == [None, None]


def test_an_answer_without_figures_is_a_gap_and_the_next_one_begins_anew() -> None:
    dead = detail(state=ProcessState.EXITED, metrics=None)
    history = history_of(told(puts=1), told(puts=2), dead, told(puts=90), told(puts=91))
    assert points(history, Figure.PUTS) == [None, 1.0, None, None, 1.0]


def test_a_question_that_was_not_answered_is_a_gap() -> None:
    history = history_of(told(puts=1), told(puts=2))
    history.miss()
    assert points(history, Figure.PUTS) == [None, 1.0, None]


def test_answers_that_are_far_apart_make_no_point() -> None:
    history = history_of(told(puts=1), told(puts=100), apart_s=LONGEST_S + 1)
    assert points(history, Figure.PUTS) == [None, None]


def test_two_answers_at_one_moment_make_no_point() -> None:
    assert points(history_of(told(puts=1), told(puts=2), apart_s=0.0), Figure.PUTS) == [None, None]


def test_what_is_not_measured_has_no_points() -> None:
    assert points(history_of(told(put=None), told(put=None)), Figure.PUT) == [None, None]


def test_the_first_put_ever_has_a_latency() -> None:
    history = history_of(told(put=Totals()), told(put=Totals(count=1, seconds=0.25)))
    assert points(history, Figure.PUT) == [None, 0.25]


def test_round_trips_have_a_point_for_each_note_and_no_gaps() -> None:
    id_ = peer(2).id
    trips = [(1, 0.1), (1, 0.1), (2, 0.3), (2, 0.3), (3, 0.7)]
    history = history_of(
        *(told(peer_round_trips={id_: Totals(count=n, seconds=s)}) for n, s in trips)
    )
    assert list(history.round_trips[id_]) == pytest.approx([0.2, 0.4])


def test_a_peer_that_is_new_has_its_first_round_trip() -> None:
    history = history_of(
        told(peer_round_trips={}), told(peer_round_trips={"abc": Totals(count=1, seconds=0.5)})
    )
    assert list(history.round_trips["abc"]) == [0.5]


def test_only_the_last_points_are_kept() -> None:
    history = history_of(*(told(puts=n) for n in range(POINTS_KEPT + 10)))
    assert points(history, Figure.PUTS) == [1.0] * POINTS_KEPT
