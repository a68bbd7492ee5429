"""Waiting for the end of a cluster that others start and stop as well."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from etcd_sandbox.errors import TimedOut
from etcd_sandbox.host.clusterlock import lock_to_start
from etcd_sandbox.host.launch import run_of, wait_until_gone
from etcd_sandbox.paths import ClusterPaths


def begun(paths: ClusterPaths, run: str) -> None:
    paths.supervisor.write_text(json.dumps({"run": run, "pid": 1}))


def test_a_cluster_that_others_have_started_again_is_not_waited_for(tmp_path: Path) -> None:
    paths = ClusterPaths("default", tmp_path / "default")
    assert run_of(paths) == ""
    lock = lock_to_start(paths)
    assert lock is not None
    begun(paths, "first")
    with pytest.raises(TimedOut, match="did not stop"):
        wait_until_gone(paths, 0.05, "first")
    begun(paths, "second")
    began = time.monotonic()
    wait_until_gone(paths, 60, "first")
    assert time.monotonic() - began < 30
    with pytest.raises(TimedOut, match="did not stop"):
        wait_until_gone(paths, 0.05)
    os.close(lock)
    wait_until_gone(paths, 0.05)
