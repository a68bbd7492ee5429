"""Faults at bad moments: at the start, twice, on who is down, all at once; a clear answer every time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from etcd_sandbox import Cluster, Verdict
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.model.state import ProcessState

from tests.conftest import SandboxCommand, until
from tests.etcd.client import get, is_put, put, serves_metrics
from tests.etcd.conftest import ClusterMaker
from tests.etcd.traffic import assert_nothing_crosses, between, url
from tests.etcd.views import leader_of
from tests.programs import can_be_bound

NOT_YET = ("no cluster", "is still starting")
"""What a command is told that comes before the supervisor…"""

NOT_BEGUN = ("nothing to do",)
"""…and one that comes before the member."""


@pytest.fixture
def on_etcd(sandbox_command: SandboxCommand, etcd_binary: EtcdBinary) -> SandboxCommand:
    """The command, with the etcd of this round."""
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_binary.path
    return sandbox_command


WAITS_TO_BE_TOLD = """\
#!/bin/sh
case "$*" in *--version*) ;; *) until [ -e "${0%/*}/go" ]; do sleep 0.05; done ;; esac
exec "${0%/*}/real" "$@"
"""


class HeldUpStart:
    """`up` of three members, of which the third only starts when it is told to."""

    def __init__(self, command: SandboxCommand, etcd: EtcdBinary, directory: Path) -> None:
        self._command = command
        self._go = directory / "go"
        late = directory / "etcd"
        late.write_text(WAITS_TO_BE_TOLD)
        late.chmod(0o755)
        (directory / "real").symlink_to(etcd.path)
        profile = directory / "late.toml"
        profile.write_text(
            f'[cluster]\nmembers = 3\n[[member]]\nname = "infra3"\netcd = "{late}"\n'
        )
        how = ("-d", "--base-port", "auto", "--timeout", "110s")
        self._up = command.popen("up", "-p", str(profile), *how)

    def at_once(self, *args: str) -> subprocess.CompletedProcess[str]:
        """The first answer to this command that is about a member which has begun."""
        while True:
            done = self._command(*args, code=None)
            too_early = NOT_BEGUN if done.returncode == 0 else NOT_YET
            if not any(words in done.stdout + done.stderr for words in too_early):
                return done
            assert self._up.poll() is None, self._up.communicate()

    def go_on(self) -> None:
        """The third member may start."""
        self._go.touch()

    def ended(self) -> tuple[int, str]:
        """The exit code of `up` and what it complained about."""
        _, said = self._up.communicate(timeout=60)
        return self._up.returncode, said.decode()


@pytest.fixture
def held_up(
    on_etcd: SandboxCommand, etcd_binary: EtcdBinary, tmp_path: Path
) -> Iterator[HeldUpStart]:
    """A start that is under way for as long as the test wants."""
    start = HeldUpStart(on_etcd, etcd_binary, tmp_path)
    yield start
    start.go_on()
    start.ended()


def whole(cluster: Cluster) -> bool:
    status = cluster.status()
    return (
        all(member.healthy for member in status.members)
        and len({member.follows for member in status.members}) == 1
        and len({member.raft_index for member in status.members}) == 1
    )


def nothing_done(verdict: Verdict) -> bool:
    return not any(target.done for target in verdict.processes)


def relay_of(cluster: Cluster) -> int | None:
    """The pid of the process of the cluster's links; None while there is none."""
    for child in psutil.Process(cluster.status().supervisor.pid).children():
        with suppress(psutil.Error):
            if "etcd_sandbox.links.relay" in child.cmdline():
                return child.pid
    return None


def test_a_member_that_is_killed_while_the_cluster_starts_ends_the_start(
    on_etcd: SandboxCommand, held_up: HeldUpStart
) -> None:
    killed = held_up.at_once("kill", "infra2")
    code, said = held_up.ended()

    assert code == 1
    assert "infra2 ended while the cluster started (killed by SIGKILL)" in said
    # Who killed it is answered, unless the cluster went before the verdict came.
    if killed.returncode == 0:
        assert "killed infra2 (pid " in killed.stdout
    else:
        assert (
            "error: the supervisor of cluster 'default' ended while it was asked" in killed.stderr
        )
    on_etcd.assert_nothing_left()


@pytest.mark.parametrize("etcd_binary", ["3.5"], indirect=True)
def test_a_member_that_serves_and_is_killed_while_another_one_starts_ends_the_start(
    on_etcd: SandboxCommand, held_up: HeldUpStart
) -> None:
    # The first answer: whoever asks before finds no supervisor.
    held_up.at_once("status", "--json")
    until(lambda: on_etcd.status()["quorum"]["healthy"] == 2, 30)

    on_etcd("kill", "infra2", "--no-wait", code=None)

    code, said = held_up.ended()
    assert (code, "infra2 ended while the cluster started (killed by SIGKILL)" in said) == (1, True)
    on_etcd.assert_nothing_left()


@pytest.mark.parametrize("fault", ["partition", "pause"])
def test_a_member_that_is_cut_off_or_paused_while_the_cluster_starts_joins_when_it_is_healed(
    on_etcd: SandboxCommand, held_up: HeldUpStart, fault: str
) -> None:
    assert held_up.at_once(fault, "infra1", "--no-wait").returncode == 0
    assert [entry["kind"] for entry in on_etcd.status()["faults"]] == [fault]
    held_up.go_on()
    until(lambda: on_etcd.status()["quorum"]["healthy"] == 2, 30)

    on_etcd("heal")

    assert held_up.ended()[0] == 0
    until(lambda: all(member["healthy"] for member in on_etcd.status()["members"]), 20)
    assert on_etcd.status()["faults"] == []


def test_the_second_time_there_is_nothing_to_do_and_it_is_said(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(profile=quick)
    assert nothing_done(cluster.heal())
    leader = leader_of(cluster)

    first = cluster.cut("infra1", "infra2", wait=False)
    second = cluster.cut("infra2", "infra1")
    assert not nothing_done(first)
    assert nothing_done(second)
    assert len(cluster.status().faults) == 1
    assert not nothing_done(cluster.heal())
    assert nothing_done(cluster.heal())

    follower = next(name for name in cluster.members if name != leader)
    breaking: list[Callable[..., Verdict]] = [cluster.pause, cluster.kill, cluster.partition]
    for verb in breaking:
        first, second = verb(follower, wait=False), verb(follower)
        assert first.targets == second.targets == (follower,)
        assert not nothing_done(first)
        assert nothing_done(second)
        assert second.settled
    cluster.heal()
    # Those that are down can be meant by anything, and stay down.
    for verb in (cluster.stop, cluster.pause, cluster.resume, cluster.kill):
        assert nothing_done(verb(follower, wait=False))
    states = {member.name: member.state for member in cluster.status().members}
    assert states[follower] is ProcessState.EXITED

    # One that is cut off while it is down is cut off when it is back.
    cluster.partition(follower, wait=False)
    cluster.start(follower, timeout_s=10)
    until(lambda: serves_metrics(url(cluster, follower)), 20)
    alive = [name for name in cluster.members if name != follower]
    assert_nothing_crosses(cluster, between([follower], alive), between(alive, alive))
    cluster.heal()
    cluster.start("all")
    until(lambda: whole(cluster), 20, cluster.status)


def test_three_that_kill_the_leader_at_once_hit_three_leaders(
    cluster_of: ClusterMaker, sandbox_command: SandboxCommand, quick: Path
) -> None:
    cluster = cluster_of(5, profile=quick)
    first = leader_of(cluster)
    killers = [
        sandbox_command.popen("-c", cluster.name, "kill", "leader", "--json") for _ in range(3)
    ]
    answers = [killer.communicate(timeout=90) for killer in killers]
    assert [killer.returncode for killer in killers] == [0, 0, 0], answers
    targets = [target for said, _ in answers for target in json.loads(said)["processes"]]

    assert len({target["member"] for target in targets}) == len(targets) == 3
    assert first in {target["member"] for target in targets}
    assert all(target["was_leader"] and target["done"] for target in targets)
    status = cluster.status()
    dead = {member.name for member in status.members if member.state is ProcessState.EXITED}
    assert dead == {target["member"] for target in targets}
    assert not status.quorum.ok
    told = [e for e in cluster.events() if e.kind in (Kind.LEADER_ELECTED, Kind.PROCESS_EXITED)]
    # A cluster may elect more than once while it starts.
    crash = next(at for at, event in enumerate(told) if event.kind is Kind.PROCESS_EXITED)
    elected = [event.member for event in told[crash - 1 :] if event.kind is Kind.LEADER_ELECTED]
    assert elected[0] == first
    assert set(elected) == dead


def test_one_heal_and_one_start_undo_whatever_was_broken_at_once(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(5, profile=quick)
    put(cluster.endpoints[0], "key", "value")
    with ThreadPoolExecutor() as pool:
        faults = [
            pool.submit(cluster.partition, "infra1"),
            pool.submit(cluster.pause, "infra2"),
            pool.submit(cluster.slow, "all", delay_s=0.02),
            pool.submit(cluster.cut, "infra3", "infra4"),
            pool.submit(cluster.kill, "infra5"),
            pool.submit(cluster.stop, "infra4"),
        ]
        assert all(not nothing_done(fault.result()) for fault in faults)
    assert sorted(str(fault["kind"]) for fault in cluster.status().faults) == [
        "cut",
        "partition",
        "pause",
        "slow",
    ]

    cluster.heal(wait=False)
    cluster.start("all")

    until(lambda: whole(cluster), 30, cluster.status)
    assert cluster.status().faults == ()
    assert {get(endpoint, "key") for endpoint in cluster.endpoints} == {"value"}


def test_down_with_faults_on_leaves_nothing(cluster_of: ClusterMaker, quick: Path) -> None:
    cluster = cluster_of(profile=quick)
    cluster.partition("infra1", wait=False)
    cluster.slow("all", delay_s=0.5, wait=False)
    cluster.pause("infra2", wait=False)
    status = cluster.status()
    pids = [status.supervisor.pid, relay_of(cluster), *(m.pid for m in status.members)]
    first_ports = [int(endpoint.rpartition(":")[2]) for endpoint in cluster.endpoints]

    cluster.down()

    assert None not in pids
    assert [pid for pid in pids if pid and psutil.pid_exists(pid)] == []
    ports = [port + offset for port in first_ports for offset in range(4)]
    assert [port for port in ports if not can_be_bound(port)] == []


def test_links_that_are_killed_come_back_and_keep_their_rules(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(profile=quick)

    def kill_links() -> None:
        pid = relay_of(cluster)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: relay_of(cluster) not in (None, pid), 20)

    kill_links()
    # What was on its way to the leader is lost, and etcd does not send it again.
    for endpoint in cluster.endpoints:
        until(lambda to=endpoint: is_put(to, "key", "after the links"), 20)  # type: ignore[misc]
    until(lambda: whole(cluster), 20, cluster.status)

    old = leader_of(cluster)
    verdict = cluster.partition("leader")
    others = [name for name in cluster.members if name != old]
    assert verdict.leader_after in others
    kill_links()
    until(lambda: is_put(url(cluster, others[0]), "key", "during the partition"), 20)
    assert_nothing_crosses(cluster, between([old], others), between(others, others))
    assert get(url(cluster, old), "key", serializable=True) == "after the links"

    cluster.heal()
    until(lambda: whole(cluster), 20, cluster.status)
    assert get(url(cluster, old), "key") == "during the partition"
