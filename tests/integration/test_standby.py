"""Guard and supervisor are executed while `up` still plans: whoever goes then takes the others along."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.conftest import SandboxCommand, until

PLAN = b"a: exec sleep 1000\n"


@contextmanager
def planning(sandbox: SandboxCommand) -> Iterator[subprocess.Popen[bytes]]:
    """`up -d` that waits for its Procfile, which is a pipe that nobody has written to."""
    os.mkfifo(sandbox.cwd / "pipe")
    up = sandbox.popen("up", "-d", "-f", "pipe")
    try:
        yield up
    finally:
        up.kill()
        up.communicate()


def waiting(sandbox: SandboxCommand) -> tuple[psutil.Process, psutil.Process]:
    """The guard and the supervisor, which has no orders yet."""

    def both() -> list[psutil.Process]:
        found = sandbox.ours_with("etcd_sandbox.daemon")
        return sorted(found, key=lambda each: each.pid) if len(found) == 2 else []

    guard, supervisor = until(both)
    with contextlib.suppress(psutil.Error):
        assert supervisor.ppid() == guard.pid
    return guard, supervisor


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_an_up_that_goes_while_it_plans(
    number: int, sandbox_command: SandboxCommand
) -> None:
    with planning(sandbox_command) as up:
        waiting(sandbox_command)
        up.send_signal(number)
        up.wait(20)
        sandbox_command.assert_nothing_left()


def test_further_interrupts_while_they_are_dismissed_end_up_without_a_traceback(
    sandbox_command: SandboxCommand,
) -> None:
    with planning(sandbox_command) as up:
        guard, _ = waiting(sandbox_command)
        guard.suspend()  # so that up waits for it

        def gone() -> bool:
            if up.poll() is None:
                up.send_signal(signal.SIGINT)
            return up.poll() is not None

        until(gone)
        guard.resume()
        _, err = up.communicate(timeout=60)
        assert b"Traceback" not in err, err
        sandbox_command.assert_nothing_left()


def test_an_input_that_cannot_be_used_ends_them_before_up_says_so(
    sandbox_command: SandboxCommand,
) -> None:
    said = sandbox_command("up", "-d", "-f", "nosuchfile", code=2).stderr
    assert sandbox_command.ours() == []
    assert "Traceback" not in said


@pytest.mark.parametrize("stands_still", [False, True])
def test_a_guard_that_is_killed_while_up_plans_leaves_no_supervisor(
    stands_still: bool, sandbox_command: SandboxCommand
) -> None:
    with planning(sandbox_command) as up:
        guard, supervisor = waiting(sandbox_command)
        if stands_still:
            supervisor.suspend()
        guard.kill()
        (sandbox_command.cwd / "pipe").write_bytes(PLAN)
        _, err = up.communicate(timeout=60)
        assert up.returncode == 1
        assert b"the guard was killed while the cluster started" in err
        sandbox_command.assert_nothing_left()
    sandbox_command("status", code=3)


def test_a_supervisor_that_is_killed_while_up_plans_is_told(
    sandbox_command: SandboxCommand,
) -> None:
    with planning(sandbox_command) as up:
        _, supervisor = waiting(sandbox_command)
        supervisor.kill()
        (sandbox_command.cwd / "pipe").write_bytes(PLAN)
        _, err = up.communicate(timeout=60)
        assert up.returncode == 1
        assert b"the supervisor ended before it served its socket" in err
        assert sandbox_command.ours() == []


def test_what_the_supervisor_says_before_it_has_its_log_comes_there(
    sandbox_command: SandboxCommand,
) -> None:
    broken = sandbox_command.cwd / "broken"
    broken.mkdir()
    (broken / "asyncio.py").write_text("raise ImportError('nothing works here')\n")
    (sandbox_command.cwd / "Procfile").write_bytes(PLAN)
    sandbox_command("up", "-d", code=1, PYTHONPATH=str(broken))
    log = (sandbox_command.home / "default" / "supervisor.log").read_text()
    assert "nothing works here" in log
    assert sandbox_command.ours() == []
