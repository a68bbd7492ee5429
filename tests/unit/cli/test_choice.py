from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from etcd_sandbox.cli import choice
from etcd_sandbox.host import start
from etcd_sandbox.host.clusterlock import take_lock
from etcd_sandbox.host.launch import Swept
from etcd_sandbox.paths import ClusterPaths, cluster_paths

from tests.unit.cli.conftest import Ran
from tests.unit.conftest import FakeSupervisor, plan_answer, status_answer

Begin = Callable[..., FakeSupervisor]


def test_the_only_running_cluster_is_meant(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    supervisor("lonely", status=status_answer(cluster="lonely"))
    assert json.loads(cli("status", "--json").out)["cluster"] == "lonely"


def test_of_several_running_clusters_one_must_be_named(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    supervisor("one")
    supervisor("two")
    ran = cli("status")
    assert ran.code == 2
    assert "several clusters are running: one, two" in ran.err
    assert "-c one" in ran.err


@pytest.mark.parametrize(
    "line", [("-c", "two", "status", "--json"), ("status", "-c", "two", "--json")]
)
def test_a_cluster_is_named_before_or_after_the_command(
    supervisor: Begin, cli: Callable[..., Ran], line: tuple[str, ...]
) -> None:
    supervisor("one", status=status_answer(cluster="one"))
    supervisor("two", status=status_answer(cluster="two"))
    assert json.loads(cli(*line).out)["cluster"] == "two"


def test_the_environment_names_a_cluster_unless_the_command_line_does(
    supervisor: Begin, cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor("one", status=status_answer(cluster="one"))
    supervisor("two", status=status_answer(cluster="two"))
    monkeypatch.setenv("ETCD_SANDBOX_CLUSTER", "one")
    assert json.loads(cli("status", "--json").out)["cluster"] == "one"
    assert json.loads(cli("-c", "two", "status", "--json").out)["cluster"] == "two"


def test_without_a_running_cluster_the_exit_code_is_3(cli: Callable[..., Ran]) -> None:
    ran = cli("status")
    assert (ran.code, ran.out) == (3, "")
    assert "no cluster is running" in ran.err


def test_a_named_cluster_that_does_not_run_is_named_in_the_error(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    supervisor("one")
    ran = cli("-c", "other", "status")
    assert ran.code == 3
    assert "no cluster 'other' is running" in ran.err


def test_a_name_that_cannot_be_a_directory_is_refused(cli: Callable[..., Ran]) -> None:
    assert cli("-c", "../etc", "status").code == 2


def test_what_a_dead_supervisor_left_is_cleared_and_told(
    cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = cluster_paths("default")
    paths.root.mkdir(parents=True)
    paths.supervisor.write_text('{"pid": 1}')
    swept: list[ClusterPaths] = []

    def sweep(dead: ClusterPaths) -> Swept:
        swept.append(dead)
        return Swept(("etcd1", "web"))

    monkeypatch.setattr(start, "sweep", sweep)
    ran = cli("status")
    assert swept == [paths]
    assert ran.code == 3
    assert ran.err.startswith(
        "etcd-sandbox: the supervisor of cluster 'default' had died: ended etcd1, web\n"
    )


def test_the_next_step_names_the_cluster_that_was_named(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    target = {
        "process": "web",
        "member": None,
        "pid": 1,
        "before": "running",
        "state": "exited",
        "was_leader": False,
        "done": True,
    }
    answer = {"verb": "kill", "targets": ["web"], "processes": [target]}
    supervisor("one", **{"act/kill": answer})
    supervisor("two", **{"act/kill": answer})
    assert cli("kill", "web", "-c", "two").out.endswith("next: etcd-sandbox -c two start web\n")


def test_a_supervisor_that_ends_while_it_is_asked_is_told_of(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    error = {"error": {"what": "the supervisor is still starting", "exit_code": 1, "hint": "again"}}
    supervisor(status=(503, error), plan=plan_answer("infra1"))
    ran = cli("status")
    assert ran.code == 1
    assert ran.err == "etcd-sandbox: error: the supervisor is still starting\n\nhint: again\n"


@pytest.fixture
def held(home: Path) -> Iterator[ClusterPaths]:
    """A cluster whose lock is held, as by a supervisor that starts, ends, or was stopped."""
    paths = cluster_paths("default")
    paths.root.mkdir(parents=True)
    lock = take_lock(paths)
    assert lock is not None
    yield paths
    os.close(lock)


@pytest.mark.parametrize("line", [("status",), ("down",), ("-c", "default", "logs")])
def test_a_cluster_whose_supervisor_does_not_answer_is_not_called_one_that_does_not_run(
    line: tuple[str, ...],
    held: ClusterPaths,
    cli: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choice, "SILENT_FOR_S", 0.05)
    ran = cli(*line)
    assert ran.code == 4
    assert "cluster 'default' runs, but its supervisor does not answer" in ran.err
    assert "-c default down --kill ends it" in ran.err
