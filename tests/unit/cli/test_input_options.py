"""The options of inputs: not given is None, so that what is given wins, also where it is the default."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.host.planfile import record_plan
from etcd_sandbox.inputs.caller import Caller
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.plan import plan_up
from etcd_sandbox.paths import cluster_paths

from tests.unit.cli.conftest import Ran


def recorded(**options: Any) -> None:
    """The plan of a Procfile of one process, made elsewhere with these options."""
    project = Path.cwd().parent / "project"
    project.mkdir()
    (project / "Procfile").write_text("web: sleep 1\n")
    (project / "some.env").write_text("COLOUR=blue\n")
    paths = cluster_paths("default")
    paths.root.mkdir(parents=True)
    planned = plan_up(Options(procfile="Procfile", **options), paths, Caller(cwd=project, env={}))
    record_plan(paths, planned.spec)


@pytest.mark.parametrize(
    ("before", "words", "port"),
    [
        ({"port_base": 6000}, [], "6000"),
        ({"port_base": 6000}, ["-b", "5000"], "5000"),
        ({"port_base": 6000}, ["-b", "7000"], "7000"),
        ({"set_ports": False}, [], None),
        ({"set_ports": False}, ["--set-ports"], "5000"),
        ({"set_ports": False, "port_base": 6000}, ["--set-ports"], "6000"),
        ({}, ["--no-set-ports"], None),
        ({}, [], "5000"),
    ],
)
def test_what_is_given_wins_over_what_was_recorded_also_where_it_is_the_default(
    home: Path,
    cli: Callable[..., Ran],
    before: dict[str, Any],
    words: list[str],
    port: str | None,
) -> None:
    recorded(**before)
    ran = cli("up", "--dry-run", "--json", *words)
    assert ran.code == 0, ran.err
    (process,) = json.loads(ran.out)["processes"]
    assert process["env"].get("PORT") == port


def test_auto_for_the_variable_port_names_the_option_that_takes_it(cli: Callable[..., Ran]) -> None:
    ran = cli("up", "-n", "3", "-b", "auto", "--dry-run")
    assert ran.code == 2
    assert "'auto' is for --base-port: it finds free ports for members" in ran.err
