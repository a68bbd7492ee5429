"""Bugs of etcd that only a disk shows, on the releases that have them and on those that do not; and strace as another witness."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import threading
import time
from pathlib import Path

import pytest
from etcd_sandbox.disks.possible import why_not
from etcd_sandbox.model.state import ProcessState

from tests import etcd_versions
from tests.conftest import until
from tests.etcd.client import ask, get, is_put, put
from tests.etcd.conftest import ClusterMaker
from tests.etcd.traffic import url
from tests.etcd.views import leader_and_followers, leader_of

HELD_S = 8.0
TTL_S = 3

ENDS_OF_EIO = {
    '"failed to save Raft hard state and entries","error":"input/output error"',
    '"failed to commit tx","error":"input/output error"',
}
"""What etcd 3.6 and 3.7 say when a sync fails."""


@pytest.fixture(autouse=True)
def possible() -> None:
    """Skips where no process can have the filter."""
    if why := why_not():
        etcd_versions.lacking(why)


@pytest.mark.parametrize(
    ("etcd_binary", "loses"), [("3.5", True), ("3.6", False)], indirect=["etcd_binary"]
)
def test_a_single_member_acknowledged_what_its_log_had_not_etcd_14370(
    cluster_of: ClusterMaker, quick: Path, loses: bool
) -> None:
    cluster = cluster_of(profile=quick, members=1)
    put(url(cluster, "infra1"), "before", "1")
    cluster.slow_disk("infra1", delay_s=20.0, on="wal", calls="write", wait=False)
    acknowledged = is_put(url(cluster, "infra1"), "k", "v", timeout_s=3.0)
    cluster.kill("infra1", wait=False)
    cluster.heal(wait=False)
    cluster.start("infra1")
    assert get(url(cluster, "infra1"), "before") == "1"
    assert acknowledged is loses
    assert get(url(cluster, "infra1"), "k") is None


@pytest.mark.parametrize(
    ("etcd_binary", "loses"), [("3.5", True), ("3.6", False)], indirect=["etcd_binary"]
)
def test_a_leader_that_its_disk_held_revokes_a_lease_that_was_kept_alive_etcd_15247(
    cluster_of: ClusterMaker, loses: bool
) -> None:
    cluster = cluster_of(disk_faults=True)
    leader, (follower, _) = leader_and_followers(cluster)
    there = url(cluster, follower)
    lease = ask(there, "lease/grant", TTL=str(TTL_S))["ID"]
    ask(there, "kv/put", key="aw==", value="dg==", lease=lease)
    over = threading.Event()

    def keep_alive() -> None:
        while not over.wait(0.3):
            try:
                ask(there, "lease/keepalive", ID=lease)
            except OSError:
                continue  # Nobody leads for a moment.

    keeping = threading.Thread(target=keep_alive)
    keeping.start()
    try:
        cluster.slow_disk(leader, delay_s=HELD_S, on="wal", once=1, wait=False)
        held = time.monotonic()
        is_put(there, "next", "1")  # what the disk is asked for
        if loses:
            until(lambda: get(there, "k", serializable=True) is None, 3 * HELD_S)
        else:
            until(lambda: time.monotonic() - held > HELD_S + TTL_S, 3 * HELD_S)
            assert get(there, "k", serializable=True) == "v"
        assert leader_of(cluster) != leader
    finally:
        over.set()
        keeping.join()


def is_traced(pid: int, tracer: int) -> bool:
    """Whether the tracer has the process, or has ended it already."""
    try:
        return f"TracerPid:\t{tracer}" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def test_strace_shows_the_same_of_a_slow_disk_and_of_a_failing_one(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    strace = shutil.which("strace") or etcd_versions.lacking("strace is not here")
    cluster = cluster_of(profile=quick, members=1)
    there, delay_s = url(cluster, "infra1"), 0.15

    def put_s() -> float:
        took = []
        for number in range(5):
            began = time.monotonic()
            put(there, "k", str(number))
            took.append(time.monotonic() - began)
        return statistics.median(took)

    def traced(inject: str) -> subprocess.Popen[bytes]:
        (member,) = cluster.status().members
        command = (strace, "-f", "-qq", "-o", "/dev/null", "-p", str(member.pid))
        tracer = subprocess.Popen([*command, "-e", f"inject=fdatasync:{inject}"])
        until(lambda: is_traced(member.pid or 0, tracer.pid), 20)
        return tracer

    def ended_by(inject: str | None) -> str:
        if inject is None:
            cluster.fail_disk("infra1", wait=False)
        else:
            tracer = traced(inject)
        is_put(there, "last", "1")
        until(lambda: cluster.status().members[0].state is ProcessState.EXITED, 20)
        if inject is None:
            cluster.heal(wait=False)
        else:
            tracer.wait(20)
        lines = [line.text for line in cluster.logs("infra1") if '"fatal"' in line.text]
        cluster.start("infra1")
        return lines[-1].partition('"msg":')[2].partition(',"stacktrace"')[0]

    calm_s = put_s()
    tracer = traced(f"delay_enter={int(delay_s * 1e6)}")
    strace_s = put_s()
    tracer.terminate()
    tracer.wait(20)
    cluster.slow_disk("infra1", delay_s=delay_s, wait=False)
    ours_s = put_s()
    cluster.heal(wait=False)
    assert calm_s < delay_s / 2
    assert strace_s == pytest.approx(ours_s, rel=0.5)
    assert min(strace_s, ours_s) >= delay_s
    # Whether the log or the database is hit first is chance.
    for ended in (ended_by("error=EIO"), ended_by(None)):
        assert ended in ENDS_OF_EIO
