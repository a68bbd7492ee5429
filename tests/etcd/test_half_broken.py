"""Faults that are half of something on real etcd: one way, so much a second, so much of the time, for a time."""

from __future__ import annotations

import random
import statistics
import time
from contextlib import suppress

import psutil
import pytest
from etcd_sandbox import Cluster, SandboxError, verbs
from etcd_sandbox.model.event import Kind

from tests import faultcourse
from tests.conftest import until
from tests.etcd.client import put, received_bytes
from tests.etcd.conftest import ClusterMaker
from tests.etcd.traffic import Traffic, url
from tests.etcd.views import leader_and_followers, views

RATE = 256_000
VALUE = "v" * 100_000


def received(cluster: Cluster, member: str, sender: str) -> float:
    """The bytes of Raft that a member has received of another one, as etcd counts them."""
    ids = {each.name: each.id for each in cluster.status().members}
    return received_bytes(url(cluster, member)).get(str(ids[sender]), 0.0)


def peers_of(cluster: Cluster, name: str) -> set[tuple[int, int]]:
    """The ends of the connections that the member has with ports of peers."""
    member = next(each for each in cluster.status().members if each.name == name)
    links = {int(each.peer_url.rpartition(":")[2]) for each in cluster.status().members}
    found = psutil.Process(member.pid).net_connections("tcp")
    return {
        (each.laddr.port, each.raddr.port)
        for each in found
        if each.raddr and each.raddr.port in links
    }


def test_links_are_cut_one_way_limited_flaky_and_reset(cluster_of: ClusterMaker) -> None:
    cluster = cluster_of()
    leader, (deaf, other) = leader_and_followers(cluster)

    # One way: the follower hears nothing and asks for votes, which arrive.
    verdict = cluster.cut(leader, deaf, one_way=True)
    assert (verdict.leader_after, verdict.leaderless) == (leader, (deaf,))
    traffic = Traffic(cluster)
    heard = {(deaf, leader), (deaf, other), (other, leader)}
    until(lambda: heard <= traffic.grown(), 20, traffic.grown)
    assert (leader, deaf) not in traffic.grown()
    assert cluster.heal().leader_after == leader
    until(lambda: views(cluster)[deaf].follows == leader, 20)

    # A limit: what the follower lacks comes at the rate, and the others do not wait for it.
    cluster.throttle(deaf, versus=leader, bytes_per_s=RATE, wait=False)
    for number in range(20):
        put(url(cluster, leader), f"key{number}", VALUE)
    before, began = received(cluster, deaf, leader), time.monotonic()
    until(lambda: received(cluster, deaf, leader) - before >= 4 * RATE, 30)
    rate = (received(cluster, deaf, leader) - before) / (time.monotonic() - began)
    assert rate == pytest.approx(RATE, rel=0.1)
    cluster.heal(wait=False)

    flaky = cluster.flaky("all", stall=0.2, reset=0.02, seed=7)
    assert (flaky.seed, cluster.status().faults[0]["seed"]) == (7, 7)
    put(url(cluster, leader_and_followers(cluster)[0]), "key", "through it", timeout_s=10)
    cluster.heal()

    leader = leader_and_followers(cluster)[0]
    open_before = peers_of(cluster, leader)
    assert open_before
    verdict = cluster.reset_links(leader)
    assert open_before & peers_of(cluster, leader) == set()
    assert verdict.leader_after == verdict.leader_before == leader
    assert cluster.status().faults == ()


def test_a_process_is_starved_to_its_share_and_faults_come_and_go_at_their_time(
    cluster_of: ClusterMaker,
) -> None:
    cluster = cluster_of()
    leader, (one, _) = leader_and_followers(cluster)
    process = psutil.Process(
        next(each.pid for each in cluster.status().members if each.name == one)
    )

    cluster.starve(one, share=0.3, wait=False)
    stopped = 0
    for _ in range(300):
        stopped += process.status() == psutil.STATUS_STOPPED
        time.sleep(0.007)  # no divisor of a turn
    assert stopped / 300 == pytest.approx(0.7, abs=0.15)
    assert [fault["share"] for fault in cluster.status().faults] == [0.3]
    assert cluster.resume(one).processes[0].done
    assert cluster.status().faults == ()

    planned = cluster.partition("leader", after_s=0.5, for_s=1.0)
    assert (planned.targets, planned.in_s) == (("leader",), 0.5)
    assert [each["order"] for each in cluster.status().planned] == ["partition leader"]

    until(lambda: cluster.status().faults, 20)
    until(lambda: not cluster.status().faults, 20)

    def kinds() -> list[str]:
        return [event.kind for event in cluster.events() if event.kind.startswith("fault.")]

    # The event comes when the links have taken it, a moment after the fault has gone from the status.
    until(lambda: kinds()[-1] == Kind.FAULT_HEALED, 20, kinds)
    assert kinds()[-3:] == [Kind.FAULT_PLANNED, Kind.FAULT_APPLIED, Kind.FAULT_HEALED]
    cluster.starve(leader, share=0.5, for_s=0.5, wait=False)
    until(lambda: not cluster.status().faults, 20)
    assert process.status() != psutil.STATUS_STOPPED


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2))
def test_all_faults_at_once_by_lot_and_one_heal_makes_a_whole_cluster(
    cluster_of: ClusterMaker, seed: int
) -> None:
    cluster, draw = cluster_of(5, client_links=True), random.Random(seed)
    orders_s = []
    for _ in range(200):
        drawn = faultcourse.fault(draw, cluster.members)
        method = getattr(cluster, verbs.named(drawn.verb).identifier)
        how = dict(drawn.options)
        began = time.monotonic()
        if drawn.verb == "cut":
            method(*drawn.select, *drawn.versus, wait=False, **how)
        else:
            method(
                *drawn.select,
                **({"versus": drawn.versus} if drawn.versus else {}),
                wait=False,
                **how,
            )
        orders_s.append(time.monotonic() - began)
        match draw.randrange(8):
            case 0:
                cluster.heal(wait=False)
                assert cluster.status().faults == ()
            case 1:
                cluster.kill(draw.choice(cluster.members), wait=False)
            case 2:
                with suppress(SandboxError):  # cut off as it is, it may not become ready
                    cluster.start("all", wait=False, timeout_s=1)
    assert statistics.median(orders_s) < 0.05
    cluster.heal(wait=False)
    assert (cluster.status().faults, cluster.status().planned) == ((), ())
    cluster.start("all", timeout_s=60)
    cluster.wait_healthy(timeout_s=60)
    for endpoint in cluster.endpoints:
        put(endpoint, "key", "whole")
    assert cluster.status().faults == ()
