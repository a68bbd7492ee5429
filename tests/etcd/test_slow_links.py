"""Slow links on real etcd, and what is said where there are no links at all."""

from __future__ import annotations

import json
import statistics

import pytest
from etcd_sandbox.model.service import How

from tests.conftest import SandboxCommand, until
from tests.etcd.client import puts_s
from tests.etcd.conftest import ClusterMaker
from tests.etcd.views import leader_of

DELAY_S, JITTER_S = 0.05, 0.04
PUTS = 15

WHEEL_ONLY = pytest.mark.parametrize("etcd_binary", ["3.5"], indirect=True)
"""For what does not depend on the version: the one that everybody can install."""


def fastest_put_s(endpoint: str) -> float:
    """What the members and their links take: the others waited for a disk or processor as well."""
    return min(puts_s(endpoint, PUTS))


def test_a_put_takes_longer_by_what_two_hops_cost_until_the_links_are_healed(
    cluster_of: ClusterMaker,
) -> None:
    cluster = cluster_of()
    leader = leader_of(cluster)
    endpoint = cluster.endpoints[cluster.members.index(leader)]
    before_s = fastest_put_s(endpoint)

    slow = cluster.slow("all", delay_s=DELAY_S)

    assert (slow.leader_before, slow.leader_after, slow.leader_gap_s) == (leader, leader, 0.0)
    assert slow.reads is not None
    assert slow.reads.how is How.SLOW
    assert slow.reads.wait_s >= 2 * DELAY_S * 0.9
    assert cluster.status().faults[0]["delay_s"] == DELAY_S
    slow_s = fastest_put_s(endpoint)
    assert slow_s >= 2 * DELAY_S * 0.9
    assert slow_s - before_s <= 2 * DELAY_S + 0.25

    # A later delay replaces the earlier one.
    cluster.slow("all", delay_s=DELAY_S, jitter_s=JITTER_S, wait=False)
    (fault,) = cluster.status().faults
    assert (fault["delay_s"], fault["jitter_s"]) == (DELAY_S, JITTER_S)
    shaky = puts_s(endpoint, PUTS)
    assert max(shaky) - min(shaky) >= JITTER_S / 2
    assert statistics.median(shaky) >= 2 * (DELAY_S - JITTER_S)

    healed = cluster.heal()

    assert healed.leader_after == leader
    assert cluster.status().faults == ()
    until(lambda: fastest_put_s(endpoint) <= before_s + DELAY_S, 20)
    assert leader_of(cluster) == leader


@WHEEL_ONLY
def test_one_slow_follower_holds_nobody_up(cluster_of: ClusterMaker) -> None:
    cluster = cluster_of()
    leader = leader_of(cluster)
    follower = next(name for name in cluster.members if name != leader)
    endpoint = cluster.endpoints[cluster.members.index(leader)]

    slow = cluster.slow(follower, versus=leader, delay_s=0.3, wait=False)

    assert (slow.targets, slow.versus) == ((follower,), (leader,))
    assert fastest_put_s(endpoint) < 0.3


@WHEEL_ONLY
def test_direct_members_cannot_be_cut_apart_and_the_mend_is_named(on_etcd: SandboxCommand) -> None:
    on_etcd("up", "-n", "3", "-d", "--direct", "--base-port", "auto")
    for verb in (
        ("partition", "leader"),
        ("cut", "infra1", "infra2"),
        ("slow", "all", "--delay", "50ms"),
    ):
        refused = on_etcd(*verb, code=1)
        assert "there is no link in front of infra1: the cluster was started with --direct" in (
            refused.stderr
        )
        assert "up without --direct" in refused.stderr
    # What takes no links works.
    assert "nothing" in on_etcd("heal").stdout.lower()
    assert json.loads(on_etcd("kill", "leader", "--json").stdout)["leader_after"]
