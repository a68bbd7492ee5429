"""What one round of answers proves of the quorum, and of the data."""

from __future__ import annotations

import pytest
from etcd_sandbox.cluster.quorum import (
    claimant,
    differing,
    differing_hashes,
    is_healthy,
    proven_leader,
    quorum_of,
    role_of,
    still_differing,
    term_of_cluster,
)
from etcd_sandbox.cluster.settling import Voter
from etcd_sandbox.etcd.answers import Hashed, StatusAnswer
from etcd_sandbox.model.state import Quorum, Role
from msgspec.structs import replace


def answer(
    member_id: str = "1a",
    *,
    leader: str | None = "1a",
    applied: int | None = 8,
    revision: int | None = 1,
    term: int | None = 2,
    refusal: str | None = None,
    errors: tuple[str, ...] = (),
) -> StatusAnswer:
    return StatusAnswer(
        member_id=member_id,
        version="3.6.16",
        leader=leader,
        term=term,
        revision=revision,
        raft_index=applied,
        raft_applied_index=applied,
        db_size_bytes=20480,
        is_learner=False,
        errors=errors,
        cluster_id="c1",
        refusal=refusal,
    )


def voters(*follows: str) -> list[Voter]:
    """`1` follows the first voter, `-` answers and follows nobody, `.` is down, `?` runs and is late."""
    return [
        Voter(
            process=str(number),
            running=word != ".",
            follows=word if word not in "-.?" else None,
        )
        for number, word in enumerate(follows, 1)
    ]


@pytest.mark.parametrize(
    ("follows", "healthy", "ok", "late"),
    [
        ("111", 3, True, 0),
        ("11.", 2, True, 0),
        ("1..", 1, False, 0),
        ("---", 0, False, 0),
        ("1??", 1, False, 2),
        ("11?", 2, True, 1),
        # Two leaders, one of whom was cut off: most follow the other.
        ("122", 3, True, 0),
        # As many follow one as the other: nobody has a quorum.
        ("1122", 4, False, 0),
        # One on etcd's list that was never started counts.
        ("111.", 3, True, 0),
        ("11..", 2, False, 0),
        ("1", 1, True, 0),
    ],
)
def test_a_quorum_is_proved_by_those_that_follow_one_leader(
    follows: str, healthy: int, ok: bool, late: int
) -> None:
    seen = voters(*follows)
    answers = {voter.process: answer() for voter in seen if follows[int(voter.process) - 1] != "?"}
    quorum = quorum_of(seen, answers)
    assert (quorum.voters, quorum.needed) == (len(follows), len(follows) // 2 + 1)
    assert (quorum.healthy, quorum.ok, quorum.late) == (healthy, ok, late)


def test_where_nobody_has_a_vote_no_quorum_is_lost() -> None:
    assert quorum_of((), {}) == Quorum(voters=0, needed=0, healthy=0, ok=None, late=0)


def test_an_alarm_makes_no_member_unhealthy() -> None:
    assert is_healthy(answer(errors=("memberID:26 alarm:NOSPACE ",)))


def test_a_refusal_says_no_role_unless_something_else_proves_it() -> None:
    assert role_of(answer(leader=None, term=None, refusal="user name is empty")) is None
    assert role_of(answer(leader=None, term=3, refusal="user name is empty")) is Role.CANDIDATE
    assert role_of(answer(leader="2a", refusal="user name is empty")) is Role.FOLLOWER
    assert role_of(answer(leader="1a", refusal="user name is empty")) is Role.LEADER


def test_data_differ_where_the_same_entries_gave_another_revision_twice() -> None:
    first = {"a": answer(revision=5), "b": answer(revision=6), "c": answer(applied=9, revision=7)}
    assert differing(first) == {("a", "b")}
    assert still_differing(first, first) == {("a", "b")}
    # One that was only between two entries says something else now.
    assert still_differing(first, {**first, "a": answer(applied=9, revision=7)}) == frozenset()
    assert differing({"a": answer(revision=5), "b": answer(revision=5)}) == frozenset()


HASHED = Hashed(hash=1, revision=7, compact_revision=-1)


@pytest.mark.parametrize(
    ("other", "version", "differ"),
    [
        (replace(HASHED, hash=2), "3.6.16", True),
        (HASHED, "3.6.16", False),
        (replace(HASHED, hash=2, revision=8), "3.6.16", False),
        (replace(HASHED, hash=2, compact_revision=5), "3.6.16", False),
        (replace(HASHED, hash=2), "3.5.1", False),
        (Hashed(hash=2), "3.6.16", False),
        (None, "3.6.16", False),
    ],
)
def test_hashes_prove_that_data_differ_only_at_one_revision_and_of_one_kind(
    other: Hashed | None, version: str, differ: bool
) -> None:
    answers = {"a": answer(), "b": replace(answer(), version=version)}
    pairs = differing_hashes(answers, {"a": HASHED, "b": other})
    assert pairs == ({("a", "b")} if differ else frozenset())


def test_hashes_of_whole_databases_prove_nothing() -> None:
    answers = {"a": answer(), "b": answer()}
    assert not differing_hashes(answers, {"a": Hashed(hash=1), "b": Hashed(hash=2)})


def test_nothing_is_said_of_data_that_a_member_refuses_to_tell_of() -> None:
    refused = answer(revision=6, refusal="user name is empty")
    assert differing({"a": answer(revision=5), "b": refused}) == frozenset()


@pytest.mark.parametrize(
    ("follows", "served", "leader"),
    [
        ("?11", False, "1"),  # late, or being stopped
        ("?1.", True, "1"),  # a read was served by the leader that the logs name
        ("?1.", False, None),
        ("?22", False, None),  # the logs are behind
        ("?--", False, None),
    ],
)
def test_a_leader_that_does_not_answer_leads_where_all_follow_whom_the_logs_name(
    follows: str, served: bool, leader: str | None
) -> None:
    seen = voters(*follows)
    quorum = quorum_of(seen, {})
    assert proven_leader("1", seen, replace(quorum, ok=quorum.ok or served)) == leader
    assert proven_leader(None, seen, quorum) is None


@pytest.mark.parametrize(
    ("says", "leads", "term"),
    [
        # A candidate that is cut off is far ahead of the leader.
        ({"1": ("1", 2), "2": ("1", 2), "3": (None, 7)}, "1", 2),
        ({"1": (None, 2), "2": (None, 2), "3": (None, 7)}, None, 7),
        ({}, None, None),
        # A leader that was cut off does not know better.
        ({"1": ("1", 2), "2": ("2", 3), "3": ("2", 3)}, "2", 3),
        # Its own log does not say yet that it leads: those who follow it know in which term.
        ({"1": ("1", None), "2": ("1", 4), "3": ("2", 3)}, "1", 4),
        ({"1": ("1", None), "2": ("2", 3)}, "2", 3),
        ({"1": ("1", None), "2": (None, 3), "3": (None, 5)}, "1", None),
    ],
)
def test_who_leads_and_in_which_term(
    says: dict[str, tuple[str | None, int | None]], leads: str | None, term: int | None
) -> None:
    answers = {key: answer(key, leader=leader, term=said) for key, (leader, said) in says.items()}
    assert claimant(answers) == leads
    assert term_of_cluster(answers, leads) == term
