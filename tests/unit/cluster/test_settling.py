"""Whether a cluster has settled: rounds of answers as tables."""

from __future__ import annotations

import pytest
from etcd_sandbox.cluster.settling import Voter, judge, reached_by
from etcd_sandbox.model.fault import LinkFault, Pair, Rule, rules_of


def voters(text: str) -> list[Voter]:
    """`a:a@3 b:a@3 c:- d:x` – who follows whom in which term; `-`: no answer, `x`: not running, `@?`: term not known."""
    found = []
    for entry in text.split():
        name, _, says = entry.partition(":")
        if says in ("-", "x"):
            found.append(Voter(process=name, running=says == "-"))
        else:
            follows, _, term = says.partition("@")
            found.append(
                Voter(
                    process=name,
                    running=True,
                    answered=True,
                    follows=follows or None,
                    term=None if term == "?" else int(term),
                )
            )
    return found


def cut(*sides: str) -> dict[Pair, Rule]:
    """Rules that cut `ab|c` and the like."""
    faults = []
    for each in sides:
        one, _, other = each.partition("|")
        faults.append(LinkFault(kind="partition", side=tuple(one), other=tuple(other)))
    return rules_of(faults)


@pytest.mark.parametrize(
    ("says", "cuts", "leader"),
    [
        ("a:a@2 b:a@2 c:a@2", (), "a"),
        # One that is down or paused is not waited for; one that runs and is silent is.
        ("a:a@2 b:a@2 c:x", (), "a"),
        ("a:a@2 b:a@2 c:-", (), None),
        # All have to say the same of the same term.
        ("a:a@2 b:a@2 c:@2", (), None),
        ("a:a@2 b:a@2 c:b@2", (), None),
        ("a:a@3 b:a@3 c:a@2", (), None),
        # Nor is it known yet that they mean the same term.
        ("a:a@? b:a@3 c:a@3", (), None),
        ("a:a@3 b:a@3 c:a@?", (), None),
        # The one that they follow is down, or does not claim it.
        ("a:x b:a@2 c:a@2", (), None),
        ("a:@3 b:a@2 c:a@2", (), None),
        # A leader without a quorum is none.
        ("a:a@2 b:x c:x", (), None),
        # Whoever is cut off from the leader need not agree; who is not must.
        ("a:@2 b:b@3 c:b@3", ("a|bc",), "b"),
        ("a:a@2 b:b@3 c:b@3", ("a|bc",), "b"),
        ("a:a@2 b:@2 c:a@2", ("a|b",), "a"),
        ("a:a@2 b:@2 c:@2", ("a|b",), None),
        # The old leader still leads in its own eyes while the others are electing.
        ("a:a@2 b:@2 c:@2", ("a|bc",), None),
        ("a:a@2 b:@2 c:@2 d:a@2 e:@2", ("ad|bce",), None),
        ("a:@2 b:b@3 c:b@3 d:@2 e:b@3", ("ad|bce",), "b"),
        ("a:a@2 b:a@2 c:@5 d:@5", ("ab|cd",), None),
    ],
)
def test_the_leader_is_whom_everyone_within_its_reach_follows(
    says: str, cuts: tuple[str, ...], leader: str | None
) -> None:
    judgement = judge(voters(says), cut(*cuts))
    assert (judgement.leader.process if judgement.leader else None) == leader


def test_of_two_that_claim_it_both_are_told_the_higher_term_first() -> None:
    judgement = judge(voters("a:a@2 b:b@4 c:b@4"), cut("a|bc"))
    assert [(claim.process, claim.term) for claim in judgement.claims] == [("b", 4), ("a", 2)]


@pytest.mark.parametrize(
    ("says", "cuts", "reach", "needed", "lost"),
    [
        ("a:a@2 b:a@2 c:a@2", (), 3, 2, False),
        ("a:a@2 b:a@2 c:x", (), 2, 2, False),
        ("a:- b:- c:x", (), 2, 2, False),
        ("a:a@2 b:x c:x", (), 1, 2, True),
        ("a:x b:x c:x", (), 0, 2, True),
        ("a:a@2 b:a@2 c:a@2", ("a|bc",), 2, 2, False),
        ("a:a@2 b:a@2 c:a@2", ("a|b", "a|c", "b|c"), 1, 2, True),
        # The third reaches both.
        ("a:a@2 b:a@2 c:a@2", ("a|b",), 3, 2, False),
        ("a:a@2 b:a@2 c:a@2 d:a@2", ("ab|cd",), 2, 3, True),
        ("a:a@2 b:a@2 c:a@2 d:a@2 e:a@2", ("ab|cde",), 3, 3, False),
        ("a:a@2 b:a@2 c:a@2 d:a@2 e:x", ("ab|cde",), 2, 3, True),
        # In a ring of five each reaches its two neighbours: a quorum, though no two have the same.
        ("a:a@2 b:a@2 c:@2 d:@2 e:a@2", ("a|cd", "b|de", "c|e"), 3, 3, False),
        ("a:a@2", (), 1, 1, False),
        ("", (), 0, 1, True),
    ],
)
def test_quorum_is_lost_when_nobody_reaches_as_many_as_are_needed(
    says: str, cuts: tuple[str, ...], reach: int, needed: int, lost: bool
) -> None:
    judgement = judge(voters(says), cut(*cuts))
    assert (judgement.reach, judgement.needed, judgement.quorum_lost) == (reach, needed, lost)


def test_a_member_that_does_not_run_reaches_nobody() -> None:
    everyone = voters("a:x b:b@2 c:b@2")
    assert reached_by("a", everyone, {}) == ()
    assert [voter.process for voter in reached_by("b", everyone, {})] == ["b", "c"]


@pytest.mark.parametrize(
    ("says", "excused", "leader"),
    [
        ("a:a@2 b:a@2 c:-", "", None),
        ("a:a@2 b:a@2 c:-", "c", "a"),
        # A quorum must say so itself.
        ("a:a@2 b:- c:-", "bc", None),
        # Who answers is heard, excused or not.
        ("a:a@2 b:a@2 c:c@2", "c", None),
    ],
)
def test_who_hangs_does_not_keep_a_quorum_from_agreeing(
    says: str, excused: str, leader: str | None
) -> None:
    found = judge(voters(says), {}, excused=excused).leader
    assert (found.process if found else None) == leader


@pytest.mark.parametrize(
    ("says", "excused", "leader"),
    [
        # Nobody answers in time; the logs and a read that was served prove who leads.
        ("a:- b:- c:-", "abc", "b"),
        ("a:b@3 b:- c:-", "bc", "b"),
        ("a:a@2 b:- c:-", "bc", "b"),
        ("a:@3 b:- c:-", "bc", "b"),
        # They have not been waited for yet.
        ("a:- b:- c:-", "ab", None),
        # An answer that speaks of another leader, or of a later term, is not overruled.
        ("a:a@3 b:- c:-", "bc", None),
        ("a:@4 b:- c:-", "bc", None),
        # Whoever may lead in a later term refutes it; an unknown term of one that follows does not.
        ("a:a@? b:- c:-", "bc", None),
        ("a:b@? b:- c:-", "bc", "b"),
        # All answer, and do not agree: that is no matter of time.
        ("a:a@2 b:@2 c:@2", "", None),
    ],
)
def test_what_is_proven_is_not_overruled_by_late_answers(
    says: str, excused: str, leader: str | None
) -> None:
    proven = Voter(process="b", running=True, answered=True, follows="b", term=3)
    found = judge(voters(says), {}, excused=excused, proven=proven)
    assert (found.leader.process if found.leader else None) == leader
    assert leader is None or found.claims[0] == proven
