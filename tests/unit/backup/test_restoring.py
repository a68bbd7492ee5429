"""The plan of a new cluster from a snapshot, and what it refuses."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from etcd_sandbox.backup import restoring
from etcd_sandbox.backup.restoring import plan_restore
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.etcd import release
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.inputs.caller import Caller
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.plan import plan_up
from etcd_sandbox.model.access import as_pairs
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.paths import ClusterPaths, cluster_paths
from etcd_sandbox.plan.recorded import encoded
from msgspec.structs import replace

from tests import snapshots


class Machine:
    """Which etcds there are, and which of their tools."""

    def __init__(self, *versions: str) -> None:
        self.versions = list(versions)
        self.tools = {"3.4": ["etcdctl"], "3.5": ["etcdctl", "etcdutl"], "3.6": ["etcdutl"]}

    def choose(self, wish: str) -> EtcdBinary:
        fitting = [each for each in self.versions if each.startswith(wish)]
        if not fitting:
            raise InputError(f"there is no etcd {wish} on this machine")
        return EtcdBinary(path=f"/{fitting[0]}/etcd", version=fitting[0], origin="here")

    def tool(self, name: str, etcd: EtcdBinary) -> tuple[str, str] | None:
        have = self.tools[".".join(map(str, parse(etcd.version)[:2]))]
        return (f"/{etcd.version}/{name}", etcd.version) if name in have else None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine("3.5.1", "3.6.16", "3.4.23")
    monkeypatch.setattr(release, "tool_of_series", found.tool)
    return found


@pytest.fixture
def paths(home: Path) -> ClusterPaths:
    return cluster_paths("restored")


def caller(machine: Machine, **env: str) -> Caller:
    return Caller(cwd=Path.cwd(), env=env, choose_etcd=machine.choose)


def snapshot(**content: object) -> Path:
    path = Path("backup.db")
    path.write_bytes(snapshots.snapshot(snapshots.buckets(**content)))  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("voters", "learners", "members"),
    [(("a", "b", "c", "d", "e"), (), 5), (("a",), ("b",), 1), ((), (), 1)],
)
def test_it_has_as_many_members_as_the_snapshot_had_voters(
    machine: Machine,
    paths: ClusterPaths,
    voters: tuple[str, ...],
    learners: tuple[str, ...],
    members: int,
) -> None:
    path = snapshot(voters=voters, learners=learners)
    planned = plan_restore(path, Options(), paths, caller(machine))
    assert len(planned.members) == members
    assert len(plan_restore(path, Options(members=2), paths, caller(machine)).members) == 2


def test_each_restore_makes_a_cluster_of_its_own_even_on_the_same_ports(
    machine: Machine, paths: ClusterPaths
) -> None:
    path = snapshot()
    first, second = (plan_restore(path, Options(), paths, caller(machine)) for _ in range(2))
    assert first.members[0].peer_url == second.members[0].peer_url
    assert first.cluster_id != second.cluster_id
    ids = [{member.id for member in plan.members} for plan in (first, second)]
    assert ids[0].isdisjoint(ids[1])
    assert not paths.root.exists()


def test_the_command_names_what_the_member_is_then_started_with(
    machine: Machine, paths: ClusterPaths
) -> None:
    planned = plan_restore(snapshot(), Options(etcd="3.5"), paths, caller(machine))
    token = planned.spec.token
    assert planned.command(1, "/elsewhere") == [
        *("/3.5.1/etcdutl", "snapshot", "restore", str(Path.cwd() / "backup.db")),
        *(
            "--name",
            "infra2",
            "--initial-cluster",
            ",".join(as_pairs(planned.members[0].initial_cluster)),
        ),
        *("--initial-cluster-token", token),
        *("--initial-advertise-peer-urls", planned.members[1].peer_url),
        *("--data-dir", "/elsewhere"),
    ]
    assert f"--initial-cluster-token={token}" in planned.spec.members[1].argv
    assert planned.command(1)[-1] == planned.members[1].data_dir


def test_a_later_up_plans_the_same_cluster_again(machine: Machine, paths: ClusterPaths) -> None:
    planned = plan_restore(snapshot(), Options(base_port=14379), paths, caller(machine))
    paths.root.mkdir(parents=True)
    paths.plan.write_bytes(encoded(planned.spec))
    again = plan_up(Options(), paths, caller(machine)).spec
    assert again.token == planned.spec.token
    assert again.processes == planned.spec.processes


@pytest.mark.parametrize(
    ("here", "cluster", "options", "env", "taken"),
    [
        (("3.4.23", "3.5.1"), "3.5.0", Options(), {}, "3.5.1"),
        (("3.5.1", "3.4.23"), "3.4.0", Options(), {}, "3.5.1"),
        (("3.4.23", "3.6.16"), "3.5.0", Options(), {}, "3.4.23"),
        (("3.4.23", "3.5.1"), "", Options(), {}, "3.4.23"),
        (("3.4.23", "3.5.1"), "3.5.0", Options(etcd="3.4"), {}, "3.4.23"),
        (("3.4.23", "3.5.1"), "3.5.0", Options(), {"ETCD_SANDBOX_ETCD": "3.4"}, "3.4.23"),
    ],
)
def test_an_older_etcd_than_the_snapshots_is_taken_only_where_it_must_be(
    machine: Machine,
    paths: ClusterPaths,
    here: tuple[str, ...],
    cluster: str,
    options: Options,
    env: dict[str, str],
    taken: str,
) -> None:
    machine.versions = list(here)
    planned = plan_restore(snapshot(cluster=cluster), options, paths, caller(machine, **env))
    assert {member.etcd.version for member in planned.members if member.etcd} == {taken}
    is_older = bool(cluster) and parse(taken)[:2] < parse(cluster)[:2]
    assert [note for note in planned.notes if "older" in note] == list(planned.notes)
    assert bool(planned.notes) is is_older


@pytest.mark.parametrize(
    ("etcd", "tools", "taken"),
    [
        ("3.4", ["etcdctl"], "etcdctl 3.4.23"),
        ("3.5", ["etcdctl", "etcdutl"], "etcdutl 3.5.1"),
        ("3.5", ["etcdctl"], "etcdctl 3.5.1"),
        ("3.6", ["etcdctl", "etcdutl"], "etcdutl 3.6.16"),
        ("3.6", ["etcdctl"], None),
        ("3.4", ["etcdutl"], None),
    ],
)
def test_the_tool_is_the_one_that_can_restore_in_that_series(
    machine: Machine, paths: ClusterPaths, etcd: str, tools: list[str], taken: str | None
) -> None:
    machine.tools[etcd] = tools
    if taken is None:
        with pytest.raises(SandboxError, match=f"no etcd(ctl|utl) {etcd} on this machine"):
            plan_restore(snapshot(), Options(etcd=etcd), paths, caller(machine))
        return
    planned = plan_restore(snapshot(), Options(etcd=etcd), paths, caller(machine))
    assert {tool.shown for tool in planned.tools} == {taken}


def test_restored_members_need_nobody_to_introduce_them(
    machine: Machine, paths: ClusterPaths
) -> None:
    Path("mine.toml").write_text('[cluster]\nmembers = 2\nbootstrap = "discovery"\n')
    planned = plan_restore(snapshot(), Options(profile="mine.toml"), paths, caller(machine))
    assert planned.spec.bootstrap is Bootstrap.STATIC
    assert len(planned.members) == 2


def test_a_log_of_changes_in_another_place_would_be_overlooked(
    machine: Machine, paths: ClusterPaths
) -> None:
    Path("mine.toml").write_text('[[member]]\nname = "m"\nflags.wal-dir = "/elsewhere"\n')
    with pytest.raises(InputError, match="--wal-dir"):
        plan_restore(snapshot(), Options(profile="mine.toml"), paths, caller(machine))


def test_data_of_a_procfile_is_neither_overlooked_nor_deleted(
    machine: Machine, paths: ClusterPaths, tmp_path: Path
) -> None:
    planned = plan_restore(snapshot(), Options(), paths, caller(machine)).spec
    first, *others = planned.members
    theirs = replace(first.member, data_dir=str(tmp_path / "theirs"), data_owned=False)
    paths.root.mkdir(parents=True)
    plan = replace(planned, processes=(replace(first, member=theirs), *others))
    paths.plan.write_bytes(encoded(plan))
    plan_restore(snapshot(), Options(), paths, caller(machine))
    (tmp_path / "theirs" / "member" / "wal").mkdir(parents=True)
    with pytest.raises(InputError, match="has data already"):
        plan_restore(snapshot(), Options(), paths, caller(machine))
    with pytest.raises(InputError, match="--fresh would delete"):
        plan_restore(snapshot(), Options(fresh=True), paths, caller(machine))


def test_a_cluster_that_runs_is_not_restored_into(machine: Machine, paths: ClusterPaths) -> None:
    paths.root.mkdir(parents=True)
    with paths.lock.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for fresh in (False, True):
            with pytest.raises(InputError, match="'restored' is running"):
                plan_restore(snapshot(), Options(fresh=fresh), paths, caller(machine))


def test_more_voters_than_a_cluster_here_may_have_are_not_all_restored(
    machine: Machine, paths: ClusterPaths
) -> None:
    voters = tuple(f"infra{number}" for number in range(1, 31))
    path = snapshot(voters=voters)
    planned = plan_restore(path, Options(base_port=14379, port_step=10), paths, caller(machine))
    assert len(planned.members) == restoring.MOST_MEMBERS
