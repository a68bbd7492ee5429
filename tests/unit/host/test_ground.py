"""What a running cluster stands on: whoever takes it away, or puts another in its place, is noticed."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from etcd_sandbox.host.clusterlock import Ground
from etcd_sandbox.paths import ClusterPaths


def begun(root: Path) -> ClusterPaths:
    paths = ClusterPaths("default", root)
    root.mkdir()
    paths.lock.write_text("")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(paths.socket))
    return paths


def deleted(paths: ClusterPaths) -> None:
    shutil.rmtree(paths.root)


def replaced(paths: ClusterPaths) -> None:
    paths.root.rename(paths.root.with_name("before"))
    begun(paths.root)


@pytest.mark.parametrize(
    ("change", "what", "has_directory"),
    [
        (deleted, "the state directory is gone", False),
        (replaced, "the state directory is another one by now", False),
        (lambda paths: paths.lock.unlink(), "the lock is gone", False),
        (lambda paths: paths.socket.unlink(), "the control socket is gone", True),
    ],
    ids=["deleted", "replaced", "lock", "socket"],
)
def test_what_is_taken_away_is_noticed(
    tmp_path: Path, change: Callable[[ClusterPaths], None], what: str, *, has_directory: bool
) -> None:
    paths = begun(tmp_path / "c")
    ground = Ground(paths)
    assert ground.loss() is None
    change(paths)
    loss = ground.loss()
    assert loss is not None
    assert loss.what.startswith(what)
    assert loss.has_directory is has_directory
