"""Clusters side by side, one name twice, and who can reach the door of a cluster."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from etcd_sandbox.paths import SOCKET_PATH_LIMIT, ClusterPaths

from tests.conftest import SandboxCommand, until
from tests.programs import holders

NOBODY = 65534


def guards(sandbox: SandboxCommand) -> list[psutil.Process]:
    found = []
    for process in sandbox.ours():
        with suppress(psutil.Error):  # some come and go
            if "guard.py" in " ".join(process.cmdline()):
                found.append(process)
    return found


def test_two_clusters_live_side_by_side(sandbox_command: SandboxCommand) -> None:
    held = {}
    for name in ("one", "two"):
        held[name] = holders(sandbox_command, {"holder": ""})
        sandbox_command("-c", name, "up", "-d", *held[name].args)
        held[name].until_all_hold(name)
    refused = sandbox_command("status", code=2)
    assert "one, two" in refused.stderr
    sandbox_command("-c", "one", "kill", "holder")
    sandbox_command("-c", "one", "down")
    held["one"].assert_free()
    # The only one that is left needs no name.
    status = json.loads(sandbox_command("status", "--json").stdout)
    assert status["cluster"] == "two"
    assert [process["state"] for process in status["processes"]] == ["running"]
    sandbox_command("down")
    assert sandbox_command.ours() == []


@pytest.mark.parametrize("how", ["-d", "--plain"])
def test_a_second_up_of_the_same_name_is_refused_and_harms_nothing(
    how: str, sandbox_command: SandboxCommand
) -> None:
    held = holders(sandbox_command, {"holder": ""})
    sandbox_command("up", "-d", *held.args)
    held.until_all_hold()
    before = (sandbox_command.home / "default" / "cluster.json").read_bytes()
    (sandbox_command.cwd / "Procfile").write_text("other: sleep 100\n")
    for args in ([*held.args], ["-f", "Procfile"], ["-f", "Procfile", "--fresh"]):
        refused = sandbox_command("up", how, *args, code=None)
        assert refused.returncode in (1, 2), refused
        if "--fresh" not in args:
            assert refused.returncode == 1, refused
            assert "running already" in refused.stderr
            for way_out in ("status", "down", "-c"):
                assert way_out in refused.stderr
    assert (sandbox_command.home / "default" / "cluster.json").read_bytes() == before
    status = json.loads(sandbox_command("status", "--json").stdout)
    assert [(p["name"], p["state"]) for p in status["processes"]] == [("holder", "running")]


def test_of_many_ups_at_once_one_wins(sandbox_command: SandboxCommand) -> None:
    (sandbox_command.cwd / "Procfile").write_text("a: exec sleep 1000\n")
    ups = [sandbox_command.popen("up", "-d") for _ in range(5)]
    ends = [(up.communicate(timeout=30), up.returncode) for up in ups]
    assert sorted(code for _, code in ends) == [0, 1, 1, 1, 1], ends
    assert len(guards(sandbox_command)) == 1
    for (_, err), code in ends:
        assert b"Traceback" not in err
        assert code == 0 or b"running already" in err
    sandbox_command("down")
    assert sandbox_command.ours() == []


LOOK = """
import fcntl, sys
lock = open(sys.argv[1], "rb")
while True:
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        continue
    fcntl.flock(lock, fcntl.LOCK_UN)
"""
"""What every command does that asks whether a cluster runs, over and over."""


def test_looking_whether_it_runs_keeps_nobody_from_starting(
    sandbox_command: SandboxCommand,
) -> None:
    (sandbox_command.cwd / "Procfile").write_text("a: exec sleep 1000\n")
    lock = ClusterPaths("default", sandbox_command.home / "default").lock
    lock.parent.mkdir()
    lock.touch()
    with subprocess.Popen([sys.executable, "-S", "-E", "-c", LOOK, str(lock)]) as looker:
        try:
            for _ in range(4):
                sandbox_command("up", "-d")
                sandbox_command("down", "--kill")
        finally:
            looker.kill()


def test_a_stale_socket_and_ledger_are_recovered(sandbox_command: SandboxCommand) -> None:
    held = holders(sandbox_command)
    sandbox_command("up", "-d", *held.args)
    held.until_all_hold()
    root = sandbox_command.home / "default"
    pid = int(json.loads((root / "supervisor.json").read_bytes())["pid"])
    os.kill(pid, signal.SIGKILL)
    sandbox_command.assert_nothing_left()
    door = root / "control.sock"
    assert stat.S_ISSOCK(door.stat().st_mode)
    assert (root / "supervisor.json").exists()
    refused = sandbox_command("status", code=3)
    assert "Traceback" not in refused.stderr
    sandbox_command("up", "-d", *held.args)
    sandbox_command("status")
    sandbox_command("down", "--kill")
    held.assert_free()
    # The socket alone, as when a full disk swallowed the ledger.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(str(door))
    assert not (root / "supervisor.json").exists()
    sandbox_command("up", "-d", *held.args)
    sandbox_command("status")


CONNECT = """
import os, socket, sys
if int(sys.argv[2]) != os.getuid():
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(sys.argv[1])
"""


def connect_as(uid: int, door: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", CONNECT, str(door), str(uid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return "connected" if done.returncode == 0 else done.stderr.splitlines()[-1]


@pytest.mark.parametrize("deep", [False, True])
def test_other_users_cannot_reach_the_control_socket(
    deep: bool, sandbox_command: SandboxCommand
) -> None:
    """Also where the path is too long for a socket, and a shorter one stands in."""
    home = sandbox_command.home
    # Only what we make ourselves may be what keeps others out.
    home.chmod(0o755)
    if deep:
        # The directory with the stand-in is opened to others below: not the one that all tests use.
        (home / "t").mkdir()
        sandbox_command.env["TMPDIR"] = str(home / "t")
        home = home / ("d" * 100) / ("e" * 100)
        home.mkdir(parents=True)
        assert len(os.fsencode(home)) > 200 > SOCKET_PATH_LIMIT
    sandbox_command.env["ETCD_SANDBOX_HOME"] = str(home)
    (sandbox_command.cwd / "Procfile").write_text("a: exec sleep 1000\n")
    mask = os.umask(0)
    try:
        sandbox_command("up", "-d")
    finally:
        os.umask(mask)
    try:
        paths = ClusterPaths("default", home / "default")
        door = paths.socket
        assert door.is_relative_to(paths.root) is not deep
        assert stat.S_IMODE(door.stat().st_mode) == 0o600
        for directory in {door.parent, paths.root, paths.logs}:
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert json.loads(sandbox_command("status", "--json").stdout)["cluster"] == "default"
        assert connect_as(os.getuid(), door) == "connected"
        if os.getuid() == 0:
            assert connect_as(NOBODY, door).startswith("PermissionError")
            # Each of the two, the directory's mode and the socket's, is enough by itself.
            door.parent.chmod(0o755)
            assert connect_as(NOBODY, door).startswith("PermissionError")
            door.parent.chmod(0o700)
    finally:
        sandbox_command("down")
    assert not door.exists()


def test_no_port_is_opened_for_control(sandbox_command: SandboxCommand) -> None:
    (sandbox_command.cwd / "Procfile").write_text("a: exec sleep 1000\n")
    sandbox_command("up", "-d")
    for process in sandbox_command.ours():
        assert process.net_connections("inet") == [], process.cmdline()


@pytest.mark.soak
def test_a_program_that_does_not_answer_at_the_socket_is_no_hang(
    sandbox_command: SandboxCommand,
) -> None:
    root = sandbox_command.home / "default"
    root.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mute:
        mute.bind(str(root / "control.sock"))
        mute.listen()
        began = time.monotonic()
        done = sandbox_command("-c", "default", "status", code=None, timeout_s=40)
        assert done.returncode in (3, 4), done
        assert time.monotonic() - began < 30
        assert "Traceback" not in done.stderr
    until(lambda: sandbox_command.ours() == [])
