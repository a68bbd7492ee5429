"""What commands leave in the background: ended with them and told, or told and ended with the next stop."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from tests.conftest import SandboxCommand, until, until_gone

PROCFILE = """\
db: setsid sleep 4711 >/dev/null 2>&1 &
job: sleep 4712 & echo started
keep: sleep 1000
"""


@pytest.fixture
def left(sandbox_command: SandboxCommand) -> SandboxCommand:
    """A cluster whose commands have left something in the background, and it was told."""
    (sandbox_command.cwd / "Procfile").write_text(PROCFILE)
    sandbox_command("up", "-d")
    until(lambda: told(sandbox_command, "db") and told(sandbox_command, "job"))
    return sandbox_command


def told(command: SandboxCommand, process: str) -> list[str]:
    """What `events` says that the process left."""
    lines = (command.home / "default" / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines if line.endswith("}")]
    return [
        what
        for event in events
        if event["kind"] == "process.left" and event["process"] == process
        for what in event["left"]
    ]


def daemons(command: SandboxCommand) -> list[psutil.Process]:
    return [each for each in command.ours() if each.cmdline()[-1:] == ["4711"]]


def test_what_a_command_leaves_in_its_group_is_ended_and_told(left: SandboxCommand) -> None:
    (what,) = told(left, "job")
    assert what.startswith("sleep 4712 (pid ")
    until_gone([int(what.split()[-1].rstrip(")"))])
    shown = left("events").stdout
    assert f"job left {what} in the background, which is ended with it" in shown


def test_a_daemon_is_told_of_and_a_stop_or_restart_ends_it(left: SandboxCommand) -> None:
    (first,) = daemons(left)
    assert told(left, "db") == [f"sleep 4711 (pid {first.pid})"]
    assert "db left sleep 4711" in left("events").stdout
    assert left("restart", "db").stdout.startswith("restarted db\n")
    until(lambda: len(told(left, "db")) == 2)
    (second,) = daemons(left)
    assert second.pid != first.pid
    assert left("stop", "db").stdout.startswith("stopped db\n")
    assert daemons(left) == []
    assert "nothing to do" in left("stop", "db").stdout


def test_a_command_that_is_stopped_takes_its_daemons_with_it(
    sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    (sandbox_command.cwd / "Procfile").write_text(
        "web: setsid sleep 4711 >/dev/null 2>&1 & touch begun; sleep 1000\n"
    )
    sandbox_command("up", "-d")
    until((sandbox_command.cwd / "begun").exists)
    until(lambda: len(daemons(sandbox_command)) == 1)
    sandbox_command("stop", "web")
    assert daemons(sandbox_command) == []
