"""Snapshots of real etcd, and new clusters from them."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from etcd_sandbox import AsyncCluster, Cluster, InputError, SandboxError

from tests import etcd_versions
from tests.conftest import SandboxCommand, until
from tests.etcd import client
from tests.etcd.conftest import ClusterMaker


@pytest.fixture
def one_etcd() -> str:
    """One etcd, for what is the same with each."""
    return etcd_versions.need().path


@pytest.mark.also_on("3.4")
def test_a_restore_has_exactly_the_keys_of_the_snapshot_and_a_new_cluster_id(
    cluster_of: ClusterMaker, tmp_path: Path
) -> None:
    cluster = cluster_of()
    endpoint, path = cluster.endpoints[0], tmp_path / "backup.db"
    for key, value in (("kept", "1"), ("changed", "before"), ("gone", "1"), ("deleted", "1")):
        client.put(endpoint, key, value)
    client.delete(endpoint, "gone")
    saved = cluster.snapshot(path)
    assert (saved.keys, saved.revision, saved.quorum) == (3, 6, True)
    assert saved.member == cluster.leader()
    client.put(endpoint, "changed", "after")
    client.put(endpoint, "late", "1")
    client.delete(endpoint, "deleted")

    new = cluster_of(members=None, restore=path)  # beside the running one
    assert len(new.members) == 3
    assert new.wait_healthy().quorum.healthy == 3
    for each in new.endpoints:
        assert client.everything(each) == {"kept": "1", "changed": "before", "deleted": "1"}
    old_id = client.cluster_id(endpoint)
    assert {client.cluster_id(each) for each in new.endpoints}.isdisjoint({old_id})
    client.put(new.endpoints[0], "new", "1")
    assert client.get(endpoint, "new") is None


def test_what_a_lost_majority_left_is_saved_and_restored(
    cluster_of: ClusterMaker, quick: Path, tmp_path: Path
) -> None:
    cluster = cluster_of(profile=quick)
    written = {f"key{number}": str(number) for number in range(20)}
    for key, value in written.items():
        client.put(cluster.endpoints[0], key, value)
    survivor = cluster.status().members[-1].name
    at = cluster.endpoints[-1]
    # A follower may apply what is acknowledged a moment later.
    until(lambda: client.get(at, "key19", serializable=True))
    lost = [name for name in cluster.members if name != survivor]
    cluster.kill(*lost, wait=False)
    for name in lost:
        shutil.rmtree(cluster.directory / "data" / name)

    path = tmp_path / "last.db"
    saved = cluster.snapshot(path)
    assert (saved.member, saved.quorum) == (survivor, False)
    cluster.down()

    new = cluster_of(profile=quick, restore=path)
    assert client.everything(new.endpoints[0]) == written
    client.put(new.endpoints[1], "after", "1")


def test_the_command_restores_and_up_goes_on_with_it(
    sandbox_command: SandboxCommand, one_etcd: str, tmp_path: Path
) -> None:
    up = ("up", "-d", "-n", "1", "--base-port", "auto", "--etcd", one_etcd)
    sandbox_command("-c", "old", *up)
    sandbox_command("-c", "old", "ctl", "put", "a", "1")
    told = sandbox_command("snapshot", "backup.db").stdout
    assert "revision 2, 1 key" in told
    by_hand = next(line for line in told.splitlines() if "by hand: " in line)
    words = by_hand.partition("etcdctl ")[2].split()
    words[-1] = str(tmp_path / "by hand.db")
    sandbox_command("ctl", *words)
    assert (tmp_path / "by hand.db").stat().st_size == (tmp_path / "backup.db").stat().st_size
    sandbox_command("-c", "old", "ctl", "put", "b", "1")

    how = ("-d", "--base-port", "auto", "--etcd", one_etcd)
    done = sandbox_command("restore", "backup.db", *how, "--json")
    answer = json.loads(done.stdout)
    assert answer["restored"]["revision"] == 2
    get = ("-c", "restored", "ctl", "get", "--prefix", "", "--keys-only")
    assert sandbox_command(*get).stdout.split() == ["a"]
    status = sandbox_command("-c", "restored", "ctl", "endpoint", "status", "-w", "json").stdout
    told_id = json.loads(status)[0]["Status"]["header"]["cluster_id"]
    assert format(told_id, "x") == answer["restored"]["cluster_id"]
    refused = sandbox_command("restore", "backup.db", *how, code=2)
    assert "'restored' is running" in refused.stderr

    sandbox_command("-c", "restored", "ctl", "put", "c", "1")
    sandbox_command("-c", "restored", "down")
    refused = sandbox_command("restore", "backup.db", *how, code=2)
    assert "has data already" in refused.stderr
    sandbox_command("-c", "restored", "up", "-d")
    assert sandbox_command(*get).stdout.split() == ["a", "c"]
    sandbox_command("-c", "restored", "down")
    sandbox_command("restore", "backup.db", "--fresh", *how)
    assert sandbox_command(*get).stdout.split() == ["a"]


def test_a_port_that_is_taken_leaves_nothing_of_the_restore(
    sandbox_command: SandboxCommand, one_etcd: str, tmp_path: Path
) -> None:
    sandbox_command("up", "-d", "-n", "1", "--base-port", "auto", "--etcd", one_etcd)
    sandbox_command("snapshot", "backup.db")
    endpoint = sandbox_command("ctl", "member", "list", "-w", "json").stdout
    port = json.loads(endpoint)["members"][0]["clientURLs"][0].rpartition(":")[2]
    how = ("-d", "--base-port", port, "--etcd", one_etcd)
    done = sandbox_command("restore", "backup.db", *how, code=1)
    assert f"port {port} of infra1 is taken" in done.stderr
    assert [path.name for path in sandbox_command.home.iterdir()] == ["default"]
    assert sandbox_command("ctl", "get", "a").returncode == 0


def put_large(endpoint: str, megabytes: int) -> None:
    for number in range(megabytes):
        client.put(endpoint, f"large{number}", chr(97 + number % 26) * 1_000_000)


def size_bytes(path: Path) -> int:
    """0 of a file that is not there."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def test_a_snapshot_that_is_broken_off_leaves_no_file(
    sandbox_command: SandboxCommand,
    monkeypatch: pytest.MonkeyPatch,
    one_etcd: str,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(sandbox_command.home))
    with Cluster(members=1, etcd=one_etcd, base_port="auto") as cluster:
        put_large(cluster.endpoints[0], 15)
        part = tmp_path / "backup.db.part"

        going = sandbox_command.popen("snapshot", "backup.db")
        until(lambda: size_bytes(part) > 100_000)
        going.send_signal(signal.SIGINT)
        _, said = going.communicate(timeout=20)
        assert going.returncode == 130, said
        assert list(tmp_path.glob("backup.db*")) == []

        full = sandbox_command.popen(
            "snapshot",
            "backup.db",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
        )
        _, said = full.communicate(timeout=20)
        assert full.returncode == 1
        assert b"the snapshot cannot be written (File too large)" in said
        assert b"Traceback" not in said
        assert list(tmp_path.glob("backup.db*")) == []


def test_an_etcd_refuses_what_a_newer_one_wrote_and_so_do_we(
    sandbox_command: SandboxCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    newer, older = etcd_versions.need("3.7"), etcd_versions.need("3.6")
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(sandbox_command.home))
    path = tmp_path / "backup.db"
    with Cluster(members=1, etcd=newer.path, base_port="auto") as cluster:
        # The storage version is written down a few seconds after the start.
        until(lambda: _storage_version(cluster, path) == "3.7.0")
    with pytest.raises(InputError, match=r"etcd 3\.6\.\d+ refuses the data of a newer etcd"):
        Cluster(members=1, etcd=older.path, base_port="auto", restore=path).up()


def _storage_version(cluster: Cluster, path: Path) -> str:
    from etcd_sandbox.etcd import snapshotfile

    cluster.snapshot(path, overwrite=True)
    return snapshotfile.read(path).storage_version


def test_asynchronous_code_saves_and_restores_likewise(
    sandbox_command: SandboxCommand,
    monkeypatch: pytest.MonkeyPatch,
    one_etcd: str,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(sandbox_command.home))

    async def go() -> dict[str, str]:
        path = tmp_path / "backup.db"
        async with AsyncCluster(members=1, etcd=one_etcd, base_port="auto") as cluster:
            client.put(cluster.endpoints[0], "a", "1")
            await cluster.snapshot(path, on="infra1")
            with pytest.raises(SandboxError, match="there already"):
                await cluster.snapshot(path)
        async with AsyncCluster(restore=path, etcd=one_etcd, base_port="auto") as cluster:
            assert cluster.members == ("infra1",)
            return client.everything(cluster.endpoints[0])

    assert asyncio.run(go()) == {"a": "1"}
