from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host import start
from etcd_sandbox.host.launch import Swept
from etcd_sandbox.host.start import clear_abandoned, clear_leftovers, passing_cluster
from etcd_sandbox.paths import ClusterPaths, cluster_paths


def of_a_dead_process(kind: str) -> ClusterPaths:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    return cluster_paths(f"{kind}-{ended.pid}-abcdef")


@pytest.mark.parametrize("kind", ["run", "py"])
def test_what_a_killed_process_left_is_removed(home: Path, kind: str) -> None:
    paths = of_a_dead_process(kind)
    paths.logs.mkdir(parents=True)
    assert clear_abandoned() == []
    assert not paths.root.exists()


def test_a_dead_supervisor_of_an_abandoned_cluster_is_swept_and_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "sweep", lambda paths: Swept(("etcd1",)))
    paths = of_a_dead_process("py")
    paths.root.mkdir(parents=True)
    paths.supervisor.write_text("{}")
    assert clear_abandoned() == [f"the supervisor of cluster {paths.name!r} had died: ended etcd1"]


@pytest.mark.parametrize(
    ("swept", "said"),
    [
        (Swept(("etcd1", "etcd2")), "ended etcd1, etcd2"),
        (Swept(), "nothing of it was running any more"),
        (
            Swept(("etcd1",), ("podman cannot remove c-infra2: no",)),
            "ended etcd1; podman cannot remove c-infra2: no (the next command tries again)",
        ),
        (
            Swept((), ("podman cannot be executed",)),
            "podman cannot be executed (the next command tries again)",
        ),
    ],
)
def test_what_a_dead_supervisor_left_is_told_with_what_could_not_be_removed(
    home: Path, monkeypatch: pytest.MonkeyPatch, swept: Swept, said: str
) -> None:
    monkeypatch.setattr(start, "sweep", lambda paths: swept)
    paths = cluster_paths("default")
    paths.root.mkdir(parents=True)
    paths.supervisor.write_text("{}")
    assert clear_leftovers(paths) == f"the supervisor of cluster 'default' had died: {said}"


def test_passing_clusters_of_live_processes_and_others_clusters_are_left_alone(home: Path) -> None:
    kept = [passing_cluster("py"), cluster_paths("default"), cluster_paths("run-away")]
    for paths in kept:
        paths.root.mkdir(parents=True)
    assert clear_abandoned() == []
    assert all(paths.root.exists() for paths in kept)
    assert str(os.getpid()) in kept[0].name


def test_where_no_supervisor_died_there_is_nothing_to_clear(home: Path) -> None:
    assert clear_leftovers(cluster_paths("default")) == ""


def test_a_state_home_that_cannot_be_read_is_an_error_of_ours_for_programs_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(tmp_path / "file"))
    with pytest.raises(SandboxError, match="is a file and no directory"):
        clear_abandoned()
