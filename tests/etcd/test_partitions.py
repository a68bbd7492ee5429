"""Partitions on real etcd: who leads on which side, what each side can do, and that nothing leaks."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox import Cluster
from etcd_sandbox.model.state import Role

from tests.conftest import until
from tests.etcd.client import answers, get, put
from tests.etcd.conftest import ClusterMaker
from tests.etcd.traffic import assert_nothing_crosses, between, url
from tests.etcd.views import leader_and_followers, views

SHORT_S = 0.5
"""What a question that cannot be answered is given."""


def assert_whole_again(cluster: Cluster) -> None:
    """One leader whom everyone follows, and the same data everywhere."""
    cluster.wait_healthy()

    def same() -> bool:
        members = cluster.status(with_hash=True).members
        return (
            len({member.follows for member in members}) == 1
            and len({member.term for member in members}) == 1
            and len({member.revision for member in members}) == 1
            and len({member.hash for member in members}) == 1
            and members[0].hash is not None
        )

    until(same, 20, lambda: cluster.status(with_hash=True).members)
    assert sum(view.role is Role.LEADER for view in views(cluster).values()) == 1
    assert cluster.status().faults == ()


@pytest.mark.also_on("3.4")  # an etcd without PreVote
def test_a_leader_that_is_cut_off_steps_down_and_the_others_go_on_without_it(
    cluster_of: ClusterMaker,
) -> None:
    cluster = cluster_of()
    old, others = leader_and_followers(cluster)
    put(url(cluster, old), "key", "before")

    verdict = cluster.partition("leader")

    assert (verdict.targets, verdict.versus) == ((old,), tuple(others))
    assert verdict.leader_before == old
    assert verdict.leader_after in others
    assert verdict.term_before is not None
    assert verdict.term_after is not None
    assert verdict.term_after > verdict.term_before
    assert verdict.leader_gap_s is not None
    assert 0.3 <= verdict.leader_gap_s <= 10
    assert verdict.quorum is not None
    assert (verdict.up, verdict.reach, verdict.quorum.ok) == (3, 2, True)
    put(url(cluster, str(verdict.leader_after)), "key", "after")

    until(lambda: views(cluster)[old].role is Role.CANDIDATE, 20, lambda: views(cluster))
    seen = views(cluster)
    assert seen[old].follows is None
    assert not seen[old].healthy
    assert {seen[name].follows for name in others} == {verdict.leader_after}
    assert {seen[name].term for name in others} == {verdict.term_after}
    assert get(url(cluster, old), "key", serializable=True) == "before"
    assert not answers(url(cluster, old), timeout_s=SHORT_S)
    with pytest.raises(OSError):  # noqa: PT011 - however it fails, it is not acknowledged
        put(url(cluster, old), "key", "lost", timeout_s=SHORT_S)
    assert get(url(cluster, others[0]), "key") == "after"
    assert cluster.status().faults == ({"kind": "partition", "members": [old], "versus": others},)
    assert_nothing_crosses(cluster, between([old], others), between(others, others))

    healed = cluster.heal()

    assert healed.targets == (old,)
    assert healed.leader_after is not None
    assert healed.term_after is not None
    assert healed.term_after >= verdict.term_after
    assert_whole_again(cluster)
    assert get(url(cluster, old), "key", serializable=True) == "after"


def test_of_five_the_three_go_on_whether_the_leader_is_among_them_or_not(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(5, profile=quick)
    old, others = leader_and_followers(cluster)
    two, three = [old, others[0]], others[1:]

    lost = cluster.partition(*two)

    assert lost.leader_before == old
    assert lost.leader_after in three
    assert lost.quorum is not None
    assert (lost.up, lost.reach, lost.quorum.ok) == (5, 3, True)
    until(lambda: all(views(cluster)[name].follows is None for name in two), 20)
    put(url(cluster, three[0]), "key", "of the three")
    assert not any(answers(url(cluster, name), timeout_s=SHORT_S) for name in two)
    assert_nothing_crosses(cluster, between(two, three), between([str(lost.leader_after)], three))
    cluster.heal()
    assert_whole_again(cluster)

    leader, others = leader_and_followers(cluster)
    two, three = others[:2], [leader, *others[2:]]
    term = cluster.status().term

    kept = cluster.partition(*two, versus=three)

    assert (kept.leader_before, kept.leader_after) == (leader, leader)
    assert (kept.term_before, kept.term_after) == (term, term)
    assert kept.leader_gap_s == 0.0
    until(lambda: all(views(cluster)[name].follows is None for name in two), 20)
    assert {views(cluster)[name].follows for name in three} == {leader}
    put(url(cluster, leader), "key", "still of the three")
    assert_nothing_crosses(cluster, between(two, three), between([leader], three))
    cluster.heal()
    assert_whole_again(cluster)
    assert get(url(cluster, two[0]), "key", serializable=True) == "still of the three"


def test_a_cut_between_two_followers_is_noticed_by_nobody(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(profile=quick)
    leader, (one, other) = leader_and_followers(cluster)
    term = cluster.status().term

    verdict = cluster.partition(one, versus=other)

    assert (verdict.leader_before, verdict.leader_after) == (leader, leader)
    assert (verdict.term_before, verdict.term_after) == (term, term)
    assert (verdict.leader_gap_s, verdict.reach) == (0.0, 3)
    assert {view.follows for view in views(cluster).values()} == {leader}
    for name in cluster.members:
        put(url(cluster, name), name, "written")
    assert_nothing_crosses(cluster, between([one], [other]), between([leader], [one, other]))
    cluster.heal()
    assert_whole_again(cluster)
    assert cluster.status().term == term


def test_a_leader_that_is_cut_from_one_follower_goes_on_with_the_other(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(profile=quick)
    leader, (cut_off, third) = leader_and_followers(cluster)

    verdict = cluster.cut(leader, cut_off)

    assert (verdict.targets, verdict.versus) == ((leader,), (cut_off,))
    assert verdict.leader_before == leader
    # The third hears of a leader, so it grants nobody its vote: PreVote or not.
    assert verdict.leader_after == leader
    assert verdict.quorum is not None
    assert verdict.quorum.ok
    until(lambda: views(cluster)[cut_off].follows is None, 20, lambda: views(cluster))
    assert views(cluster)[third].follows == leader
    put(url(cluster, third), "key", "through the third")
    assert not answers(url(cluster, cut_off), timeout_s=SHORT_S)
    assert_nothing_crosses(cluster, between([leader], [cut_off]), between([leader], [third]))

    cluster.heal()
    assert_whole_again(cluster)
    assert get(url(cluster, cut_off), "key", serializable=True) == "through the third"
