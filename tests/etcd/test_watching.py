"""What the control API lets be watched of real members: whether clients are served, one member from near."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec
import pytest
from etcd_sandbox.api.cluster import Cluster
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.service import Bucket
from etcd_sandbox.paths import cluster_paths
from etcd_sandbox.tui.store import Store

MakeCluster = Callable[..., Cluster]

MOST_BUCKETS = 300
"""Half a minute of them: a split vote alone takes some seconds."""


def client_of(cluster: Cluster) -> ControlClient:
    return ControlClient(cluster_paths(cluster.name))


def until_seen(buckets: Iterator[dict[str, int]], what: str, pattern: list[bool]) -> None:
    """Read on until the last buckets are of the pattern: whether there were any of `what`."""
    seen: list[bool] = []
    for bucket in islice(buckets, MOST_BUCKETS):
        seen.append(bucket[what] > 0)
        if seen[-len(pattern) :] == pattern:
            return
    pytest.fail(f"not within {MOST_BUCKETS} buckets: {what} {pattern}; there were {seen}")


def test_availability_shows_the_outage_of_a_crash_and_its_end(cluster_of: MakeCluster) -> None:
    cluster = cluster_of()
    buckets = client_of(cluster).availability()
    store = Store(cluster="default")

    def kept() -> Iterator[dict[str, Any]]:
        for bucket in buckets:
            store.take_bucket(msgspec.convert(bucket, Bucket))
            yield bucket

    watched = kept()
    until_seen(watched, "reads", [True] * 5)
    killed = cluster.kill("leader")
    # The stream goes on meanwhile: what was while the verdict was awaited is in it.
    until_seen(watched, "reads", [False])
    until_seen(watched, "reads", [True] * 5)
    longest = max(store.outages, key=lambda outage: outage.seconds)
    assert longest.ended_us is not None
    assert killed.read_gap_s == pytest.approx((longest.ended_us - longest.began_us) / 1e6, abs=0.06)


def test_writes_are_tried_only_for_who_wants_them(cluster_of: MakeCluster) -> None:
    cluster = cluster_of(profile="fast")
    before = cluster.status().members[0].revision
    reading = client_of(cluster).availability()
    assert {next(reading)["writes"] for _ in range(5)} == {0}
    assert cluster.status().members[0].revision == before
    writing = client_of(cluster).availability(writes=True)
    until_seen(writing, "writes", [True] * 3)
    after = cluster.status().members[0].revision
    assert after is not None
    assert before is not None
    assert after > before


@pytest.mark.parametrize("etcd_binary", ["3.6"], indirect=True)
def test_members_that_answer_late_have_not_lost_their_quorum(cluster_of: MakeCluster) -> None:
    cluster = cluster_of()
    pids = [member.pid for member in cluster.status().members if member.pid]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    # Nothing to wait for: whoever looks once a second must have met members that are silent.
    time.sleep(1.5)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    cluster.wait_healthy()
    cluster.kill("leader")  # what comes behind is told as well
    kinds = [event.kind for event in cluster.events()]
    assert Kind.QUORUM_LOST not in kinds
    assert Kind.PROCESS_EXITED in kinds


def test_one_member_from_near_tells_how_it_was_executed_and_what_it_knows(
    cluster_of: MakeCluster,
) -> None:
    cluster = cluster_of()
    cluster.ctl("put", "key", "value")
    detail = client_of(cluster).detail("leader")
    assert detail["argv"][0].endswith("etcd")
    assert f"--name={detail['member']['name']}" in detail["argv"]
    assert {peer["name"] for peer in detail["peers"]} == set(cluster.members)
    metrics = detail["metrics"]
    assert metrics["fsync"]["count"] > 0
    assert metrics["fsync"]["seconds"] > 0
    assert metrics["proposals_committed"] > 0
    assert metrics["puts"] >= 1
    cluster.kill("infra2")
    dead = client_of(cluster).detail("infra2")
    assert (dead["state"], dead["exit"]["signal"]) == ("exited", "SIGKILL")
    assert dead["peers"] is None
    assert dead["metrics"] is None
