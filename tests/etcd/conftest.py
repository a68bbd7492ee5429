"""Real etcd for the tests of this directory, and clusters of it.

A test runs on one current series of etcd, and with `@pytest.mark.also_on("3.4")` on those that differ
in what it is about, too; `-m soak` runs it on all that are left.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from etcd_sandbox import Cluster
from etcd_sandbox.model.spec import EtcdBinary

from tests import etcd_versions
from tests.conftest import SandboxCommand

if TYPE_CHECKING:
    from etcd_sandbox.pytest_plugin import EtcdClusterFactory


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which series each test runs on, unless the test says so itself."""
    if "etcd_binary" not in metafunc.fixturenames or _chooses_itself(metafunc):
        return
    also = [series for mark in metafunc.definition.iter_markers("also_on") for series in mark.args]
    assert set(also) <= set(etcd_versions.SERIES), also
    chosen = {etcd_versions.current(metafunc.definition.nodeid), *also}
    rounds = [
        pytest.param(series, marks=() if series in chosen else pytest.mark.soak)
        for series in etcd_versions.SERIES
    ]
    metafunc.parametrize("etcd_binary", rounds, indirect=True)


def _chooses_itself(metafunc: pytest.Metafunc) -> bool:
    marks = metafunc.definition.iter_markers("parametrize")
    return any("etcd_binary" in mark.args[0] for mark in marks)


@pytest.fixture
def etcd_binary(request: pytest.FixtureRequest) -> EtcdBinary:
    """The etcd of one series; the test is skipped without it, or fails where all are required."""
    return etcd_versions.need(request.param)


QUICK = """\
[etcd]
heartbeat-interval = 50
election-timeout = 500
"""
"""Half of etcd's own timers: for tests that are not about how long an election takes."""


@pytest.fixture
def on_etcd(sandbox_command: SandboxCommand, etcd_binary: EtcdBinary) -> SandboxCommand:
    """The command, with the etcd of this round, also for Procfiles."""
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_binary.path
    sandbox_command.env["PATH"] = os.pathsep.join(
        [str(Path(etcd_binary.path).parent), sandbox_command.env["PATH"]]
    )
    return sandbox_command


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """A profile of members with short timers."""
    path = tmp_path / "quick.toml"
    path.write_text(QUICK)
    return path


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    """A profile of members that hold no election of their own accord, however busy the machine."""
    path = tmp_path / "patient.toml"
    path.write_text("[etcd]\nheartbeat-interval = 50\nelection-timeout = 1500\n")
    return path


ClusterMaker = Callable[..., Cluster]
"""Takes the arguments of `Cluster`; the cluster that it gives is up."""


@pytest.fixture
def cluster_of(
    sandbox_command: SandboxCommand,
    monkeypatch: pytest.MonkeyPatch,
    etcd_binary: EtcdBinary,
    etcd_cluster_factory: EtcdClusterFactory,
) -> ClusterMaker:
    """Makes clusters of the etcd of this round that `sandbox_command` reaches as well.

    When they are closed, no process of them may be left.
    """
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(sandbox_command.home))

    def make(members: int = 3, **wishes: object) -> Cluster:
        return etcd_cluster_factory(members=members, etcd=etcd_binary.path, **wishes)  # type: ignore[arg-type]

    return make
