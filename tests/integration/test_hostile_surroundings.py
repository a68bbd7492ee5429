"""The command where the surroundings are odd: one sentence, the exit code, and never a wrong state."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import SandboxCommand, command, until

NOBODY = 65534
PROCFILE = "a: exec sleep 1000\n"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")


def in_shell(
    sandbox: SandboxCommand, line: str, **options: object
) -> subprocess.CompletedProcess[str]:
    """One line of a shell, in which `sandbox` is the command."""
    script = f'sandbox() {{ {shlex.join(command())} "$@"; }}\n{line}'
    settings: dict[str, object] = {
        "cwd": sandbox.cwd,
        "env": sandbox.env,
        "stdin": subprocess.DEVNULL,
        "capture_output": True,
        "text": True,
        "timeout": 60,
        "check": False,
        **options,
    }
    return subprocess.run(["/bin/bash", "-c", script], **settings)  # type: ignore[call-overload, no-any-return]


def told(done: subprocess.CompletedProcess[str]) -> str:
    """What was said on stderr, which is at most one error with its hint, and none of our making."""
    assert "Traceback" not in done.stdout + done.stderr, done
    assert "unexpected" not in done.stderr, done
    assert "mistake in etcd-sandbox" not in done.stderr, done
    assert done.stderr.count("error:") <= 1, done
    return done.stderr


def like_any_user() -> None:
    """In a child of root: file permissions hold for it, as for anybody (Linux)."""
    if os.geteuid() == 0:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP: the next program has it no more


@pytest.fixture
def user(sandbox_command: SandboxCommand) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command, for whom file permissions hold also where the tests run as root."""

    def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command(), *args],
            cwd=sandbox_command.cwd,
            env=sandbox_command.env | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            preexec_fn=like_any_user,
        )

    return run


@pytest.fixture
def _procfile(sandbox_command: SandboxCommand) -> None:
    (sandbox_command.cwd / "Procfile").write_text(PROCFILE)


# Standard streams.


@pytest.mark.parametrize(
    ("streams", "code"), [(">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), (">/dev/full", 1)]
)
@pytest.mark.usefixtures("_procfile")
def test_standard_streams_that_are_closed_or_full_hide_nothing_and_break_nothing(
    streams: str, code: int, sandbox_command: SandboxCommand
) -> None:
    for line in ("ls", "--version", "--help", "check", "up -d", "status --json", "down"):
        done = in_shell(sandbox_command, f"sandbox {line} {streams}")
        assert done.returncode == code, (line, done)
        said = told(done)
        if code:
            assert "standard output cannot be written (No space left on device)" in said, line
            assert "ls and status show it" in said


def test_an_earlier_error_keeps_its_exit_code_though_the_streams_are_full(
    sandbox_command: SandboxCommand,
) -> None:
    done = in_shell(sandbox_command, "sandbox status >/dev/full 2>/dev/full")
    assert done.returncode == 3


# Descriptors.


@pytest.mark.usefixtures("_procfile")
def test_a_thousand_inherited_descriptors_are_in_nobodys_way(
    sandbox_command: SandboxCommand,
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 2048:
        pytest.skip("this machine allows fewer descriptors")
    # `exec N<file` opens them for every command of the shell.
    line = (
        'ulimit -Sn 2048; for n in $(seq 10 1100); do eval "exec $n</dev/null"; done; '
        "sandbox up -d && sandbox status && sandbox down && "
        f"{{ exec {shlex.join(command())} up --plain & }}; up=$!; "
        "until sandbox status >/dev/null 2>&1; do sleep 0.1; done; kill -INT $up; wait $up; echo rc $?"
    )
    done = in_shell(sandbox_command, line)
    said = told(done)
    assert "error" not in said, done
    assert "cluster stopped" in done.stdout
    assert done.stdout.endswith("rc 130\n"), done


# Directories.


@pytest.mark.usefixtures("_procfile")
def test_a_working_directory_that_is_gone_is_named_by_those_who_need_it(
    sandbox_command: SandboxCommand,
) -> None:
    sandbox_command("up", "-d")
    for line, code in (
        ("up -n 1 --dry-run", 2),
        ("-c other up -d", 2),
        ("check", 2),
        ("ls", 0),
        ("status", 0),
        ("versions", 0),
        ("down", 0),
    ):
        done = in_shell(
            sandbox_command, f"mkdir -p gone && cd gone && rmdir ../gone && sandbox {line}"
        )
        assert done.returncode == code, (line, done)
        assert ("the working directory is gone" in told(done)) == (code == 2), done


def test_directories_of_path_that_may_not_be_read_are_passed_over(
    sandbox_command: SandboxCommand,
    user: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed" / "bin"
    closed.mkdir(parents=True)
    closed.parent.chmod(0)
    path = f"{closed}{os.pathsep}{sandbox_command.env['PATH']}"
    try:
        for args in (("versions",), ("up", "-n", "1", "--dry-run")):
            done = user(*args, PATH=path)
            assert done.returncode == 0, done
            assert "error" not in told(done)
    finally:
        closed.parent.chmod(0o700)


@pytest.mark.parametrize("kind", ["closed", "file", "endless"])
@pytest.mark.usefixtures("_procfile")
def test_a_state_directory_that_cannot_be_used_is_named_and_never_called_empty(
    kind: str, user: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    place = tmp_path / "state"
    match kind:
        case "closed":
            place.mkdir(mode=0)
            place.chmod(0)
        case "file":
            place.touch()
        case "endless":
            place = place / ("d" * 300)
    for args in (("up", "-d"), ("ls",), ("status",), ("down",), ("down", "--purge"), ("doctor",)):
        done = user(*args, ETCD_SANDBOX_HOME=str(place))
        assert done.returncode == 1, done
        said = done.stdout if args == ("doctor",) else told(done)
        assert str(place)[:100] in said, done
        assert "ETCD_SANDBOX_HOME" in said, done
        assert "no clusters yet" not in done.stdout
        assert "no cluster is running" not in said


@pytest.mark.usefixtures("_procfile")
def test_a_directory_that_lost_its_right_to_be_written_while_the_cluster_ran_is_named(
    sandbox_command: SandboxCommand, user: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """What the supervisor left there, since it could not delete it, cannot be cleared either."""
    assert user("up", "-d").returncode == 0
    root = sandbox_command.home / "default"
    root.chmod(0o500)
    try:
        assert user("down").returncode == 0
        for args in (("up", "-d"), ("down", "--purge")):
            done = user(*args)
            assert done.returncode == 1, done
            assert "you may not read or write this" in told(done)
            assert f"chmod u+rwX {root}" in done.stderr, done
    finally:
        root.chmod(0o700)
    done = user("down", "--purge")
    assert done.returncode == 0, done


@as_root
@pytest.mark.usefixtures("_procfile")
def test_a_cluster_of_another_user_is_named_with_its_owner_and_hides_no_other(
    sandbox_command: SandboxCommand, user: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    sandbox_command("-c", "theirs", "up", "-d")
    root = sandbox_command.home / "theirs"
    os.chown(root, NOBODY, NOBODY)
    try:
        for args in (("status",), ("down",), ("-c", "theirs", "up", "-d"), ("logs",), ("ls",)):
            done = user(*args)
            assert done.returncode == 1, (args, done)
            assert "belongs to nobody, and you (root) may not use it" in told(done), args
            assert str(root) in done.stderr
            if args != ("ls",):
                assert f"sudo chown -R root {root} makes it yours" in done.stderr
        assert user("-c", "ours", "up", "-d").returncode == 0
        listed = user("ls")
        assert listed.returncode == 1
        assert "ours" in listed.stdout
        assert "theirs" in listed.stderr
        assert json.loads(user("status", "--json").stdout)["cluster"] == "ours"
        assert user("down").returncode == 0
    finally:
        os.chown(root, 0, 0)


@as_root
@pytest.mark.usefixtures("_procfile")
def test_a_supervisor_that_sudo_started_in_our_directory_is_told_as_that(
    sandbox_command: SandboxCommand, user: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    sandbox_command("up", "-d")
    door = sandbox_command.home / "default" / "control.sock"
    os.chown(door, NOBODY, NOBODY)
    for args in (("status",), ("down",), ("logs",), ("kill", "a")):
        done = user(*args)
        assert done.returncode == 1, (args, done)
        assert "cluster 'default' was started by nobody" in told(done)
        assert str(door) in done.stderr


@as_root
@pytest.mark.usefixtures("_procfile")
@pytest.mark.parametrize("name", ["events.jsonl", "supervisor.lock", "cluster.json", "logs"])
def test_what_one_sudo_left_is_named_with_its_mend(
    name: str,
    sandbox_command: SandboxCommand,
    user: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    sandbox_command("up", "-d")
    sandbox_command("down")
    root = sandbox_command.home / "default"
    left = root / name
    os.chown(left, NOBODY, NOBODY)
    left.chmod(0o700 if left.is_dir() else 0o600)
    done = user("up", "-d")
    assert done.returncode == 1, done
    assert f"belongs to nobody, and you (root) may not use it, {left}" in told(done)
    assert f"sudo chown -R root {root} makes it yours" in done.stderr
    os.chown(left, 0, 0)
    assert user("up", "-d").returncode == 0


@pytest.fixture(autouse=True)
def _nothing_left(sandbox_command: SandboxCommand) -> Iterator[None]:
    yield
    for place in sandbox_command.home.rglob("*"):
        if os.geteuid() == 0:
            os.chown(place, 0, 0)


# Limits.


def test_a_low_limit_of_open_files_is_raised_and_the_processes_keep_their_own(
    sandbox_command: SandboxCommand,
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 1024:
        pytest.skip("this machine allows no more")
    lines = [f"p{number}: sleep 1000" for number in range(70)]
    lines.append(
        'limit: until [ "$(ulimit -Sn)" = 100 ]; do sleep 0.1; done; echo as set; sleep 1000'
    )
    (sandbox_command.cwd / "Procfile").write_text("\n".join(lines))
    done = in_shell(sandbox_command, "ulimit -Sn 100; sandbox up -d")
    assert done.returncode == 0, done
    states = [
        each["state"]
        for each in json.loads(sandbox_command("status", "--json").stdout)["processes"]
    ]
    assert states == ["running"] * 71
    if sys.platform == "linux":
        until(lambda: sandbox_command("logs", "limit").stdout.strip().endswith("| as set"))


def test_a_limit_that_cannot_be_raised_is_told_before_anything_starts(
    sandbox_command: SandboxCommand,
) -> None:
    (sandbox_command.cwd / "Procfile").write_text(
        "\n".join(f"p{number}: sleep 1000" for number in range(70))
    )
    done = in_shell(sandbox_command, "ulimit -n 100; sandbox up -d")
    assert done.returncode == 1
    assert "70 processes need up to 344 open files, and no more than 100 are allowed" in told(done)
    assert "ulimit -n 344" in done.stderr
    assert sandbox_command("status", code=3)
    done = in_shell(sandbox_command, "ulimit -n 10; sandbox up -d")  # the guard gets no further
    assert done.returncode == 1
    assert "this process may open no more than 10 files" in told(done)


def test_a_process_that_cannot_be_executed_is_a_start_that_failed(
    sandbox_command: SandboxCommand,
) -> None:
    (sandbox_command.cwd / "Procfile").write_text(
        f"a: exec sleep 1000\nbig: echo {'x' * 200_000}\n"
    )
    done = in_shell(sandbox_command, "sandbox up -d")
    assert done.returncode == 1
    assert "big cannot be executed: Argument list too long" in told(done)
    assert sandbox_command("status", code=3)


@pytest.mark.usefixtures("_procfile")
def test_a_cluster_on_a_long_path_is_found_whatever_the_temporary_directory_is(
    sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    home = sandbox_command.home / ("d" * 120)
    long = tmp_path / ("e" * 120)
    long.mkdir()
    sandbox_command.env["ETCD_SANDBOX_HOME"] = str(home)
    for start, look in ((str(long), str(tmp_path)), (str(tmp_path), str(long))):
        sandbox_command("up", "-d", TMPDIR=start)
        refused = sandbox_command("up", "-d", code=1, TMPDIR=look)
        assert "running already" in told(refused)
        status = json.loads(sandbox_command("status", "--json", TMPDIR=look).stdout)
        assert [each["state"] for each in status["processes"]] == ["running"]
        door = (home / "default" / "control.sock").readlink()
        assert door.exists()
        sandbox_command("down", TMPDIR=look)
        assert not door.exists()
        assert not (home / "default" / "control.sock").is_symlink()


STARVED = """#!/bin/sh
case "$*" in *--version*) echo "etcd Version: 3.5.1"; exit 0;; esac
echo "runtime: failed to create new OS thread (have 2 already; errno=11)" >&2
for register in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do echo "r$register 0x0" >&2; done
exit 2
"""


def test_a_member_that_gets_no_thread_is_told_as_that_and_not_by_its_registers(
    sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    etcd = tmp_path / "starved" / "etcd"
    etcd.parent.mkdir()
    etcd.write_text(STARVED)
    etcd.chmod(0o755)
    done = in_shell(sandbox_command, f"sandbox up -n 1 -d --base-port auto --etcd {etcd}")
    assert done.returncode == 1
    assert "hint: the machine gives no more processes and threads: ulimit -u" in told(done)
    listed = json.loads(sandbox_command("ls", "--json").stdout)["clusters"]
    assert [each["state"] for each in listed] == ["stopped"]


def without_the_right_to_kill() -> None:
    """In a child of root: the processes of others can be signalled no more than by anybody (Linux)."""
    ctypes.CDLL(None, use_errno=True).prctl(24, 5, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_KILL


@as_root
def test_a_process_that_runs_as_another_user_is_told_as_that_and_holds_nothing_up(
    sandbox_command: SandboxCommand,
) -> None:
    """As what `sudo` starts: its supervisor can neither signal nor end it."""
    become = f"import os; os.setgid({NOBODY}); os.setuid({NOBODY}); os.execv('/bin/sleep', ['sleep', '1000'])"
    (sandbox_command.cwd / "Procfile").write_text(
        f'a: exec {sys.executable} -S -c "{become}"\nb: exec sleep 1000\n'
    )

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return in_shell(sandbox_command, f"sandbox {line}", preexec_fn=without_the_right_to_kill)

    assert run("up -d").returncode == 0
    status = json.loads(sandbox_command("status", "--json").stdout)["processes"]
    pid = next(each["pid"] for each in status if each["name"] == "a")
    try:
        until(lambda: psutil.Process(pid).uids().real == NOBODY)
        for verb in ("kill", "stop", "restart", "pause"):
            done = run(f"{verb} a")
            assert done.returncode == 1, done
            assert f"a (pid {pid}) runs as nobody" in told(done)
            assert f"sudo kill {pid}" in done.stderr
        done = run("down")
        assert done.returncode == 1, done
        assert f"has ended, but a (pid {pid}) may not be signalled by you" in told(done)
        sandbox_command("status", code=3)
        assert [each.pid for each in sandbox_command.ours()] == [pid]
    finally:
        os.kill(pid, 9)
