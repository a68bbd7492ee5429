"""A plan that is made again after an upgrade keeps what its members run, unless it is to be new."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.cli.apply import refuse_another_version
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.inputs.caller import Caller
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.plan import plan_again, plan_up
from etcd_sandbox.model.spec import PLAN_SCHEMA, ClusterSpec, EtcdBinary, PastKind
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.plan.membership import with_past
from etcd_sandbox.plan.recorded import as_builtins, encoded, of_running
from etcd_sandbox.plan.upgrades import with_etcd
from msgspec.structs import replace

ETCD = '#!/bin/sh\necho "etcd Version: {version}"\n'


def program(directory: Path, version: str) -> EtcdBinary:
    path = directory / f"etcd-{version}"
    path.write_text(ETCD.format(version=version))
    path.chmod(0o755)
    return EtcdBinary(path=str(path), version=version, origin="tests")


class Cluster:
    """One whose infra2 was upgraded from 3.4.23 to 3.5.1, and what `up` makes of it."""

    def __init__(self, directory: Path) -> None:
        self.old, self.new = program(directory, "3.4.23"), program(directory, "3.5.1")
        self.here = {"": self.old, "3.4": self.old, "3.5.1": self.new}
        self.paths = ClusterPaths("default", directory / "default")
        self.caller = Caller(cwd=directory, env={}, choose_etcd=lambda wish: self.here[wish])
        first = plan_up(Options(members=3), self.paths, self.caller).spec
        for process in first.members:
            Path(process.member.data_dir, "member", "wal").mkdir(parents=True)
        self.spec = replace(
            first,
            processes=tuple(
                with_etcd(each, self.new, has_data=True) if each.name == "etcd2" else each
                for each in first.members
            ),
        )
        self.paths.plan.write_bytes(encoded(self.spec))

    def up(self, **options: object) -> list[str]:
        """The versions that `up` would start."""
        return versions(plan_up(Options(**options), self.paths, self.caller).spec)  # type: ignore[arg-type]


def versions(spec: ClusterSpec) -> list[str]:
    return [
        process.member.etcd.version for process in spec.members if process.member.etcd is not None
    ]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


UPGRADED = ["3.4.23", "3.5.1", "3.4.23"]
OLD = ["3.4.23"] * 3


def test_up_goes_on_with_what_each_member_was_upgraded_to(cluster: Cluster) -> None:
    planned = plan_up(Options(), cluster.paths, cluster.caller)
    assert planned.spec.processes == cluster.spec.processes
    assert "1 upgraded to etcd 3.5.1 since" in planned.says
    assert cluster.up(members=3) == UPGRADED


def test_apply_leaves_it_as_it_is(cluster: Cluster) -> None:
    running = as_builtins(cluster.spec)
    assert plan_again(running, cluster.paths, cluster.caller).spec == cluster.spec


def test_what_is_asked_for_or_begins_anew_does_not_keep_it(cluster: Cluster) -> None:
    assert cluster.up(etcd="3.4") == OLD
    assert cluster.up(fresh=True) == OLD
    assert cluster.up(ephemeral=True) == OLD
    for process in cluster.spec.members:
        Path(process.member.data_dir, "member", "wal").rmdir()
    assert cluster.up() == OLD


def test_an_etcd_that_has_gone_from_its_place_is_looked_for_elsewhere(
    cluster: Cluster, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cluster.here["3.5.1"] = program(elsewhere, "3.5.1")
    Path(cluster.new.path).unlink()
    spec = plan_up(Options(), cluster.paths, cluster.caller).spec
    assert versions(spec) == UPGRADED
    (upgraded,) = (each for each in spec.members if each.name == "etcd2")
    assert upgraded.argv[0] == str(elsewhere / "etcd-3.5.1")


def test_changes_of_the_members_are_remembered_until_the_data_is_wiped(cluster: Cluster) -> None:
    changed = with_past(cluster.spec, PastKind.REMOVED, "infra4", "abc")
    cluster.paths.plan.write_bytes(encoded(changed))
    for options in (Options(), Options(members=3)):
        assert plan_up(options, cluster.paths, cluster.caller).spec.history == changed.history
    running = as_builtins(changed)
    assert plan_again(running, cluster.paths, cluster.caller).spec.history == changed.history
    fresh = Options(members=3, fresh=True)
    assert plan_up(fresh, cluster.paths, cluster.caller).spec.history == ()


def test_up_refuses_an_etcd_that_may_not_know_the_members_as_they_are(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.here["3.6"] = program(tmp_path, "3.6.16")
    assert cluster.up(etcd="3.6") == ["3.6.16"] * 3
    changed = with_past(cluster.spec, PastKind.REMOVED, "infra4", "abc")
    cluster.paths.plan.write_bytes(encoded(changed))
    with pytest.raises(InputError, match=r"infra4 removed under etcd 3\.4\.23"):
        cluster.up(etcd="3.6")
    assert cluster.up(etcd="3.6", fresh=True) == ["3.6.16"] * 3


def test_a_plan_that_an_earlier_supervisor_recorded_of_ours_is_read(tmp_path: Path) -> None:
    """It keeps the number that it was given, and not the kinds of processes that it does not know."""
    plan = as_builtins(Cluster(tmp_path).spec)
    kept = {**plan, "processes": [each.copy() for each in plan["processes"]]}
    for process in kept["processes"]:
        del process["kind"]
    assert of_running(kept) == of_running(plan)


@pytest.mark.parametrize("schema", [None, 1, 2])
def test_a_supervisor_of_an_earlier_version_is_given_no_plan_of_ours(schema: int | None) -> None:
    plan = {} if schema is None else {"schema": schema}
    with pytest.raises(SandboxError, match="an earlier version of etcd-sandbox started this"):
        refuse_another_version(plan)
    refuse_another_version({"schema": PLAN_SCHEMA})
