"""The lock of a cluster: whoever starts it and whoever deletes it exclude each other."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from pathlib import Path

import pytest
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host import clusterlock
from etcd_sandbox.host.clusterlock import is_running, lock_to_start, purge, take_lock
from etcd_sandbox.paths import ClusterPaths


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    return ClusterPaths("default", tmp_path / "default")


def locked(paths: ClusterPaths) -> int:
    fd = lock_to_start(paths)
    assert fd is not None
    return fd


def test_a_cluster_that_somebody_starts_is_not_deleted(
    paths: ClusterPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_lock, "__defaults__", (0.05,))
    fd = locked(paths)
    (paths.root / "data").mkdir()
    with pytest.raises(SandboxError, match="started by another command meanwhile"):
        purge(paths)
    assert (paths.root / "data").is_dir()
    os.close(fd)
    purge(paths)
    assert not paths.root.exists()


def test_nothing_is_left_of_a_directory_that_is_deleted_and_links_in_it_lead_nowhere(
    paths: ClusterPaths, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("")
    os.close(locked(paths))
    (paths.root / "data" / "infra1").mkdir(parents=True)
    (paths.root / "data" / "infra1" / "wal").write_text("")
    (paths.root / "link").symlink_to(elsewhere)
    purge(paths)
    purge(paths)  # there is nothing to delete any more
    assert not paths.root.exists()
    assert (elsewhere / "kept").exists()


def test_a_directory_that_a_purge_removes_amid_its_making_is_made_again(
    paths: ClusterPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir, races = Path.mkdir, [FileExistsError(errno.EEXIST, "File exists")]

    def racing(
        self: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False
    ) -> None:
        if self == paths.root and races:
            raise races.pop()  # as pathlib does where the directory was there, and is gone
        mkdir(self, mode, parents, exist_ok)

    monkeypatch.setattr(Path, "mkdir", racing)
    os.close(locked(paths))
    assert paths.lock.exists()


def test_who_waited_for_the_lock_of_a_deleted_cluster_begins_a_new_one(paths: ClusterPaths) -> None:
    held = locked(paths)
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(locked(paths)))
    waiting.start()
    # As a purge does, while it holds the lock.
    os.pwrite(held, b"purging\n", 0)
    paths.lock.unlink()
    with contextlib.suppress(OSError):  # who waits may have begun anew already
        paths.root.rmdir()
    os.close(held)
    waiting.join(20)
    assert os.path.samestat(os.fstat(got[0]), paths.lock.stat())
    assert is_running(paths)
    os.close(got[0])
    assert not is_running(paths)


def test_who_starts_a_cluster_waits_for_one_who_deletes_it(
    paths: ClusterPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_lock, "__defaults__", (0.01,))
    held = locked(paths)
    assert lock_to_start(paths) is None  # it runs
    os.pwrite(held, b"purging\n", 0)
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(locked(paths)))
    waiting.start()
    waiting.join(0.2)  # much longer than its patience with a cluster that runs
    assert not got
    os.close(held)
    waiting.join(20)
    assert paths.lock.read_bytes() == b""
    os.close(got[0])


def test_a_lock_that_nobody_gives_back_is_not_waited_for_without_end(
    paths: ClusterPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_lock, "__defaults__", (0.01,))
    monkeypatch.setattr(clusterlock, "PURGED_WITHIN_S", 0.05)
    held = locked(paths)
    os.pwrite(held, b"purging\n", 0)
    assert lock_to_start(paths) is None
    os.close(held)
