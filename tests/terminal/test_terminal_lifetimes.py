"""The terminal and the cluster: what a key does, and what is left when the terminal goes away."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import etcd_versions
from tests.conftest import SandboxCommand, command, until
from tests.programs import Holders, holders

CTRL_C = b"\x03"
CONTROLLING = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A command that runs as the only program of a terminal."""

    def __init__(self, sandbox: SandboxCommand, *args: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", CONTROLLING, *command(), *args],
            cwd=sandbox.cwd,
            env=sandbox.env | {"TERM": "xterm-256color"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = b""
        self._open = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def until_shown(self, text: bytes) -> None:
        until(lambda: text in self.shown, evidence=lambda: self.shown.decode(errors="replace"))

    def close(self) -> None:
        """Take the terminal away, as closing its window does."""
        if self._open:
            self._open = False
            self._reader.join()
            os.close(self.master)

    def _read(self) -> None:
        while self._open:
            # A read that waits would keep the terminal open although it was closed.
            if not select.select([self.master], [], [], 0.02)[0]:
                continue
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                return
            self.shown += piece


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()
        terminal.process.kill()
        terminal.process.wait()


def stubborn_up(sandbox: SandboxCommand, terminals: list[Terminal]) -> tuple[Holders, Terminal]:
    held = holders(sandbox)
    terminal = Terminal(sandbox, "up", "--plain", *held.args)
    terminals.append(terminal)
    held.until_all_hold()
    terminal.until_shown(b"cluster ready")
    return held, terminal


def test_closing_the_terminal_of_up_leaves_nothing(
    sandbox_command: SandboxCommand, terminals: list[Terminal]
) -> None:
    held, terminal = stubborn_up(sandbox_command, terminals)
    terminal.close()
    sandbox_command.assert_nothing_left()
    held.assert_free()
    assert terminal.process.wait(20) == 130


@pytest.mark.parametrize("keys", [CTRL_C, CTRL_C + CTRL_C], ids=["once", "twice"])
def test_ctrl_c_typed_ends_everything(
    keys: bytes, sandbox_command: SandboxCommand, terminals: list[Terminal]
) -> None:
    held, terminal = stubborn_up(sandbox_command, terminals)
    terminal.type(keys)
    assert terminal.process.wait(30) == 130
    assert sandbox_command.ours() == []
    held.assert_free()
    assert b"Traceback" not in terminal.shown


def test_ctrl_c_reaches_only_up_and_not_its_processes(
    sandbox_command: SandboxCommand, terminals: list[Terminal]
) -> None:
    (sandbox_command.cwd / "Procfile").write_text(
        'a: for s in INT TERM HUP QUIT; do trap "echo got-$s; exit" $s; done;'
        " while :; do sleep 0.02; done\n"
    )
    terminal = Terminal(sandbox_command, "up", "--plain")
    terminals.append(terminal)
    terminal.until_shown(b"cluster ready")
    terminal.type(CTRL_C)
    assert terminal.process.wait(30) == 130
    log = sandbox_command.home / "default" / "logs" / "a.log"
    assert "got-TERM" in log.read_text()
    assert "got-INT" not in log.read_text()


class Tmux:
    """A tmux server of its own, with a shell in its only session."""

    def __init__(self, socket: Path, sandbox: SandboxCommand) -> None:
        self._socket = socket
        self._sandbox = sandbox
        self("-f", "/dev/null", "new-session", "-d", "-s", "main", "-x", "150", "-y", "40", "sh")

    def __call__(self, *args: str) -> str:
        # Its own environment must not look like that of a process of the cluster.
        env = {k: v for k, v in self._sandbox.env.items() if k != "ETCD_SANDBOX_HOME"}
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *args],
            cwd=self._sandbox.cwd,
            env=env | {"TERM": "xterm-256color", "SHELL": "/bin/sh"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def run(self, *args: str) -> None:
        line = shlex.join(["env", f"ETCD_SANDBOX_HOME={self._sandbox.home}", *command(), *args])
        self("send-keys", "-t", "main", "-l", line + "; echo code $?")
        self("send-keys", "-t", "main", "Enter")

    def screen(self) -> str:
        return self("capture-pane", "-p", "-J", "-t", "main")


@pytest.fixture
def tmux(
    sandbox_command: SandboxCommand, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        etcd_versions.lacking("tmux is not installed")
    started = Tmux(sandbox_command.home / ".tmux", sandbox_command)
    yield started
    started("kill-server")


def test_killing_the_tmux_session_of_up_leaves_nothing(
    sandbox_command: SandboxCommand, tmux: Tmux
) -> None:
    held = holders(sandbox_command)
    tmux.run("up", "--plain", *held.args)
    held.until_all_hold()
    until(lambda: "cluster ready" in tmux.screen(), evidence=tmux.screen)
    tmux("kill-session", "-t", "main")
    sandbox_command.assert_nothing_left()
    held.assert_free()


def test_a_detached_cluster_outlives_the_terminal_that_started_it(
    sandbox_command: SandboxCommand, tmux: Tmux
) -> None:
    held = holders(sandbox_command, {"holder": ""})
    tmux.run("up", "-d", *held.args)
    until(lambda: "code 0" in tmux.screen(), evidence=tmux.screen)
    tmux("kill-server")
    status = json.loads(sandbox_command("status", "--json").stdout)
    assert [process["state"] for process in status["processes"]] == ["running"]
    sandbox_command("down")
    held.assert_free()


def test_up_can_be_suspended_and_goes_on_while_its_processes_run(
    sandbox_command: SandboxCommand, tmux: Tmux
) -> None:
    (sandbox_command.cwd / "Procfile").write_text(
        "a: n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.02; done\n"
    )
    tmux.run("up", "--plain")
    until(lambda: "tick 10" in tmux.screen(), evidence=tmux.screen)
    tmux("send-keys", "-t", "main", "C-z")
    log = sandbox_command.home / "default" / "logs" / "a.log"
    ticks = log.read_text().count("\n")
    until(lambda: log.read_text().count("\n") > ticks + 20)
    tmux("send-keys", "-t", "main", "fg", "Enter")
    ticks = log.read_text().count("\n")
    until(lambda: f"tick {ticks}" in tmux.screen(), evidence=tmux.screen)
    tmux("send-keys", "-t", "main", "C-c")
    sandbox_command.assert_nothing_left()
    until(lambda: "cluster stopped" in tmux.screen(), 20, tmux.screen)
    assert "Procfile changed" not in tmux.screen()
