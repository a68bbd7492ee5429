"""Disks that are slow, or fail, on real etcd: what its own metrics, its clients and its log say of them."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import psutil
import pytest
from etcd_sandbox import Cluster, SandboxError
from etcd_sandbox.disks.possible import why_not
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.state import MemberStatus, ProcessState

from tests import etcd_versions
from tests.conftest import until
from tests.etcd.client import get, put
from tests.etcd.conftest import ClusterMaker
from tests.etcd.traffic import url
from tests.etcd.views import leader_and_followers

DELAY_S = 0.2
PUTS = 5


@pytest.fixture(autouse=True)
def possible() -> None:
    """Skips where no process can have the filter."""
    if why := why_not():
        etcd_versions.lacking(why)


def put_s(cluster: Cluster, member: str) -> float:
    """How long a put takes there, as its client sees it."""
    took = []
    for number in range(PUTS):
        began = time.monotonic()
        put(url(cluster, member), "k", str(number))
        took.append(time.monotonic() - began)
    return statistics.median(took)


def member(cluster: Cluster, name: str) -> MemberStatus:
    """What `status` says of the member."""
    return next(each for each in cluster.status().members if each.name == name)


def faults(cluster: Cluster) -> list[tuple[object, object]]:
    """Whom `status` names, and with which fault."""
    return [(fault["kind"], fault["member"]) for fault in cluster.status().faults]


def test_a_slow_disk_is_felt_at_the_leader_and_a_failing_one_ends_its_member(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(profile=quick)
    leader, (follower, other) = leader_and_followers(cluster)
    put(url(cluster, leader), "kept", "1")
    calm_s = put_s(cluster, leader)

    # A follower's: the other one makes the quorum. It was restarted, which is said.
    verdict = cluster.slow_disk(follower, delay_s=DELAY_S)
    assert any(follower in note and "restarted" in note for note in verdict.notes)
    (disk,) = verdict.disks
    assert disk.member == follower
    assert disk.wal_sync_s is not None
    assert disk.wal_sync_s >= DELAY_S
    assert (disk.wal_sync_before_s or 0.0) < DELAY_S
    assert verdict.leader_after == leader
    assert put_s(cluster, leader) < calm_s + DELAY_S / 2
    assert faults(cluster) == [("slow-disk", follower)]

    # It stays over a crash of its member; the same fault anew changes nothing.
    cluster.kill(follower)
    cluster.start(follower)
    again = cluster.slow_disk(follower, delay_s=DELAY_S)
    assert not again.notes
    assert [target.done for target in again.processes] == [False]
    assert cluster.heal().leader_after == leader
    assert faults(cluster) == []

    # The leader's: each put waits, and it leads on, also after the restart for the filter.
    verdict = cluster.slow_disk("leader", delay_s=DELAY_S, on="wal", for_s=60.0)
    assert (verdict.leader_before, verdict.leader_after) == (leader, leader)
    assert put_s(cluster, leader) >= DELAY_S
    assert verdict.write_s is not None
    assert verdict.write_s >= DELAY_S
    cluster.heal()
    assert put_s(cluster, leader) < calm_s + DELAY_S / 2

    # A failing one ends its member, by etcd's own decision; healed, it comes back with its data.
    verdict = cluster.fail_disk(other, error="ENOSPC", on="wal", once=1)
    until(lambda: member(cluster, other).state is ProcessState.EXITED, 20)
    until(lambda: not faults(cluster), 20, lambda: faults(cluster))
    lines = "\n".join(line.text for line in cluster.logs(other))
    assert "no space left on device" in lines
    assert cluster.start(other).leader_after == leader
    assert get(url(cluster, other), "kept") == "1"
    story = [(event.kind, event.member) for event in cluster.events() if "fault" in event.kind]
    assert story == [
        (kind, member)
        for member in (follower, leader, other)
        for kind in (Kind.FAULT_APPLIED, Kind.FAULT_HEALED)
    ]

    # A new member in the place of one has a disk of its own, and who is removed takes the fault along.
    cluster.slow_disk(other, delay_s=DELAY_S, wait=False)
    cluster.replace(other)
    assert faults(cluster) == []
    cluster.slow_disk(other, delay_s=DELAY_S, wait=False)
    cluster.remove(other)
    assert faults(cluster) == []
    with pytest.raises(SandboxError, match="was removed"):
        cluster.fail_disk(other)


def test_the_handler_is_killed_again_and_again_and_no_member_notices(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(profile=quick, members=1, disk_faults=True)
    (name,) = (member.name for member in cluster.status().members)
    assert not cluster.slow_disk(name, delay_s=0.01).notes
    supervisor = psutil.Process(psutil.Process(member(cluster, name).pid).ppid())

    def handler() -> psutil.Process | None:
        children = supervisor.children()
        return next((each for each in children if "handler" in " ".join(each.cmdline())), None)

    for number in range(10):
        found = until(handler, 20)
        found.kill()
        found.wait(20)
        put(url(cluster, name), "k", str(number))
    status = member(cluster, name)
    assert (status.healthy, status.restarts) == (True, 0)
    assert faults(cluster) == [("slow-disk", name)]
