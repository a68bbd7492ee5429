"""What one round of answers proves: who is healthy, whether there is a quorum, whether data differ. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, TypeVar

from etcd_sandbox.cluster.settling import Voter
from etcd_sandbox.model.state import Quorum, Role

if TYPE_CHECKING:
    from etcd_sandbox.etcd.answers import Hashed, StatusAnswer

_Said = TypeVar("_Said")

ANSWER_DEADLINE_S = 0.15
"""What a member has for its answer (SPEC §7); one that is later is shown as not answering in time."""


def role_of(answer: StatusAnswer) -> Role | None:
    """What a member says it is, or is proved to be; None where it refuses to say and nothing proves it."""
    if answer.is_learner:
        return Role.LEARNER
    if answer.leader is None:
        return Role.CANDIDATE if answer.tells_whom_it_follows else None
    return Role.LEADER if answer.leads else Role.FOLLOWER


def is_healthy(answer: StatusAnswer) -> bool:
    """It answered, and knows a leader (SPEC §7); alarms are told apart."""
    return answer.leader is not None


def applied(answer: StatusAnswer) -> int:
    """The index up to which the member has applied the log; 0 where it does not tell."""
    return answer.raft_applied_index or 0


def quorum_of(voters: Sequence[Voter], answers: Mapping[str, StatusAnswer]) -> Quorum:
    """Of etcd's voters: how many are needed, how many follow a leader, whether enough follow one.

    Terms are not compared: a member's own lags until it has applied the new leader's first entry.
    """
    needed = len(voters) // 2 + 1 if voters else 0
    agreed = agreement(voters)
    return Quorum(
        voters=len(voters),
        needed=needed,
        healthy=sum(voter.follows is not None for voter in voters),
        ok=agreed >= needed if voters else None,
        late=sum(voter.running and voter.process not in answers for voter in voters),
    )


def agreement(voters: Sequence[Voter]) -> int:
    """How many voters follow the leader whom most follow."""
    leaders = [voter.follows for voter in voters if voter.follows is not None]
    return max((leaders.count(leader) for leader in leaders), default=0)


def proven_leader(logged: str | None, voters: Sequence[Voter], quorum: Quorum) -> str | None:
    """The leader `logged` whom the logs name, though it did not answer: there is a quorum, and all follow it."""
    agreed = all(voter.follows in (None, logged) for voter in voters)
    return logged if quorum.ok and agreed else None


def claimants(answers: Mapping[str, StatusAnswer]) -> list[str]:
    """Who leads by its own word."""
    return [key for key, answer in answers.items() if role_of(answer) is Role.LEADER]


def claimant(answers: Mapping[str, StatusAnswer]) -> str | None:
    """Of those who lead by their own word the one in the highest term."""
    return max(claimants(answers), key=lambda key: answers[key].term or 0, default=None)


def term_of_cluster(answers: Mapping[str, StatusAnswer], leads: str | None) -> int | None:
    """The term of who leads: its own, else that of those who follow it; None where neither is known.

    Where nobody leads, the highest that a member is in: a candidate that nobody hears may be far ahead.
    """
    counted = list(answers.values())
    if leads is not None:
        leader = answers[leads]
        if leader.term is not None:
            return leader.term
        counted = [answer for answer in counted if answer.leader == leader.member_id]
    return max((answer.term for answer in counted if answer.term is not None), default=None)


def differing(answers: Mapping[str, StatusAnswer]) -> frozenset[tuple[str, str]]:
    """Pairs that have applied the same entries, and have another revision: their data differ.

    Such an answer is not made in one instant: only a pair that gives the same answers again is proved.
    """
    return _pairs(
        answers,
        lambda left, right: (
            left.raft_applied_index is not None
            and left.raft_applied_index == right.raft_applied_index
            and left.cluster_id == right.cluster_id
            and left.refusal is None
            and right.refusal is None
            and left.revision != right.revision
        ),
    )


def still_differing(
    first: Mapping[str, StatusAnswer], again: Mapping[str, StatusAnswer]
) -> frozenset[tuple[str, str]]:
    """The pairs of `differing` of which both members gave the same answer twice."""
    same = {
        name
        for name in first.keys() & again.keys()
        if (first[name].raft_applied_index, first[name].revision)
        == (again[name].raft_applied_index, again[name].revision)
    }
    return frozenset(pair for pair in differing(again) if set(pair) <= same)


def differing_hashes(
    answers: Mapping[str, StatusAnswer], hashes: Mapping[str, Hashed | None]
) -> frozenset[tuple[str, str]]:
    """Pairs whose keys have another hash at one revision, compacted at one revision: their data differ.

    Only members of one version are compared: of what was compacted, versions hash more or less.
    """
    told = {
        name: (answers[name], each) for name, each in hashes.items() if each and name in answers
    }
    return _pairs(
        told,
        lambda one, other: (
            one[1].revision is not None
            and one[1].revision == other[1].revision
            and one[1].compact_revision == other[1].compact_revision
            and one[1].hash != other[1].hash
            and one[0].version == other[0].version != ""
            and one[0].cluster_id == other[0].cluster_id
        ),
    )


def _pairs(
    said: Mapping[str, _Said], differ: Callable[[_Said, _Said], bool]
) -> frozenset[tuple[str, str]]:
    """The pairs of those who said what differs."""
    every = combinations(sorted(said), 2)
    return frozenset(pair for pair in every if differ(said[pair[0]], said[pair[1]]))
