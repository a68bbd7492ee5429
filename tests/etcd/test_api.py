"""The Python API on real etcd: bring up, use, break, and nothing is left."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
import urllib.request
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox import (
    AsyncCluster,
    Cluster,
    InputError,
    NotRunning,
    SandboxError,
    TimedOut,
    Verdict,
)
from etcd_sandbox.api.facts import ClusterArguments
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.pytest_plugin import EtcdClusterFactory

from tests import etcd_versions
from tests.conftest import SandboxCommand, until
from tests.etcd.ports import free_block


@pytest.fixture(autouse=True)
def own_home(sandbox_command: SandboxCommand, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state home of this test's own; when the test is over, nothing that was started may live."""
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(sandbox_command.home))
    return sandbox_command.home


@pytest.fixture
def etcd() -> str:
    """One etcd, for what is the same with each."""
    return etcd_versions.need().path


NO_ELECTION = """
[etcd]
election-timeout = 40_000
initial-election-tick-advance = false
"""
"""A cluster of these members is not ready for as long as any test takes."""


def ask(endpoint: str, question: str, **body: str) -> dict[str, Any]:
    """One question to etcd's JSON gateway; keys and values are base64."""
    coded = {name: base64.b64encode(text.encode()).decode() for name, text in body.items()}
    request = urllib.request.Request(
        f"{endpoint}/v3/kv/{question}", json.dumps(coded).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def value_in(answer: dict[str, Any]) -> str:
    [pair] = answer["kvs"]
    return base64.b64decode(pair["value"]).decode()


def test_a_cluster_answers_at_every_endpoint_and_tells_what_a_crash_did(
    etcd_cluster_factory: EtcdClusterFactory, etcd_binary: EtcdBinary
) -> None:
    cluster = etcd_cluster_factory(etcd=etcd_binary.path)
    assert len(cluster.endpoints) == 3
    ask(cluster.endpoints[0], "put", key="greeting", value="hello")
    for endpoint in cluster.endpoints:
        assert value_in(ask(endpoint, "range", key="greeting")) == "hello"

    before = cluster.wait_healthy()
    verdict = cluster.kill("leader")
    assert isinstance(verdict, Verdict)
    assert verdict.targets == (before.leader,)
    assert verdict.leader_after not in (None, before.leader)
    assert before.term is not None
    assert verdict.term_after is not None
    assert verdict.term_after > before.term
    assert verdict.leader_gap_s is not None
    assert verdict.read_gap_s is not None
    assert 0.1 < verdict.leader_gap_s < 10
    assert verdict.read_gap_s > 0.1
    assert verdict.quorum is not None
    assert (verdict.quorum.healthy, verdict.quorum.ok) == (2, True)

    cluster.start("all")
    status = cluster.wait_healthy()
    assert [member.version for member in status.members] == [etcd_binary.version] * 3


def test_faults_are_made_and_healed(etcd_cluster_factory: EtcdClusterFactory, etcd: str) -> None:
    cluster = etcd_cluster_factory(etcd=etcd, profile="fast")
    paused = cluster.pause("followers", wait=False)
    assert len(paused.targets) == 2
    assert paused.leader_gap_s is None
    assert set(cluster.heal().targets) == set(paused.targets)
    cluster.wait_healthy()

    leader = cluster.leader()
    assert leader is not None
    [other, third] = [name for name in cluster.members if name != leader]
    cut_off = cluster.partition("leader")
    assert cut_off.targets == (leader,)
    assert set(cut_off.versus) == {other, third}
    assert cut_off.leader_after in (other, third)
    cluster.heal()
    cluster.wait_healthy()
    slowed = cluster.slow("all", delay_s=0.02, jitter_s=0.01)
    assert slowed.leader_after is not None
    cluster.cut(other, third)
    assert len(cluster.status().faults) >= 2
    cluster.heal()
    assert cluster.status().faults == ()
    cluster.wait_healthy()

    assert cluster.move_leader(third).leader_after == third
    cluster.stop(other)
    # Of two that are left on a busy machine the leader may have lost an election by now.
    restarted = cluster.restart("leader", timeout_s=20)
    assert restarted.targets == (restarted.leader_before,)
    assert restarted.leader_before in (leader, third)
    cluster.start(other)
    cluster.wait_healthy()


def test_failover_tells_each_round_and_leaves_the_cluster_whole(
    etcd_cluster_factory: EtcdClusterFactory, etcd: str
) -> None:
    cluster = etcd_cluster_factory(etcd=etcd, profile="fast")
    cluster.wait_healthy()
    done = list(cluster.failover(2, how="stop"))
    assert [each.number for each in done] == [1, 2]
    assert done[0].verdict.leader_after == done[1].verdict.leader_before
    assert all(member.healthy for member in cluster.status().members)

    async def story() -> list[int]:
        async with AsyncCluster.attach(cluster.name) as same:
            return [each.number async for each in same.failover(1, how="kill")]

    assert asyncio.run(story()) == [1]
    with pytest.raises(InputError, match="'crush' is no way to lose a leader"):
        cluster.failover(how="crush")


def test_two_clusters_live_side_by_side(
    etcd_cluster_factory: EtcdClusterFactory, etcd: str
) -> None:
    one = etcd_cluster_factory(etcd=etcd, members=1)
    other = etcd_cluster_factory(etcd=etcd, members=3, profile="fast")
    assert one.name != other.name
    assert not set(one.endpoints) & set(other.endpoints)
    assert one.ctl("put", "key", "of one") == "OK\n"
    assert other.ctl("put", "key", "of the other") == "OK\n"
    assert one.ctl("get", "key", "--print-value-only") == "of one\n"
    other.down()
    assert one.wait_healthy().cluster == one.name


def test_etcdctls_complaint_is_the_errors(
    etcd_cluster_factory: EtcdClusterFactory, etcd: str
) -> None:
    cluster = etcd_cluster_factory(etcd=etcd, members=1)
    with pytest.raises(SandboxError, match="etcdctl member remove 1 failed") as caught:
        cluster.ctl("member", "remove", "1")
    assert "not found" in "".join(caught.value.__notes__)


def test_the_asynchronous_cluster_does_the_same(etcd: str, own_home: Path) -> None:
    async def story() -> None:
        async with AsyncCluster(members=3, etcd=etcd, base_port="auto") as cluster:
            assert await cluster.ctl("put", "key", "value") == "OK\n"
            leader = await cluster.leader()
            seen: list[Event] = []

            async def watch() -> None:
                async with aclosing(cluster.events(follow=True, tail=0)) as events:
                    async for event in events:
                        seen.append(event)
                        if event.kind is Kind.LEADER_ELECTED:
                            return

            watching = asyncio.create_task(watch())
            verdict = await cluster.kill("leader")
            await asyncio.wait_for(watching, 20)
            assert seen[-1].member == verdict.leader_after
            assert verdict.leader_before == leader
            await cluster.start("all")
            await cluster.wait_healthy()
            assert [line async for line in cluster.logs("infra1", tail=1)] != []
        assert not cluster.is_up

    asyncio.run(story())
    assert list(own_home.iterdir()) == []


def test_an_asynchronous_start_that_is_cancelled_leaves_nothing(
    etcd: str, sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    profile = tmp_path / "slow.toml"
    profile.write_text(NO_ELECTION)

    async def story() -> None:
        cluster = AsyncCluster(profile=profile, etcd=etcd, base_port="auto")
        starting = asyncio.create_task(cluster.up())
        await asyncio.to_thread(until, sandbox_command.ours)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    asyncio.run(story())
    sandbox_command.assert_nothing_left()
    assert list(sandbox_command.home.iterdir()) == []


def test_a_terminal_can_look_at_the_cluster_that_a_program_holds(
    sandbox_command: SandboxCommand, etcd: str
) -> None:
    with Cluster(members=1, etcd=etcd, base_port="auto") as cluster:
        told = json.loads(sandbox_command("-c", cluster.name, "status", "--json").stdout)
        assert told["leader"] == "infra1"
        assert cluster.name in sandbox_command("ls").stdout
        with Cluster.attach(cluster.name) as same:
            assert same.endpoints == cluster.endpoints
            assert same.leader() == "infra1"
        assert cluster.leader() == "infra1"


def test_after_the_block_the_cluster_is_gone(
    sandbox_command: SandboxCommand, own_home: Path, etcd: str
) -> None:
    with pytest.raises(ZeroDivisionError), Cluster(etcd=etcd, base_port="auto") as cluster:  # noqa: PT012
        name = cluster.name
        _ = 1 / 0
    with pytest.raises(NotRunning):
        Cluster.attach(name)
    sandbox_command.assert_nothing_left()
    assert list(own_home.iterdir()) == []


OWNER = """
import sys, time
from etcd_sandbox import Cluster
Cluster(members=3, base_port="auto", etcd=sys.argv[1]).up()
print("up", flush=True)
time.sleep(3600)
"""


def test_when_its_program_is_killed_the_cluster_stops_and_the_next_start_clears_its_files(
    sandbox_command: SandboxCommand, own_home: Path, etcd: str
) -> None:
    environment = {**sandbox_command.env, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-P", "-c", OWNER, etcd], env=environment, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        [left] = own_home.iterdir()
        owner.kill()
    sandbox_command.assert_nothing_left()
    with Cluster(members=1, base_port="auto", etcd=etcd):
        assert not left.exists()
    assert list(own_home.iterdir()) == []


def test_data_that_is_kept_is_there_again_under_the_same_name(own_home: Path, etcd: str) -> None:
    port = free_block(1)

    def kept() -> Cluster:
        return Cluster(name="mine", keep_data=True, members=1, base_port=port, etcd=etcd)

    with kept() as cluster:
        cluster.ctl("put", "key", "value")
    with kept() as cluster:
        assert cluster.ctl("get", "key", "--print-value-only") == "value\n"
    with pytest.raises(InputError, match="were to be kept"):
        Cluster(name="mine", etcd=etcd).up()
    assert [path.name for path in own_home.iterdir()] == ["mine"]


def test_a_start_that_fails_says_why_and_leaves_nothing(own_home: Path, etcd: str) -> None:
    profile = own_home / "broken.toml"
    profile.write_text('[etcd]\nauto-compaction-mode = "nonsense"\n')
    with pytest.raises(SandboxError, match=r"infra\d ended while the cluster started") as caught:
        Cluster(profile=profile, etcd=etcd, base_port="auto").up()
    assert caught.value.detail.strip() in "".join(caught.value.__notes__)
    assert caught.value.detail.strip() != ""
    assert list(own_home.iterdir()) == [profile]


def test_a_start_that_takes_too_long_is_undone_and_shows_the_last_lines(
    own_home: Path, etcd: str
) -> None:
    profile = own_home / "slow.toml"
    profile.write_text(NO_ELECTION)
    wishes: ClusterArguments = {
        "profile": profile,
        "etcd": etcd,
        "base_port": "auto",
        "timeout_s": 2,
    }
    with pytest.raises(TimedOut, match="not ready within 2 s") as caught:
        Cluster(**wishes).up()
    assert re.search(r"^etcd\d \| ", caught.value.detail, re.MULTILINE)
    with pytest.raises(TimedOut, match="not ready within 2 s"):
        asyncio.run(AsyncCluster(**wishes).up())
    assert list(own_home.iterdir()) == [profile]
