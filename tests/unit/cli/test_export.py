"""`export`: which cluster is meant, and where the text goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.paths import cluster_paths
from etcd_sandbox.plan.recorded import as_builtins, encoded

from tests.unit.cli.conftest import Ran
from tests.unit.cli.test_completion import completed
from tests.unit.conftest import FakeSupervisor
from tests.unit.export.plans import choose, from_profile


@pytest.fixture(autouse=True)
def _known_etcds(monkeypatch: pytest.MonkeyPatch) -> None:
    """No etcd of this machine is looked for, nor asked for its version."""
    monkeypatch.setattr("etcd_sandbox.etcd.release.choose", choose)


def record(spec: ClusterSpec) -> None:
    paths = cluster_paths(spec.name)
    paths.root.mkdir(parents=True)
    paths.plan.write_bytes(encoded(spec))


def test_the_running_cluster_is_meant(
    cli: Callable[..., Ran], supervisor: Callable[..., FakeSupervisor]
) -> None:
    record(from_profile(members=1, name="other"))
    supervisor("demo", plan=as_builtins(from_profile(members=2, name="demo")))
    ran = cli("export", "procfile")
    assert ran.code == 0
    assert ran.out.count("--name=") == 2
    assert "exporting cluster 'demo', which is running" in ran.err


def test_options_win_over_the_running_cluster(
    cli: Callable[..., Ran], supervisor: Callable[..., FakeSupervisor]
) -> None:
    supervisor("demo", plan=as_builtins(from_profile(members=2, name="demo")))
    ran = cli("export", "procfile", "-n", "1")
    assert ran.out.count("--name=") == 1
    assert "using -n 1" in ran.err


def test_the_recorded_cluster_is_meant_where_none_runs(cli: Callable[..., Ran]) -> None:
    record(from_profile(members=2, name="demo"))
    ran = cli("-c", "demo", "export", "compose")
    assert ran.out.count("image:") == 2
    assert "exporting cluster 'demo' as it is recorded" in ran.err


def test_without_any_cluster_it_is_the_one_that_up_would_start(cli: Callable[..., Ran]) -> None:
    ran = cli("export", "shell")
    assert ran.out.count("--name=") == 3
    assert "using -n 3" in ran.err
    Path("Procfile").write_text("db: /opt/3.6/etcd --name solo\n")
    assert "--name solo" in cli("export", "shell").out


def test_several_running_clusters_want_a_name(
    cli: Callable[..., Ran], supervisor: Callable[..., FakeSupervisor]
) -> None:
    for name in ("one", "two"):
        supervisor(name, plan=as_builtins(from_profile(members=1, name=name)))
    ran = cli("export", "procfile")
    assert ran.code == 2
    assert "several clusters are running: one, two" in ran.err


def test_an_unknown_kind_is_a_usage_error_with_the_kinds(cli: Callable[..., Ran]) -> None:
    ran = cli("export", "kubernetes")
    assert (ran.code, ran.out) == (2, "")
    for kind in ("procfile", "profile", "compose", "dnsmasq", "shell"):
        assert kind in ran.err


def test_kinds_are_completed() -> None:
    assert completed("export", incomplete="pro") == ["procfile", "profile"]


def test_a_file_is_written_once_and_again_only_by_force(cli: Callable[..., Ran]) -> None:
    ran = cli("export", "profile", "-n", "3", "-o", "three.toml")
    assert (ran.code, ran.out) == (0, "")
    assert "next: etcd-sandbox up -p ./three.toml" in ran.err
    written = Path("three.toml").read_text()
    assert "members = 3" in written
    ran = cli("export", "profile", "-n", "4", "-o", "three.toml")
    assert ran.code == 2
    assert "three.toml" in ran.err
    assert Path("three.toml").read_text() == written
    assert cli("export", "profile", "-n", "4", "-o", "three.toml", "--force").code == 0
    assert "members = 4" in Path("three.toml").read_text()


def test_a_script_can_be_executed(cli: Callable[..., Ran]) -> None:
    cli("export", "shell", "-n", "1", "-o", "cluster.sh")
    cli("export", "compose", "-n", "1", "-o", "compose.yml")
    assert Path("cluster.sh").stat().st_mode & 0o100
    assert not Path("compose.yml").stat().st_mode & 0o111


def test_a_directory_that_is_not_there_is_named(cli: Callable[..., Ran]) -> None:
    ran = cli("export", "shell", "-n", "1", "-o", "no/such/file")
    assert ran.code == 1
    assert "no/such/file" in ran.err


def test_what_the_text_cannot_say_is_a_warning_and_no_data(cli: Callable[..., Ran]) -> None:
    ran = cli("export", "profile", "-n", "1", "--direct")
    assert "warning: a profile cannot leave out the links" in ran.err
    assert "warning" not in ran.out


def test_quiet_keeps_to_the_data(cli: Callable[..., Ran]) -> None:
    assert cli("-q", "export", "procfile", "-n", "1").err == ""
