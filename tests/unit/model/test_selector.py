"""Selectors as tables: words in, process names out."""

from __future__ import annotations

from typing import Any

import pytest
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.model.selector import (
    ROLE_WORDS,
    Candidate,
    NoLeader,
    id_meant,
    needs_roles,
    resolve,
)
from etcd_sandbox.model.state import Role
from msgspec.structs import replace

MEMBERS = [
    Candidate(process="etcd1", member="infra1", id="8211f1d0f64f3269", role=Role.FOLLOWER, term=3),
    Candidate(process="etcd2", member="infra2", id="91bc3c398fb3c146", role=Role.LEADER, term=3),
    Candidate(process="etcd3", member="infra3", id="d422379fda50e48", role=Role.FOLLOWER, term=3),
    Candidate(process="web"),
]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["infra2"], "etcd2"),
        (["etcd2"], "etcd2"),
        (["91bc3c398fb3c146"], "etcd2"),
        (["91BC3C398FB3C146"], "etcd2"),
        (["0d422379fda50e48"], "etcd3"),
        (["web"], "web"),
        (["leader"], "etcd2"),
        (["followers"], "etcd1 etcd3"),
        (["members"], "etcd1 etcd2 etcd3"),
        (["all"], "etcd1 etcd2 etcd3 web"),
        (["web", "infra1", "etcd1"], "etcd1 web"),
        (["followers", "leader"], "etcd1 etcd2 etcd3"),
    ],
)
def test_words_mean_processes_in_the_order_of_the_cluster(words: list[str], names: str) -> None:
    assert resolve(words, MEMBERS) == tuple(names.split())


def test_a_name_with_accents_is_found_however_it_is_typed() -> None:
    candidates = [Candidate(process="\u00e9t\u00e9", member="e\u0301"), Candidate(process="web")]
    for word in ("e\u0301te\u0301", "\u00e9t\u00e9", "e\u0301", "\u00e9"):
        assert resolve([word], candidates) == ("\u00e9t\u00e9",)


def test_of_two_that_claim_to_lead_the_higher_term_wins() -> None:
    stale = Candidate(process="etcd1", member="infra1", role=Role.LEADER, term=2)
    both = [stale, *MEMBERS[1:]]
    assert resolve(["leader"], both) == ("etcd2",)
    assert resolve(["followers"], both) == ("etcd1", "etcd3")


def test_no_leader_is_an_error_of_its_own() -> None:
    silent = [Candidate(process="etcd1", member="infra1"), *MEMBERS[2:]]
    with pytest.raises(NoLeader, match="no member leads"):
        resolve(["leader"], silent)


@pytest.mark.parametrize("word", [word for word in ROLE_WORDS if word != "all"])
def test_role_words_need_members(word: str) -> None:
    with pytest.raises(InputError, match="this cluster has none") as caught:
        resolve([word], [Candidate(process="web")])
    assert caught.value.hint == "this cluster has web; or use all"


def test_a_word_that_names_nothing_lists_what_there_is() -> None:
    with pytest.raises(InputError, match="'infra9'") as caught:
        resolve(["infra1", "infra9"], MEMBERS)
    assert "infra1 (etcd1)" in caught.value.hint
    assert "web" in caught.value.hint


@pytest.mark.parametrize(
    ("word", "id_"),
    [
        ("8211F1D0f64f3269", "8211f1d0f64f3269"),
        ("0c994f0378719507", "c994f0378719507"),
        ("cafe", "cafe"),
        ("infra1", ""),
        ("0", ""),
        ("", ""),
        ("8211f1d0f64f3269aa", ""),
        ("٣", ""),
    ],
)
def test_what_may_be_a_member_id_is_known_by_its_spelling(word: str, id_: str) -> None:
    assert id_meant(word) == id_


def test_only_words_of_roles_take_fresh_answers() -> None:
    assert needs_roles(["infra1", "leader"])
    assert needs_roles(["followers"])
    assert needs_roles(["majority"])
    assert needs_roles(["minority"])
    assert needs_roles(["learners"])
    assert not needs_roles(["infra1", "all", "members", "random"])


def voter(number: int, role: Role | None = Role.FOLLOWER, **more: Any) -> Candidate:
    """A member of a cluster whose names pass ten."""
    return Candidate(
        process=f"etcd{number}", member=f"infra{number}", role=role, term=3, running=True, **more
    )


def learner(number: int, role: Role | None = Role.LEARNER) -> Candidate:
    return voter(number, role, learner=True)


@pytest.mark.parametrize(
    ("members", "majority", "minority"),
    [
        ([voter(1), voter(2, Role.LEADER), voter(3)], "1 2", "3"),
        ([voter(1), voter(2), voter(3, Role.LEADER)], "1 3", "2"),
        # Without a leader the first voter by name stands for it.
        ([voter(1), voter(2), voter(3)], "1 2", "3"),
        # Their state does not matter: what is down counts as well.
        ([voter(1, None), voter(2, None), voter(3, Role.LEADER)], "1 3", "2"),
        ([voter(n, Role.LEADER if n == 4 else Role.FOLLOWER) for n in range(1, 6)], "1 2 4", "3 5"),
        # Names are ordered as people count.
        ([voter(10), voter(9), voter(2)], "9 2", "10"),
        ([voter(n, Role.LEADER if n == 1 else Role.FOLLOWER) for n in range(1, 5)], "1 2 3", "4"),
        # Learners have no vote.
        ([learner(1), voter(2), voter(3, Role.LEADER), voter(4)], "2 3", "4"),
        ([learner(1, None), voter(2), voter(3), voter(4)], "2 3", "4"),
        # Of two that claim to lead, the one with the higher term.
        (
            [replace(voter(1, Role.LEADER), term=2), voter(2), voter(3, Role.LEADER)],
            "1 3",
            "2",
        ),
    ],
)
def test_the_majority_is_the_leader_and_the_next_voters_by_name_and_the_minority_the_rest(
    members: list[Candidate], majority: str, minority: str
) -> None:
    everyone = [*members, Candidate(process="web")]
    assert resolve(["majority"], everyone) == tuple(f"etcd{n}" for n in majority.split())
    assert resolve(["minority"], everyone) == tuple(f"etcd{n}" for n in minority.split())


def test_learners_are_those_without_a_vote_whether_they_answer_or_not() -> None:
    members = [voter(1, Role.LEADER), learner(2), learner(3, None)]
    assert resolve(["learners"], members) == ("etcd2", "etcd3")
    assert resolve(["followers"], [*members, voter(4)]) == ("etcd4",)


@pytest.mark.parametrize(
    ("word", "members", "message"),
    [
        ("learners", [voter(1), voter(2)], "every member has a vote"),
        ("minority", [voter(1)], "the majority is every voter"),
        ("minority", [voter(1), voter(2)], "the majority is every voter"),
        ("followers", [voter(1, Role.LEADER)], "no follower answers"),
        ("random", [Candidate(process="etcd1", member="infra1")], "no member runs"),
    ],
)
def test_a_role_that_nobody_has_is_an_error_that_says_so(
    word: str, members: list[Candidate], message: str
) -> None:
    with pytest.raises(SandboxError, match=message) as caught:
        resolve([word], members)
    assert not isinstance(caught.value, InputError)


def test_random_is_one_running_member_and_the_same_one_for_the_same_seed() -> None:
    members = [*(voter(n) for n in range(1, 6)), replace(voter(6), running=False)]
    everyone = [*members, Candidate(process="web", running=True)]
    drawn = {resolve(["random"], everyone, seed) for seed in range(200)}
    assert drawn == {(f"etcd{n}",) for n in range(1, 6)}
    assert {resolve(["random"], everyone, 7) for _ in range(20)} == {
        resolve(["random"], everyone, 7)
    }
    assert len({resolve(["random"], everyone) for _ in range(200)}) == 5


def test_two_random_members_may_be_two() -> None:
    everyone = [voter(n) for n in range(1, 6)]
    assert {len(resolve(["random", "random"], everyone, seed)) for seed in range(50)} == {1, 2}


def test_an_etcd_without_a_place_in_the_cluster_counts_in_no_quorum() -> None:
    proxy = Candidate(
        process="etcd4", member="infra4", role=Role.PROXY, running=True, outsider=True
    )
    four = [*(replace(member, running=member.process == "etcd1") for member in MEMBERS), proxy]
    assert resolve(["majority"], four) == ("etcd1", "etcd2")
    assert resolve(["minority"], four) == ("etcd3",)
    assert resolve(["followers"], four) == ("etcd1", "etcd3")
    assert {resolve(["random"], four, seed) for seed in range(20)} == {("etcd1",)}
    assert resolve(["members"], four) == ("etcd1", "etcd2", "etcd3", "etcd4")
    assert resolve(["infra4"], four) == ("etcd4",)
