"""Selectors as tables: words in, process names out."""

from __future__ import annotations

import pytest

from sandbox.errors import InputError
from sandbox.model.selector import Candidate, NoLeader, needs_roles, resolve
from sandbox.model.state import Role

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


def test_of_two_that_claim_to_lead_the_higher_term_wins() -> None:
    stale = Candidate(process="etcd1", member="infra1", role=Role.LEADER, term=2)
    both = [stale, *MEMBERS[1:]]
    assert resolve(["leader"], both) == ("etcd2",)
    assert resolve(["followers"], both) == ("etcd1", "etcd3")


def test_no_leader_is_an_error_of_its_own() -> None:
    silent = [Candidate(process="etcd1", member="infra1"), *MEMBERS[2:]]
    with pytest.raises(NoLeader, match="no member leads"):
        resolve(["leader"], silent)


@pytest.mark.parametrize("word", ["leader", "followers", "members"])
def test_role_words_need_members(word: str) -> None:
    with pytest.raises(InputError, match="this cluster has none"):
        resolve([word], [Candidate(process="web")])


def test_a_word_that_names_nothing_lists_what_there_is() -> None:
    with pytest.raises(InputError, match="'infra9'") as caught:
        resolve(["infra1", "infra9"], MEMBERS)
    assert "infra1 (etcd1)" in caught.value.hint
    assert "web" in caught.value.hint


def test_only_words_of_roles_take_fresh_answers() -> None:
    assert needs_roles(["infra1", "leader"])
    assert needs_roles(["followers"])
    assert not needs_roles(["infra1", "all", "members"])
