"""What a cluster lives in is deleted while it runs or starts: nothing lives on that nobody could end."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SandboxCommand, until

ROUNDS = 4
NOTICED_WITHIN_S = 10.0
"""It takes a second or two; a busy machine takes longer."""


def sleeper(sandbox: SandboxCommand) -> None:
    (sandbox.cwd / "Procfile").write_text("sleeper: echo begins; exec sleep 1000\n")


@pytest.mark.parametrize(
    "take",
    [
        shutil.rmtree,
        lambda directory: (directory / "supervisor.lock").unlink(),
        lambda directory: (directory / "control.sock").unlink(),
    ],
    ids=["directory", "lock", "socket"],
)
def test_a_supervisor_that_nobody_could_reach_any_more_says_so_and_ends_what_it_runs(
    sandbox_command: SandboxCommand, take: Callable[[Path], None]
) -> None:
    sleeper(sandbox_command)
    up = sandbox_command.popen("up", "--plain")
    directory = sandbox_command.home / "default"
    until(lambda: sandbox_command.ours_with("sleep"))
    until((directory / "control.sock").exists)
    follower = sandbox_command.popen("events", "-f")
    until(lambda: follower.stdout is not None and follower.stdout.readline())
    reader = sandbox_command.popen("logs", "-f")
    until(lambda: reader.stdout is not None and reader.stdout.readline())
    take(directory)
    out, _ = up.communicate(timeout=NOTICED_WITHIN_S)
    assert up.returncode == 1
    told, _ = follower.communicate(timeout=NOTICED_WITHIN_S)
    _, warned = reader.communicate(timeout=NOTICED_WITHIN_S)
    for shown in (out, told, warned):
        assert b"cluster stopped: the " in shown
        assert b" is gone: " in shown
    sandbox_command.assert_nothing_left(NOTICED_WITHIN_S)


def test_what_is_in_the_place_of_a_deleted_cluster_is_left_alone(
    sandbox_command: SandboxCommand,
) -> None:
    sleeper(sandbox_command)
    sandbox_command("up", "-d")
    directory = sandbox_command.home / "default"
    # The first stands still while another takes its place.
    daemon = json.loads((directory / "supervisor.json").read_text())["pid"]
    (stopped,) = [p for p in sandbox_command.ours() if p.pid == daemon]
    stopped.send_signal(signal.SIGSTOP)
    try:
        shutil.rmtree(directory)
        sandbox_command("up", "-d")
        second = json.loads((directory / "supervisor.json").read_text())
    finally:
        stopped.send_signal(signal.SIGCONT)
    until(lambda: not stopped.is_running(), NOTICED_WITHIN_S)
    assert json.loads((directory / "supervisor.json").read_text()) == second
    answer = json.loads(sandbox_command("status", "--json").stdout)
    assert answer["supervisor"]["pid"] == second["pid"]
    assert [each["state"] for each in answer["processes"]] == ["running"]
    assert len(sandbox_command.ours_with("sleep")) == 1
    sandbox_command("down", "--purge")


def test_of_up_and_a_purge_at_the_same_time_one_wins_and_says_so(
    sandbox_command: SandboxCommand,
) -> None:
    sleeper(sandbox_command)
    directory, draw = sandbox_command.home / "default", random.Random(11)
    for _ in range(ROUNDS):
        sandbox_command("up", "-d", code=None)
        purge = sandbox_command.popen("down", "--purge")
        time.sleep(draw.uniform(0, 0.5))
        up = sandbox_command.popen("up", "-d")
        (_, purge_said), (_, up_said) = purge.communicate(timeout=60), up.communicate(timeout=60)
        alive = sandbox_command("status", code=None).returncode == 0
        said = (up_said + purge_said).decode()
        assert "No such file" not in said
        assert "Traceback" not in said
        assert alive == directory.exists(), said
        if purge.returncode != 0:
            assert "is left alone" in said, said
        if up.returncode != 0:
            assert "running already" in said or "ended" in said or "stopped" in said, said
        if not alive:
            sandbox_command.assert_nothing_left()
