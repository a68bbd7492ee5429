"""Plans that other versions recorded go on; one that cannot be read is an error, and never "no plan".

`tests/fixtures/plans` holds what commits 13c6036 (the package was called `sandbox`) and 1fa2d97
recorded of real clusters after `add`, `replace` and `remove`; none of them had a schema number. The
plans of 5fc2d2c, of made-up etcds, have schema 3: addresses were among a member's flags, too.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox import Cluster
from etcd_sandbox.cluster import record
from etcd_sandbox.daemon import clear_leftovers
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.planfile import record_plan, recorded_plan
from etcd_sandbox.inputs.caller import Caller
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.plan import plan_again, plan_up
from etcd_sandbox.model.spec import PLAN_SCHEMA, ClusterSpec, EtcdBinary, Service
from etcd_sandbox.paths import ClusterPaths, cluster_paths
from etcd_sandbox.plan.memberoptions import told
from etcd_sandbox.plan.recorded import UnreadablePlan, of_running
from etcd_sandbox.plan.runtimes import composed

from tests.unit.cli.conftest import Ran

FIXTURES = Path(__file__).parents[2] / "fixtures" / "plans"
RECORDED = sorted(path.stem for path in FIXTURES.glob("*.json"))
STATE_HOME = "/home/ann/.local/state/etcd-sandbox"
WORK = "/home/ann/work"

MEMBERS = {
    "13c6036-containers": ["infra1", "infra2", "infra3", "infra4"],
    "13c6036-discovery": ["infra1", "infra2", "infra3", "infra4"],
    "13c6036-dns": ["infra1", "infra2", "infra3"],
    "13c6036-members": ["infra2", "infra3", "infra4"],
    "13c6036-procfile": ["infra1", "infra2"],
    "13c6036-profile": ["infra1", "infra2", "infra3", "infra4"],
    "1fa2d97-members": ["infra2", "infra3", "infra4"],
    "1fa2d97-procfile": ["alone"],
    "5fc2d2c-containers": ["infra1", "infra2", "infra3", "infra4"],
    "5fc2d2c-discovery": ["infra1", "infra2", "infra3"],
    "5fc2d2c-dns": ["infra1", "infra2", "infra3", "infra4"],
    "5fc2d2c-learner": ["infra1", "infra2", "infra3", "infra4"],
    "5fc2d2c-members": ["infra2", "infra3", "infra4"],
}


def choose(wish: str) -> EtcdBinary:
    return EtcdBinary(path="/opt/3.5.1/etcd", version="3.5.1", origin="tests")


def put(stem: str, home: Path) -> ClusterPaths:
    """The recorded plan as that of a cluster here."""
    text = (FIXTURES / f"{stem}.json").read_text()
    text = text.replace(STATE_HOME, str(home)).replace(WORK, str(Path.cwd()))
    paths = cluster_paths(json.loads(text)["name"])
    paths.root.mkdir(parents=True)
    paths.plan.write_text(text)
    return paths


def read(paths: ClusterPaths) -> ClusterSpec:
    spec = recorded_plan(paths)
    assert spec is not None
    return spec


def member_names(spec: ClusterSpec) -> list[str]:
    return [process.member.name for process in spec.members]


def test_there_is_a_plan_of_each_kind() -> None:
    assert sorted(MEMBERS) == RECORDED


@pytest.mark.parametrize("stem", RECORDED)
def test_a_plan_of_an_older_schema_is_read_and_recorded_with_the_number_of_today(
    home: Path, stem: str
) -> None:
    paths = put(stem, home)
    before = json.loads(paths.plan.read_bytes())
    assert before.get("schema", 0) == (3 if stem.startswith("5fc2d2c") else 0)
    spec = read(paths)
    assert member_names(spec) == MEMBERS[stem]
    record_plan(paths, spec)
    after = json.loads(paths.plan.read_bytes())
    assert after["schema"] == PLAN_SCHEMA
    assert read(paths) == spec
    assert after["source"] == before["source"] | {"texts": before["source"].get("texts", {})}
    for old, new in zip(before["processes"], after["processes"], strict=True):
        assert new["argv"] == [
            word.replace("sandbox.dns", "etcd_sandbox.dns") for word in old["argv"]
        ]


@pytest.mark.parametrize("stem", RECORDED)
def test_the_flags_of_a_composed_etcd_are_read_out_of_what_older_plans_executed(
    home: Path, stem: str
) -> None:
    etcds = 0
    for process in read(put(stem, home)).processes:
        ours = process.member.data_owned if process.member is not None else process.service
        if not ours or process.service is Service.DNS:
            assert (process.flags, process.wrapper) == ({}, ())
            continue
        etcds += 1
        program = shlex.split(process.shown)[0]
        assert composed(process, program, process.flags) == process
        assert list(told(process))[:2] == ["name", "data-dir"]
    assert (etcds == 0) == stem.endswith("procfile")


def test_variables_that_an_older_version_had_through_a_pipe_are_those_of_the_plan(
    home: Path,
) -> None:
    paths = put("1fa2d97-procfile", home)
    plan = json.loads(paths.plan.read_bytes())
    procfile = plan["source"]["path"]
    plan["source"]["options"]["env_files"] = ["/dev/fd/63"]
    plan["source"]["texts"] = {procfile: "web: sleep 1\n", "/dev/fd/63": "COLOUR=blue\n"}
    paths.plan.write_text(json.dumps(plan))
    caller = Caller(cwd=Path.cwd(), env={}, choose_etcd=choose)
    (web,) = plan_up(Options(), paths, caller).spec.processes
    assert web.env["COLOUR"] == "blue"


def test_a_service_of_the_package_is_executed_under_its_name_of_today(home: Path) -> None:
    (dns,) = read(put("13c6036-dns", home)).services
    assert dns.argv[1:4] == ("-P", "-m", "etcd_sandbox.dns")


@pytest.mark.parametrize("stem", ["13c6036-members", "1fa2d97-members", "13c6036-discovery"])
def test_up_goes_on_with_the_members_that_an_older_version_left(home: Path, stem: str) -> None:
    paths = put(stem, home)
    recorded = read(paths)
    for process in recorded.members:
        Path(process.member.data_dir, "member", "wal").mkdir(parents=True)
    caller = Caller(cwd=Path.cwd(), env={}, choose_etcd=choose)
    planned = plan_up(Options(), paths, caller)
    assert member_names(planned.spec) == MEMBERS[stem]
    assert planned.spec.founders == recorded.founders
    assert "as recorded for this cluster" in planned.says


def test_a_procfile_of_the_same_names_has_no_members_that_came_to_composed_ones(home: Path) -> None:
    paths = put("13c6036-members", home)
    for process in read(paths).members:
        Path(process.member.data_dir, "member", "wal").mkdir(parents=True)
    example = Path(__file__).parents[3] / "Procfile.example"
    Path("Procfile").write_bytes(example.read_bytes())
    planned = plan_up(Options(), paths, Caller(cwd=Path.cwd(), env={}, choose_etcd=choose))
    assert member_names(planned.spec) == ["infra1", "infra2", "infra3"]
    assert "since then" not in planned.says


def test_apply_takes_the_plan_of_a_running_supervisor_of_an_older_version(home: Path) -> None:
    paths = put("13c6036-dns", home)
    running = json.loads(paths.plan.read_bytes())
    (service,) = of_running(running).services
    assert "etcd_sandbox.dns" in service.argv
    caller = Caller(cwd=Path.cwd(), env={}, choose_etcd=choose)
    assert plan_again(running, paths, caller).spec.schema == PLAN_SCHEMA


WHOLE = (FIXTURES / "13c6036-members.json").read_text()
UNREADABLE: dict[str, tuple[str, str]] = {
    "empty": ("", "truncated"),
    "cut off": (WHOLE[:3000], "truncated"),
    "zeroed by a power cut": ("\0" * 4096, "malformed"),
    "no JSON": ("name = 'default'\n", "malformed"),
    "a list": ("[]", "no JSON object"),
    "something else": ("{}", "processes"),
    "processes by name": ('{"processes": {"etcd1": 1}}', "processes"),
    "without a source": ('{"name": "default", "processes": []}', "source"),
    "of a newer version": (json.dumps({"schema": PLAN_SCHEMA + 1}), "newer etcd-sandbox wrote it"),
    "with a word for a number": (json.dumps({"schema": "1"}), "its schema number is '1'"),
}


@pytest.fixture(params=UNREADABLE)
def broken(request: pytest.FixtureRequest, home: Path) -> ClusterPaths:
    paths = cluster_paths("default")
    paths.root.mkdir(parents=True)
    paths.plan.write_text(UNREADABLE[request.param][0])
    return paths


def test_what_is_wrong_with_a_plan_is_told_with_its_file_and_the_mend(
    broken: ClusterPaths, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(UnreadablePlan) as caught:
        recorded_plan(broken)
    content = broken.plan.read_text()
    (why,) = {why for text, why in UNREADABLE.values() if text == content}
    assert why in caught.value.what
    assert caught.value.where == str(broken.plan)
    assert "down --purge" in caught.value.hint


COMMANDS = [
    ("up", "-d"),
    ("up", "-d", "-n", "3"),
    ("up", "-d", "-n", "3", "--fresh"),
    ("up", "--dry-run"),
    ("check",),
    ("export", "procfile"),
]


@pytest.mark.parametrize("words", COMMANDS)
def test_no_command_takes_a_plan_that_cannot_be_read_for_none(
    broken: ClusterPaths, cli: Callable[..., Ran], words: tuple[str, ...]
) -> None:
    before = broken.plan.read_bytes()
    ran = cli(*words)
    assert ran.code == 1
    assert "the recorded plan of cluster 'default' cannot be read (" in ran.err
    assert str(broken.plan) in ran.err
    assert "hint: move that file away" in ran.err
    assert broken.plan.read_bytes() == before


def test_ls_tells_of_a_plan_that_cannot_be_read_and_lists_the_others(
    broken: ClusterPaths, cli: Callable[..., Ran], home: Path
) -> None:
    put("13c6036-members", home)
    ran = cli("ls")
    assert ran.code == 1
    assert str(broken.plan) in ran.err
    assert "down --purge" in ran.err
    assert ran.out.splitlines()[1].split()[:3] == ["members", "stopped", "3"]


def test_the_api_does_not_begin_over_a_plan_that_cannot_be_read(broken: ClusterPaths) -> None:
    for keep_data in (False, True):
        with pytest.raises(SandboxError, match="cannot be read"):
            Cluster(name="default", keep_data=keep_data).up()


def test_the_supervisor_deletes_nothing_over_a_plan_that_cannot_be_read(
    broken: ClusterPaths, home: Path
) -> None:
    kept = broken.data / "infra1"
    kept.mkdir(parents=True)
    spec = read(put("1fa2d97-members", home))
    with pytest.raises(UnreadablePlan):
        record.wipe(broken)
    with pytest.raises(UnreadablePlan):
        record.refuse_other_data(broken, spec)
    assert kept.is_dir()


def test_purge_is_a_mend_of_a_plan_that_cannot_be_read(
    broken: ClusterPaths, cli: Callable[..., Ran]
) -> None:
    ran = cli("-c", "default", "down", "--purge")
    assert (ran.code, ran.err) == (0, "")
    assert not broken.root.exists()


def test_what_a_dead_supervisor_left_is_cleared_also_where_its_plan_cannot_be_read(
    broken: ClusterPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tmp_path / "podman"
    engine.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n')
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("shutil.which", {"podman": str(engine)}.get)
    broken.supervisor.write_text("{}")
    clear_leftovers(broken)
    assert f"label=etcd-sandbox.cluster={broken.root}" in (tmp_path / "asked").read_text()


def test_a_running_cluster_of_a_newer_version_is_told_to_be_one() -> None:
    running: dict[str, Any] = json.loads(WHOLE) | {"schema": PLAN_SCHEMA + 1}
    with pytest.raises(UnreadablePlan, match="newer etcd-sandbox wrote it") as caught:
        of_running(running)
    assert "etcd-sandbox -c members down ends the cluster" in caught.value.hint
