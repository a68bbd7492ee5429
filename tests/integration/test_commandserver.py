"""Commands that run in a fork of the server are those that a user runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil
import pytest

from tests.commandserver import CommandServer
from tests.conftest import COMMANDS, SandboxCommand, command


@pytest.mark.parametrize(
    "line",
    [
        ("--version",),
        ("status",),
        ("nonsense",),
        ("kill",),
        ("up", "-n", "1000"),
        ("check", "--json"),
        ("ls", "--json"),
        ("status", "--help"),
    ],
)
def test_a_fork_says_what_the_installed_command_says(
    sandbox_command: SandboxCommand, line: tuple[str, ...]
) -> None:
    (sandbox_command.cwd / "Procfile").write_text("web: sleep 1\n")
    argv, env = [*command(), *line], sandbox_command.env
    installed = subprocess.run(
        argv,
        cwd=sandbox_command.cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert COMMANDS.can_run(env)
    forked = COMMANDS.run(argv, sandbox_command.cwd, env, 20)
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        installed.returncode,
        installed.stdout,
        installed.stderr,
    )


def test_a_command_that_takes_too_long_is_ended_and_what_it_said_is_there(
    sandbox_command: SandboxCommand,
) -> None:
    (sandbox_command.cwd / "Procfile").write_text("web: echo here; exec sleep 1000\n")
    sandbox_command("up", "-d")
    with pytest.raises(subprocess.TimeoutExpired) as late:
        sandbox_command("events", "-f", timeout_s=2)
    assert b"web started" in (late.value.stdout or b"")
    assert sandbox_command("status").returncode == 0


def test_an_environment_of_the_interpreters_own_takes_an_execution(
    sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    assert COMMANDS.can_run(sandbox_command.env)
    assert not COMMANDS.can_run(sandbox_command.env | {"PYTHONPATH": str(tmp_path)})
    assert not COMMANDS.can_run(sandbox_command.env | {"LC_ALL": "C"})


def test_a_server_that_is_closed_leaves_no_process(sandbox_command: SandboxCommand) -> None:
    server = CommandServer()
    server.run([*command(), "--version"], sandbox_command.cwd, sandbox_command.env, 20)
    assert _servers() >= 1
    server.close()
    assert _servers() <= 1  # that of the other tests


def _servers() -> int:
    return sum(
        any("commandserver.py" in word for word in each.cmdline())
        for each in psutil.Process().children()
    )
