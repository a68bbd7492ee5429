"""Late is not dead: what the voters said in several rounds, and who is not waited for any more."""

from __future__ import annotations

from etcd_sandbox.cluster.settling import FRESH_S, LEAST_S, MOST_S, PATIENCE_S, Evidence, judge

from tests.unit.cluster.test_settling import voters


def says(evidence: Evidence) -> list[str | None]:
    return [voter.follows for voter in evidence.voters]


def test_an_answer_stands_for_the_next_one_that_is_late() -> None:
    evidence = Evidence(10.0)
    evidence.take(voters("a:a@3 b:- c:a@3"), 10.1, 10.2)
    evidence.take(voters("a:- b:a@3 c:a@3"), 10.3, 10.4)
    assert says(evidence) == ["a", "a", "a"]
    leader = judge(evidence.voters, {}).leader
    assert leader is not None
    assert (leader.process, leader.term) == ("a", 3)


def test_an_answer_does_not_stand_for_ever_nor_for_a_process_that_has_ended() -> None:
    evidence = Evidence(10.0)
    evidence.take(voters("a:a@3 b:a@3 c:a@3"), 10.1, 10.2)
    evidence.take(voters("a:- b:x c:a@3"), 10.3, 10.4)
    assert says(evidence) == ["a", None, "a"]
    evidence.take(voters("a:- b:x c:a@3"), 10.2 + FRESH_S, 10.2 + FRESH_S)
    assert says(evidence) == [None, None, "a"]


def test_an_answer_to_a_question_before_the_deed_is_none_to_one_behind_it() -> None:
    evidence = Evidence(10.0)
    evidence.take(voters("a:a@3 b:a@3 c:a@3"), 9.9, 10.1)
    evidence.take(voters("a:- b:- c:-"), 10.1, 10.2)
    assert says(evidence) == [None, None, None]


def test_who_is_silent_for_long_is_not_waited_for() -> None:
    evidence = Evidence(10.0)
    evidence.take(voters("a:a@3 b:a@3 c:-"), 10.0, 10.1)
    assert evidence.excused(10.1) == frozenset()
    later = 10.0 + PATIENCE_S
    evidence.take(voters("a:a@3 b:a@3 c:-"), later, later)
    assert evidence.excused(later) == {"c"}
    leader = judge(evidence.voters, {}, excused=evidence.excused(later)).leader
    assert leader is not None
    evidence.take(voters("a:a@3 b:a@3 c:a@3"), later, later)
    assert evidence.excused(later + PATIENCE_S) == frozenset()


def test_members_that_are_late_get_more_time_each_round_and_a_hanging_one_costs_none() -> None:
    evidence = Evidence(10.0)
    assert evidence.deadline_s(10.0) == LEAST_S
    deadlines = []
    for moment in (10.1, 10.5, 11.0, 11.5):
        evidence.take(voters("a:a@3 b:- c:-"), moment, moment)
        deadlines.append(evidence.deadline_s(moment))
    assert deadlines == [2 * LEAST_S, 4 * LEAST_S, 8 * LEAST_S, MOST_S]
    assert evidence.deadline_s(10.2 + PATIENCE_S) == LEAST_S
    evidence.take(voters("a:a@3 b:a@3 c:a@3"), 11.6, 11.7)
    assert evidence.deadline_s(11.7) == LEAST_S
