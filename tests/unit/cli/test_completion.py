from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.shell_completion import BashComplete
from etcd_sandbox.cli.main import COMPLETE_VARIABLE
from etcd_sandbox.cli.root import PROGRAM, root
from etcd_sandbox.paths import cluster_paths

from tests.unit.cli.conftest import Ran
from tests.unit.conftest import plan_answer


def completed(*args: str, incomplete: str = "") -> list[str]:
    shell = BashComplete(root, {}, PROGRAM, COMPLETE_VARIABLE)
    return [item.value for item in shell.get_completions(list(args), incomplete)]


def record(name: str, *members: str) -> None:
    paths = cluster_paths(name)
    paths.root.mkdir(parents=True)
    paths.plan.write_text(json.dumps(plan_answer(*members)))


def test_commands_are_completed() -> None:
    assert completed(incomplete="st") == ["status", "start", "stop", "starve"]


def test_selectors_are_the_names_of_the_cluster_and_the_words_for_roles() -> None:
    record("default", "infra1")
    assert completed("kill") == [
        "web",
        "etcd1",
        "infra1",
        "leader",
        "followers",
        "learners",
        "members",
        "majority",
        "minority",
        "random",
        "all",
    ]
    assert completed("kill", "web", incomplete="inf") == ["infra1"]


@pytest.mark.parametrize("line", [("-c", "other", "stop"), ("stop", "-c", "other")])
def test_selectors_are_those_of_the_cluster_that_is_named(line: tuple[str, ...]) -> None:
    record("default", "infra1")
    record("other", "m9")
    assert completed(*line, incomplete="m9") == ["m9"]


def test_clusters_and_profiles_are_completed() -> None:
    record("default", "infra1")
    record("demo", "infra1")
    assert completed("status", "-c", incomplete="de") == ["default", "demo"]
    assert "three" in completed("up", "-p", incomplete="th")


def test_completion_is_never_an_error() -> None:
    assert completed("kill", incomplete="x") == []
    cluster_paths("default").root.mkdir(parents=True)
    cluster_paths("default").plan.write_text("{broken")
    assert completed("kill", incomplete="x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell_is_printed(
    cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    if shell == "bash":
        monkeypatch.setattr(BashComplete, "_check_version", staticmethod(lambda: None))
    monkeypatch.setenv(COMPLETE_VARIABLE, f"{shell}_source")
    ran = cli()
    assert ran.code == 0
    assert COMPLETE_VARIABLE in ran.out
