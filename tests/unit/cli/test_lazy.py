"""What a command imports: each of these costs tens of milliseconds at every start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

from etcd_sandbox.cli.root import COMMANDS

from tests.unit.conftest import FakeSupervisor, member, plan_answer, status_answer

HEAVY = {
    "anyio",
    "asyncio",
    "base64",
    "click",
    "dataclasses",
    "httpx",
    "inspect",
    "locale",
    "msgspec",
    "platformdirs",
    "psutil",
    "rich",
    "etcd_sandbox.config",
    "etcd_sandbox.etcd",
    "etcd_sandbox.host.launch",
    "etcd_sandbox.model.spec",
    "etcd_sandbox.model.state",
    "etcd_sandbox.plan",
    "starlette",
    "subprocess",
    "textual",
    "threading",
    "tomli",
    "uvicorn",
    "watchfiles",
    "yaml",
}

_PROBE = """
import json, sys
from etcd_sandbox.cli.main import run
code = run(sys.argv[1:])
print("MODULES" + json.dumps([code, sorted(sys.modules)]))
"""


def modules_of(*args: str) -> tuple[int, set[str]]:
    ran = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE, *args],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    code, modules = json.loads(ran.stdout.rpartition("MODULES")[2])
    return code, set(modules)


def test_status_imports_nothing_heavy(supervisor: Callable[..., FakeSupervisor]) -> None:
    supervisor(
        status=status_answer(member("infra1", role="leader"), member("infra2")),
        plan=plan_answer("infra1", "infra2"),
    )
    code, modules = modules_of("status")
    assert code == 0
    assert "etcd_sandbox.control.client" in modules
    assert sorted(HEAVY & modules) == []


def test_the_list_of_commands_imports_none_of_them() -> None:
    code, modules = modules_of("--help")
    assert code == 0
    commands = {entry[0].partition(":")[0] for entry in COMMANDS.values()}
    assert sorted(commands & modules) == []


def test_a_dashboard_without_a_lesson_loads_nothing_of_one() -> None:
    probe = "import json, sys, etcd_sandbox.tui.app; print(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-P", "-c", probe],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    modules = json.loads(ran.stdout)
    assert "etcd_sandbox.tui.actions" in modules
    lesson = (
        "etcd_sandbox.learn",
        "etcd_sandbox.tui.tutor",
        "textual.widgets._markdown",
        "markdown_it",
    )
    assert [name for name in modules if name.startswith(lesson)] == []
