"""What a sweep makes of an engine that does not do it: it is told, and the next sweep tries again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from etcd_sandbox import daemon
from etcd_sandbox.cluster.runtimes import leftcontainers
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.spec import (
    ClusterSpec,
    ContainerSpec,
    ProcessSpec,
    Runtime,
    Source,
    SourceKind,
)
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.plan.recorded import encoded


@pytest.fixture
def dead(tmp_path: Path) -> ClusterPaths:
    """A cluster of one container whose supervisor died; the processes that it ran are gone."""
    container = ContainerSpec(
        runtime=Runtime.PODMAN,
        engine="/usr/bin/podman",
        name="etcd-sandbox-c-infra1",
        image="i:1",
        program="/usr/local/bin/etcd",
        data_dir=str(tmp_path / "data"),
    )
    process = ProcessSpec(
        name="etcd1", argv=("podman",), shown="", cwd=str(tmp_path), container=container
    )
    paths = ClusterPaths("c", tmp_path)
    source = Source(kind=SourceKind.MEMBERS)
    spec = ClusterSpec(name="c", source=source, processes=(process,), runtime=Runtime.PODMAN)
    paths.plan.write_bytes(encoded(spec))
    paths.supervisor.write_text(json.dumps({"run": "no such run", "processes": {}}))
    return paths


def test_what_an_engine_cannot_remove_is_told_and_tried_again(
    dead: ClusterPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(engine: str, root: Path) -> list[str]:
        raise SandboxError("podman cannot remove etcd-sandbox-c-infra1: no")

    monkeypatch.setattr(leftcontainers, "clear", fails)
    assert daemon.clear_leftovers(dead) == (
        [],
        ["podman cannot remove etcd-sandbox-c-infra1: no"],
    )

    monkeypatch.setattr(leftcontainers, "clear", lambda engine, root: ["etcd-sandbox-c-infra1"])
    assert daemon.clear_leftovers(dead) == (["etcd1"], [])
    assert daemon.clear_leftovers(dead) == ([], [])
