"""Which command lines have a guard and a supervisor executed before they are understood."""

from __future__ import annotations

import site
import subprocess
import sys
from pathlib import Path

import etcd_sandbox
import pytest
from etcd_sandbox.host.standby import will_start


@pytest.mark.parametrize("line", ["up", "up -n 3 -d", "-c two up -d", "run -- true", "restore x"])
def test_a_command_that_starts_a_cluster_has_them_executed_early(line: str) -> None:
    assert will_start(line.split())


@pytest.mark.parametrize(
    "line", ["", "-c", "status", "-c up status", "up --dry-run", "up --help", "run -h", "down up"]
)
def test_a_command_that_only_looks_does_not(line: str) -> None:
    assert not will_start(line.split())


def modules_of(code: str) -> set[str]:
    """What a Python without site-packages of its own has imported after this code."""
    path = [str(Path(etcd_sandbox.__file__).parent.parent), *site.getsitepackages()]
    probe = f"import sys; sys.path += {path!r}; {code}; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", probe]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_what_is_imported_before_they_are_executed_is_next_to_nothing() -> None:
    modules = modules_of("import etcd_sandbox.cli.main")
    assert not modules & {"contextlib", "enum", "re", "socket", "subprocess", "typing"}
    assert {name for name in modules if name.startswith("etcd_sandbox.")} == {
        "etcd_sandbox.cli",
        "etcd_sandbox.cli.main",
        "etcd_sandbox.host",
        "etcd_sandbox.host.standby",
    }


def test_the_guard_executes_the_supervisor_before_it_imports_what_it_needs() -> None:
    guard = str(Path(etcd_sandbox.__file__).parent / "supervise")
    modules = modules_of(f"sys.path.insert(0, {guard!r}); import guard")
    assert not modules & {"contextlib", "ctypes", "json", "signal", "socket", "watch"}


def test_the_supervisor_imports_what_answers_questions_after_the_members_are_executed() -> None:
    modules = modules_of("import etcd_sandbox.daemon")
    later = {
        "click",
        "h11",
        "httpx",
        "psutil",
        "shutil",
        "starlette",
        "uvicorn",
        "etcd_sandbox.control.server",
        "etcd_sandbox.etcd.gateway",
    }
    assert sorted(later & modules) == []
