"""The witness finds what is wrong: contradictions that were planted, each by the rule that is for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.witness.pasts import (
    AFTER,
    BEGAN,
    CALM,
    ELECTED,
    ENDED,
    KILLED,
    LEADERLESS,
    NAMES,
    event,
    member,
    past,
    quorum,
    status,
    story,
    verdict,
    with_member,
)
from tests.witness import eventrules, headlinerules, statusrules, verdictrules
from tests.witness.claims import Event, Headline, Healthy, Refusal, Status
from tests.witness.history import Span
from tests.witness.judging import summary
from tests.witness.observed import Attempt, Outcome

WHOLE = Span(BEGAN, ENDED)


def rules_of(claim: Status) -> set[str]:
    return {each.rule for each in statusrules.contradictions(claim, past())}


def test_what_is_true_is_not_contradicted() -> None:
    assert list(statusrules.contradictions(status(), past())) == []
    assert list(verdictrules.contradictions(verdict(sentence="infra1 → infra2"), past())) == []
    assert list(eventrules.contradictions(story(), past(), WHOLE)) == []


@pytest.mark.parametrize(
    ("rule", "lie"),
    [
        ("leader", {"leader": "infra2"}),
        ("newest_leader", {"leader": "infra2", "term": 1, **with_member("infra2", term=1)}),
        ("no_leader", {"leader": None}),
        ("quorum_lost", quorum(ok=False)),
        ("voters", quorum(voters=4, needed=3)),
        ("voters", quorum(needed=3)),
        ("healthy_count", quorum(healthy=2)),
        ("healthy_count", quorum(healthy=4)),
        ("member_health", with_member("infra3", healthy=False)),
        ("member_state", with_member("infra3", state="exited")),
        ("member_state", with_member("infra3", state="paused")),
        ("member_state", with_member("infra3", pid=11)),
        ("member_role", with_member("infra3", role="candidate")),
        ("member_role", with_member("infra2", role="leader")),
        ("member_term", with_member("infra3", term=7)),
        ("member_revision", with_member("infra3", revision=3)),
        ("member_revision", with_member("infra3", revision=999)),
        ("member_list", {"members": [member("infra1"), member("infra2")]}),
        ("member_list", with_member("infra3", id="b7")),
        ("alarms", with_member("infra3", alarms=["NOSPACE"])),
        ("alarms", {"alarms": [{"alarm": "CORRUPT", "member": None}]}),
        ("elsewhere", {"elsewhere": [{"id": "b7", "answers": False, "started": False}]}),
        ("elsewhere", {"elsewhere": [{"id": "a3", "answers": True, "started": False}]}),
    ],
)
def test_an_untrue_status_is_contradicted_by_the_rule_for_it(
    rule: str, lie: dict[str, Any]
) -> None:
    assert f"status.{rule}" in rules_of(status(**lie))


@pytest.mark.parametrize(
    "lie",
    [
        {"leader": None},
        quorum(ok=False, healthy=0),
        with_member("infra1", healthy=False, role=None, term=None, revision=None),
    ],
)
def test_what_is_said_while_nobody_leads_is_not_contradicted_by_what_was_before(
    lie: dict[str, Any],
) -> None:
    silent = [
        member(name, healthy=False, role="candidate", follows=None, revision=None)
        for name in NAMES[1:]
    ]
    gone = member("infra1", state="exited", healthy=False, role=None, term=None, revision=None)
    body: dict[str, Any] = {"leader": None, **quorum(ok=False, healthy=0), **lie}
    assert rules_of(status(LEADERLESS, **{**body, "members": [gone, *silent]})) == set()


def test_a_member_that_has_ended_is_not_healthy() -> None:
    lie = with_member("infra1", state="exited", role=None, term=None, revision=None)
    assert "status.member_health" in rules_of(status(AFTER, **lie))


def test_a_leader_that_has_ended_is_contradicted_though_it_led_before() -> None:
    assert "status.leader" in rules_of(status(AFTER))


def test_a_quorum_that_has_too_few_who_run_is_contradicted() -> None:
    history = past(listed=(*NAMES, "b4", "b5", "b6"))
    found = statusrules.contradictions(status(AFTER, **quorum(voters=6, needed=4)), history)
    assert "status.quorum_there" in {each.rule for each in found}


def test_a_member_on_etcds_list_that_never_started_is_missed() -> None:
    found = {
        each.rule for each in statusrules.contradictions(status(), past(listed=(*NAMES, "b4")))
    }
    assert {"status.voters", "status.member_list"} <= found


def test_an_alarm_that_is_up_and_not_told_is_missed() -> None:
    found = statusrules.contradictions(status(), past(alarms=frozenset({"NOSPACE"})))
    assert "status.alarms" in {each.rule for each in found}


def test_who_says_that_an_answer_did_not_come_in_time_is_not_contradicted() -> None:
    lie = with_member("infra3", healthy=False, role=None, term=None, revision=None)
    lie["members"][2]["why"] = "does not answer in time"
    assert rules_of(status(**lie, **quorum(healthy=2))) == set()


def test_what_the_witness_does_not_see_any_more_it_does_not_contradict() -> None:
    assert rules_of(status(Span(ENDED + 1, ENDED + 2), leader=None, **quorum(ok=False))) == set()


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("leader", "default · ★ infra2 (term 2) · quorum: 3 of 3 healthy"),
        ("leader", "cluster default · leader infra1 (term 9) · quorum: 3 of 3 healthy, 2 needed"),
        ("no_leader", "default · no leader · quorum: 3 of 3 healthy"),
        ("quorum_lost", "default · ★ infra1 (term 2) · NO QUORUM: 0 of 3 healthy"),
        ("voters", "default · ★ infra1 (term 2) · quorum: 3 of 4 healthy"),
    ],
)
def test_an_untrue_headline_is_contradicted_by_the_rule_for_it(rule: str, line: str) -> None:
    found = list(headlinerules.contradictions(Headline(CALM, line), past()))
    assert [each.rule for each in found] == [f"headline.{rule}"]
    true = Headline(CALM, "default · ★ infra1 (term 2) · quorum: 3 of 3 healthy")
    assert list(headlinerules.contradictions(true, past())) == []


@pytest.mark.parametrize(
    ("rule", "lie"),
    [
        ("leader_after", {"leader_after": "infra3"}),
        ("leader_after", {"term_after": 4}),
        ("leader_before", {"leader_before": "infra3"}),
        ("still_leads", {"sentence": "infra2 still leads · term 3"}),
        ("still_leads", {"leader_gap_s": 0.0}),
        ("leader_gap", {"leader_gap_s": 3.0}),
        ("leader_gap", {"leader_gap_s": 0.2}),
        ("read_gap", {"read_gap_s": 0.02}),
        ("read_gap", {"read_gap_s": 2.5}),
        ("write_gap", {"writes": {"how": "failed", "gap_s": 7.0, "wait_s": 7.0}}),
        ("write_gap", {"writes": {"how": "went-on", "gap_s": 0.1, "wait_s": 0.0}}),
        ("slow_reads", {"reads": {"how": "slow", "gap_s": 1.22, "wait_s": 0.8}}),
        ("voters", {"quorum": {"voters": 4, "needed": 3, "healthy": 2, "ok": True}}),
        ("quorum_there", {"up": 4}),
        ("believers", {"leaders": [{"member": "infra3", "term": 3}]}),
        (
            "targets",
            {"verb": "pause", "processes": [{"member": "infra3", "pid": 10, "done": True}]},
        ),
    ],
)
def test_an_untrue_verdict_is_contradicted_by_the_rule_for_it(
    rule: str, lie: dict[str, Any]
) -> None:
    found = {each.rule for each in verdictrules.contradictions(verdict(**lie), past())}
    assert f"verdict.{rule}" in found


@pytest.mark.parametrize(
    ("sent", "contradicted"),
    [(KILLED - 0.1, set()), (KILLED + 0.1, {"verdict.write_gap"})],
    ids=["asked before", "asked meanwhile"],
)
def test_only_what_was_asked_while_nobody_led_shows_that_one_was_served_then(
    sent: float, contradicted: set[str]
) -> None:
    answered = Attempt("infra2", sent, KILLED + 0.6, Outcome.SERVED)
    claim = verdict(writes={"how": "failed", "gap_s": ELECTED - KILLED, "wait_s": 0.0})
    found = verdictrules.contradictions(claim, past(writes=(answered,)))
    assert {each.rule for each in found} == contradicted


@pytest.mark.parametrize(
    ("sent", "contradicted"),
    [(ELECTED - 0.8, set()), (ELECTED, {"verdict.slow_reads"})],
    ids=["for as long", "not yet"],
)
def test_a_read_under_way_shows_how_slow_reads_are_as_far_as_it_came(
    sent: float, contradicted: set[str]
) -> None:
    waiting = Attempt("infra3", sent, ENDED, Outcome.FAILED)
    claim = verdict(reads={"how": "slow", "gap_s": 1.22, "wait_s": 1.0})
    found = verdictrules.contradictions(claim, past(reads=(waiting,)))
    assert {each.rule for each in found} == contradicted


def test_a_verdict_that_knows_no_leader_or_no_reads_while_there_are_is_contradicted() -> None:
    late = Span(1008.0, 1010.0)
    nobody = replace(verdict(leader_after=None, sentence="no leader yet"), span=late)
    no_reads = replace(verdict(verb="heal", read_gap_s=None, leader_before="infra2"), span=late)
    found = [
        each.rule
        for claim in (nobody, no_reads)
        for each in verdictrules.contradictions(claim, past())
    ]
    assert {"verdict.nobody_leads", "verdict.read_gap"} <= set(found)


def test_giving_up_for_want_of_what_is_there_is_contradicted() -> None:
    late = Span(1008.0, 1010.0)
    refused = Refusal(late, "kill leader", "no member leads")
    waited = Healthy(late, None, "not all members were healthy within 2 s: infra3 is not healthy")
    assert [each.rule for each in verdictrules.refused(refused, past())] == ["refusal.no_leader"]
    assert [each.rule for each in verdictrules.gave_up(waited, past())] == ["wait_healthy.gave_up"]
    true = Refusal(Span(KILLED, LEADERLESS.end), "kill leader", "no member leads")
    assert list(verdictrules.refused(true, past())) == []


@pytest.mark.parametrize(
    ("rule", "lie"),
    [
        ("elected", event("raft.leader_elected", 1009.0, "infra3", term=4)),
        ("elected", event("raft.leader_elected", 1009.0, "infra2", term=3)),
        ("lost", event("raft.leader_lost", 1008.0, "infra2", term=3)),
        ("candidate", event("raft.candidate", 1008.0, "infra3", term=4, pre_vote=True)),
        ("started", event("process.started", 1002.0, "infra3", pid=10)),
        ("exited", event("process.exited", 1003.0, "infra3", pid=10)),
        ("quorum_lost", event("cluster.quorum_lost", 1004.5, up=0, voters=3, needed=2)),
        ("quorum_voters", event("cluster.quorum_lost", 1006.0, up=1, voters=5, needed=3)),
        ("alarm", event("alarm.raised", 1003.0, "infra1", alarm="NOSPACE")),
        ("membership", event("member.removed", 1003.0, "infra3")),
        ("fault", event("fault.applied", 1003.0, "infra3", fault="pause")),
    ],
)
def test_an_untrue_event_is_contradicted_by_the_rule_for_it(rule: str, lie: Event) -> None:
    found = {each.rule for each in eventrules.contradictions([*story(), lie], past(), WHOLE)}
    assert f"event.{rule}" in found


def test_a_cleared_alarm_that_is_up_and_a_regained_quorum_without_members_are_contradicted() -> (
    None
):
    history = past(listed=(*NAMES, "b4", "b5", "b6"), alarms=frozenset({"NOSPACE"}))
    lies = [
        event("alarm.cleared", 1003.0, "infra1", alarm="NOSPACE"),
        event("cluster.quorum_regained", 1003.0, up=3, voters=6, needed=4),
    ]
    found = {each.rule for each in eventrules.contradictions([*story(), *lies], history, WHOLE)}
    assert {"event.alarm", "event.quorum_regained"} <= found


def test_an_election_that_is_not_told_or_told_twice_or_out_of_order_is_contradicted() -> None:
    def found(events: list[Event]) -> list[str]:
        return [each.rule for each in eventrules.contradictions(events, past(), WHOLE)]

    true = story()
    assert found(true[:-1]) == ["event.every_election"]
    assert found([*true[:3], *true[4:]]) == ["event.every_candidacy"]
    assert found([*true, true[-1]]) == ["event.every_election"]
    late = event("raft.candidate", ELECTED + 0.1, "infra2", term=3, pre_vote=False)
    assert found([*true[:4], *true[5:], late]) == ["event.order"]


def test_the_same_contradiction_is_summed_up_in_one_line() -> None:
    lies = [status(leader=None), status(leader=None)]
    found = [each for lie in lies for each in statusrules.contradictions(lie, past())]
    assert len(summary(found)) == 1
    assert summary(found)[0].endswith("(and 1 more of it)")
