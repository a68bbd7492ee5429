"""A cluster that is brought back to how it began, on real etcd: as it runs, or by a new start."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox import AsyncCluster, Cluster, SandboxError
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.pytest_plugin import EtcdClusterFactory

from tests import etcd_versions
from tests.conftest import SandboxCommand


@pytest.fixture(autouse=True)
def own_home(sandbox_command: SandboxCommand, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state home of this test's own; when the test is over, nothing that was started may live."""
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(sandbox_command.home))
    return sandbox_command.home


def pids(cluster: Cluster) -> list[int | None]:
    return [member.pid for member in cluster.status().members]


def raise_nospace(cluster: Cluster) -> None:
    member = cluster.status().members[0]
    alarm = {"action": "ACTIVATE", "memberID": str(int(str(member.id), 16)), "alarm": "NOSPACE"}
    url = f"{member.client_url}/v3/maintenance/alarm"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(alarm).encode())) as answer:
        answer.read()


def put_large_values(cluster: Cluster, count: int) -> None:
    for number in range(count):
        cluster.ctl("put", f"key{number}", "x" * 100_000)


def switch_authentication_on(cluster: Cluster) -> None:
    cluster.ctl("user", "add", "root:secret")
    cluster.ctl("user", "grant-role", "root", "root")
    cluster.ctl("auth", "enable")


def test_what_clients_put_into_a_cluster_is_gone_and_its_members_run_on(
    etcd_cluster_factory: EtcdClusterFactory, etcd_binary: EtcdBinary
) -> None:
    cluster = etcd_cluster_factory(etcd=etcd_binary.path, members=1)
    cluster.reset()
    before = pids(cluster)
    for key in ("a", "b", "\u00e9"):
        cluster.ctl("put", key, "value")
    cluster.ctl("lease", "grant", "600")
    cluster.ctl("user", "add", "alice:secret")
    cluster.ctl("role", "add", "readers")
    raise_nospace(cluster)
    cluster.reset()
    assert cluster.ctl("get", "", "--prefix", "--keys-only") == ""
    assert "found 0 leases" in cluster.ctl("lease", "list")
    assert cluster.ctl("user", "list") == cluster.ctl("role", "list") == ""
    assert cluster.ctl("alarm", "list") == ""
    with pytest.raises(SandboxError, match="failed") as caught:
        cluster.ctl("get", "a", "--rev=2")
    assert "has been compacted" in caught.value.detail
    assert pids(cluster) == before


def test_a_full_member_takes_writes_again(
    etcd_cluster_factory: EtcdClusterFactory, tmp_path: Path
) -> None:
    profile = tmp_path / "small.toml"
    profile.write_text("[cluster]\nmembers = 1\n[etcd]\nquota-backend-bytes = 2097152\n")
    cluster = etcd_cluster_factory(etcd=etcd_versions.need().path, profile=profile)
    with pytest.raises(SandboxError) as caught:
        put_large_values(cluster, 100)
    assert "database space exceeded" in caught.value.detail
    cluster.reset()
    put_large_values(cluster, 5)


def test_faults_are_healed_and_who_was_ended_runs_again(
    etcd_cluster_factory: EtcdClusterFactory, quick: Path
) -> None:
    cluster = etcd_cluster_factory(etcd=etcd_versions.need().path, profile=quick)
    first, second, third = pids(cluster)
    cluster.partition("infra1", wait=False)
    cluster.pause("infra2", wait=False)
    cluster.kill("infra3", wait=False)
    cluster.reset()
    status = cluster.wait_healthy(0.0)
    assert status.faults == ()
    assert pids(cluster)[:2] == [first, second]
    assert pids(cluster)[2] not in (None, third)
    cluster.ctl("put", "key", "value")


def test_what_a_running_cluster_cannot_undo_takes_a_new_start_at_the_same_ports(
    etcd_cluster_factory: EtcdClusterFactory,
) -> None:
    cluster = etcd_cluster_factory(etcd=etcd_versions.need().path, members=1)
    endpoints, members, ids = cluster.endpoints, cluster.members, ids_of(cluster)
    cluster.add(wait=False)
    cluster.reset()
    assert (cluster.endpoints, cluster.members) == (endpoints, members)
    switch_authentication_on(cluster)
    with Cluster.attach(cluster.name) as attached:
        with pytest.raises(SandboxError, match="while it runs: authentication is on") as caught:
            attached.reset()
        assert caught.value.hint == "nor is it started anew: this program did not start it"
    with Cluster.attach(cluster.name, user="root:secret") as attached:
        assert attached.ctl("put", "key", "value") == "OK\n"
        assert attached.ctl("get", "key", "--print-value-only", "--user=root:secret") == "value\n"
    cluster.reset()
    cluster.ctl("put", "key", "value")
    assert (cluster.endpoints, ids_of(cluster)) == (endpoints, ids)


def ids_of(cluster: Cluster) -> list[str | None]:
    return [member.id for member in cluster.status().members]


def test_the_data_of_a_procfile_is_never_deleted_by_a_reset(
    etcd_cluster_factory: EtcdClusterFactory, tmp_path: Path
) -> None:
    from tests.etcd.ports import free_ports

    client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    procfile = tmp_path / "Procfile"
    procfile.write_text(
        f"only: {etcd_versions.need().path} --data-dir {tmp_path}/kept --advertise-client-urls {client} "
        f"--listen-client-urls {client} --listen-peer-urls {peer}\n"
    )
    cluster = etcd_cluster_factory(procfile=procfile)
    cluster.ctl("put", "key", "value")
    cluster.reset()
    assert cluster.ctl("get", "key") == ""
    switch_authentication_on(cluster)
    with pytest.raises(SandboxError, match="authentication is on") as caught:
        cluster.reset()
    assert "which is not ours to delete" in caught.value.hint
    assert (tmp_path / "kept" / "member").is_dir()


def test_an_asynchronous_cluster_is_reset_as_well() -> None:
    async def go() -> tuple[Any, ...]:
        etcd = etcd_versions.need().path
        async with AsyncCluster(members=1, base_port="auto", etcd=etcd) as cluster:
            await cluster.ctl("put", "key", "value")
            await cluster.reset()
            empty = await cluster.ctl("get", "key")
            before = (await cluster.status()).supervisor.pid
            await cluster.add(wait=False)
            await cluster.reset()
            return empty, before, (await cluster.status()).supervisor.pid, cluster.members

    empty, before, after, members = asyncio.run(go())
    assert empty == ""
    assert after != before
    assert members == ("infra1",)


@pytest.mark.parametrize("etcd_binary", ["3.4", "3.6"], indirect=True)
def test_a_file_that_a_member_logs_to_elsewhere_is_named_and_left(
    sandbox_command: SandboxCommand, etcd_binary: EtcdBinary, tmp_path: Path
) -> None:
    log, profile = tmp_path / "elsewhere.log", tmp_path / "logging.toml"
    profile.write_text(f'[cluster]\nmembers = 1\n[etcd]\nlog-outputs = "stderr,{log}"\n')
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_binary.path
    up = ("up", "-d", "--base-port", "auto", "-p", str(profile))
    assert "logs to" not in sandbox_command(*up).stderr
    stays = f"what etcd itself logs to is not ours, and stays: {log}"
    sandbox_command("down")

    assert stays in sandbox_command(*up, "--fresh").stderr
    running = sandbox_command("down", "--purge").stdout
    sandbox_command(*up)
    sandbox_command("down")
    stopped = sandbox_command("down", "--purge").stdout

    for purged in (running, stopped):
        assert f"purged default: no data or plan is left; {stays}" in purged
    assert log.stat().st_size > 0
