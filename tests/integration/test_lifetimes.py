"""Whatever ends a cluster, and in whatever way: no process is left behind and no port stays held."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests import etcd_versions
from tests.conftest import SandboxCommand, until
from tests.programs import Holders, can_be_bound, holders

SLACK_S = 15.0
"""Beyond the stop timeout: for a loaded machine."""


class Up:
    """`up --plain` in the foreground, its stdout and stderr in files."""

    def __init__(self, sandbox: SandboxCommand, *args: str) -> None:
        self.out, self.err = sandbox.cwd / "up.out", sandbox.cwd / "up.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = sandbox.popen("up", "--plain", *args, stdout=out, stderr=err)
        self.pid = self.process.pid

    def until_ready(self) -> None:
        until(lambda: "cluster ready" in self.out.read_text(), 60, self.err.read_text)

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self, within_s: float = 30.0) -> int:
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"up still runs; stderr: {self.err.read_text()}")


@contextmanager
def up(sandbox: SandboxCommand, *args: str) -> Iterator[Up]:
    started = Up(sandbox, *args)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


def supervisor_pid(sandbox: SandboxCommand, cluster: str = "default") -> int:
    return int(json.loads((sandbox.home / cluster / "supervisor.json").read_bytes())["pid"])


def guard_pid(sandbox: SandboxCommand, cluster: str = "default") -> int:
    return psutil.Process(supervisor_pid(sandbox, cluster)).ppid()


def kill_both(sandbox: SandboxCommand) -> None:
    """Kill guard and supervisor so that neither sees the other go."""
    guard, supervisor = guard_pid(sandbox), supervisor_pid(sandbox)
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(guard, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)


def sigint(started: Up) -> None:
    started.send(signal.SIGINT)


def sigint_twice(started: Up) -> None:
    started.send(signal.SIGINT)
    until(lambda: "stopped by SIGTERM" in started.out.read_text(), evidence=started.out.read_text)
    started.send(signal.SIGINT)


ENDINGS: dict[str, tuple[Callable[[Up], None], int]] = {
    "Ctrl-C": (sigint, 130),
    "Ctrl-C twice": (sigint_twice, 130),
    "SIGTERM": (lambda started: started.send(signal.SIGTERM), 130),
    "SIGHUP": (lambda started: started.send(signal.SIGHUP), 130),
    "SIGKILL": (lambda started: started.send(signal.SIGKILL), -signal.SIGKILL),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left_when_up_is_ended_by(ending: str, sandbox_command: SandboxCommand) -> None:
    act, code = ENDINGS[ending]
    held = holders(sandbox_command)
    with up(sandbox_command, *held.args) as started:
        held.until_all_hold()
        started.until_ready()
        act(started)
        assert started.ended() == code
        if code == 130:
            # `up` goes last.
            assert sandbox_command.ours() == []
        sandbox_command.assert_nothing_left(1.0 + SLACK_S)
    held.assert_free()


def test_a_second_ctrl_c_does_not_wait_for_the_stop_timeout(
    sandbox_command: SandboxCommand,
) -> None:
    held = holders(sandbox_command, stop_timeout_s=50)
    with up(sandbox_command, *held.args) as started:
        held.until_all_hold()
        sigint_twice(started)
        assert started.ended(20) == 130
        assert sandbox_command.ours() == []
    # By its supervisor, which came to its own end, rather than by the guard over its dead body.
    assert "cluster stopped" in started.out.read_text()


def test_two_stubborn_processes_take_one_stop_timeout_and_are_named(
    sandbox_command: SandboxCommand,
) -> None:
    timeout_s = 10.0
    held = holders(
        sandbox_command, {"deaf1": "ignores", "deaf2": "ignores"}, stop_timeout_s=timeout_s
    )
    with up(sandbox_command, *held.args) as started:
        held.until_all_hold()
        began = time.monotonic()
        started.send(signal.SIGINT)
        until(lambda: "waiting for" in started.err.read_text(), 20, started.err.read_text)
        named_after_s = time.monotonic() - began
        assert started.ended() == 130
        took_s = time.monotonic() - began
    assert 2.0 <= named_after_s < timeout_s
    assert timeout_s <= took_s < 2 * timeout_s
    (line,) = [line for line in started.err.read_text().splitlines() if "waiting for" in line]
    assert "deaf1 (pid " in line
    assert "deaf2 (pid " in line


@pytest.mark.parametrize("victim", ["supervisor", "guard", "both", "both at the start"])
def test_nothing_is_left_of_a_cluster_that_up_owns_when_they_are_killed(
    victim: str, sandbox_command: SandboxCommand
) -> None:
    held = holders(sandbox_command)
    with up(sandbox_command, *held.args) as started:
        held.until_all_hold()
        if "start" not in victim:
            started.until_ready()
        if "both" in victim:
            kill_both(sandbox_command)
        else:
            pid = (supervisor_pid if victim == "supervisor" else guard_pid)(sandbox_command)
            os.kill(pid, signal.SIGKILL)
        assert started.ended() == 1
        assert sandbox_command.ours() == []
        assert "Traceback" not in started.err.read_text()
    held.assert_free()


def test_nothing_is_left_when_up_and_the_guard_are_killed(sandbox_command: SandboxCommand) -> None:
    held = holders(sandbox_command)
    with up(sandbox_command, *held.args) as started:
        held.until_all_hold()
        started.until_ready()
        os.kill(guard_pid(sandbox_command), signal.SIGKILL)
        started.send(signal.SIGKILL)
        started.ended()
        sandbox_command.assert_nothing_left(1.0 + SLACK_S)
    held.assert_free()


def detached(sandbox: SandboxCommand) -> Holders:
    held = holders(sandbox)
    sandbox("up", "-d", *held.args)
    held.until_all_hold()
    return held


def test_down_leaves_nothing(sandbox_command: SandboxCommand) -> None:
    held = detached(sandbox_command)
    sandbox_command("down")
    assert sandbox_command.ours() == []
    held.assert_free()


def test_killing_a_detached_supervisor_leaves_nothing(sandbox_command: SandboxCommand) -> None:
    held = detached(sandbox_command)
    os.kill(supervisor_pid(sandbox_command), signal.SIGKILL)
    # No stop timeout: there is nobody left who could stop anything in order.
    sandbox_command.assert_nothing_left(SLACK_S)
    held.assert_free()
    assert "died" in sandbox_command("ls").stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("target", [supervisor_pid, guard_pid])
def test_a_signal_to_supervisor_or_guard_stops_a_detached_cluster(
    target: Callable[[SandboxCommand], int], number: int, sandbox_command: SandboxCommand
) -> None:
    held = holders(sandbox_command, {"polite": ""})
    sandbox_command("up", "-d", *held.args)
    held.until_all_hold()
    os.kill(target(sandbox_command), number)
    sandbox_command.assert_nothing_left(SLACK_S)
    held.assert_free()
    assert "stopped" in sandbox_command("ls").stdout


def test_a_detached_cluster_survives_its_guard_and_is_cleared_whole_by_down(
    sandbox_command: SandboxCommand,
) -> None:
    held = detached(sandbox_command)
    os.kill(guard_pid(sandbox_command), signal.SIGKILL)
    status = json.loads(sandbox_command("status", "--json").stdout)
    assert [p["state"] for p in status["processes"]] == ["running"] * 3
    sandbox_command("down")
    assert sandbox_command.ours() == []
    held.assert_free()


@pytest.mark.parametrize(
    ("args", "code"), [(("status",), 3), (("up", "-d"), 0), (("down", "--purge"), 0)]
)
def test_the_next_command_clears_what_guard_and_supervisor_left(
    args: tuple[str, ...], code: int, sandbox_command: SandboxCommand
) -> None:
    held = detached(sandbox_command)
    left = {process.pid for process in sandbox_command.ours()}
    kill_both(sandbox_command)
    until(lambda: len(sandbox_command.ours()) == 5, 20)  # the holders, and two parents of them
    more = held.args if args[0] == "up" else ()
    done = sandbox_command(*args, *more, code=code)
    assert not left & {process.pid for process in sandbox_command.ours()}
    assert "had died: ended deaf, family, runaway" in done.stderr
    if args[0] == "up":
        held.until_all_hold()
    else:
        held.assert_free()


def test_a_sweep_spares_a_program_that_has_the_pid_now(sandbox_command: SandboxCommand) -> None:
    held = detached(sandbox_command)
    ledger = sandbox_command.home / "default" / "supervisor.json"
    content = json.loads(ledger.read_bytes())
    kill_both(sandbox_command)
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    ) as foreign:
        try:
            # The pids of the supervisor and of a process that has ended went to another program.
            content["pid"] = foreign.pid
            content["processes"]["gone"] = {
                "pid": foreign.pid,
                "started": psutil.Process(foreign.pid).create_time() - 3,
            }
            ledger.write_text(json.dumps(content))
            sandbox_command("status", code=3)
            held.assert_free()
            assert foreign.poll() is None
        finally:
            foreign.kill()


def test_a_ledger_that_makes_no_sense_is_no_obstacle(sandbox_command: SandboxCommand) -> None:
    held = holders(sandbox_command, {"polite": ""})
    root = sandbox_command.home / "default"
    root.mkdir()
    for content in ('{"run": "r", "processes"', '{"run": 1, "processes": {"a": {"pid": "x"}}}'):
        (root / "supervisor.json").write_text(content)
        (root / "control.sock").write_text("not a socket")
        sandbox_command("up", "-d", *held.args)
        sandbox_command("status")
        sandbox_command("down")


def ignore_sigquit() -> None:
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("detach", [False, True])
def test_a_signal_at_any_moment_of_the_start_leaves_nothing(
    detach: bool, number: int, sandbox_command: SandboxCommand
) -> None:
    (sandbox_command.cwd / "Procfile").write_text(
        "".join(f"p{n}: setsid sleep 3600 & echo up; exec sleep 3600\n" for n in range(10))
    )
    how = ["-d"] if detach else ["--plain"]
    marks: tuple[Callable[[Path], bool], ...] = (
        lambda root: (root / "supervisor.log").exists(),
        lambda root: (root / "supervisor.json").exists(),
        lambda root: (root / "logs" / "p0.log").exists(),
        lambda root: (root / "logs" / "p9.log").exists(),
    )
    root: Path = sandbox_command.home / "default"
    for mark in marks:
        for path in (*root.glob("logs/*"), root / "supervisor.log", root / "supervisor.json"):
            path.unlink(missing_ok=True)
        # As a shell without job control starts what goes into the background.
        process = sandbox_command.popen("up", *how, preexec_fn=ignore_sigquit)
        while not mark(root) and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        if detach and (process.returncode in (0, -number) or out):
            # It came while `up -d` told of a cluster that was ready, or later: that runs on.
            sandbox_command("status")
            sandbox_command("down")
        else:
            assert process.returncode == 130, err
            if detach:
                # Interrupted while it forks, `up -d` cannot wait for a child that it does not know.
                sandbox_command.assert_nothing_left(SLACK_S)
            assert sandbox_command.ours() == [], (out, err)
        assert b"Traceback" not in err


def test_a_grandchild_that_floods_the_pipe_holds_nobody_up(
    sandbox_command: SandboxCommand,
) -> None:
    (sandbox_command.cwd / "Procfile").write_text("flood: yes & yes & exit 3\n")
    sandbox_command("up", "-d")

    def states() -> set[str]:
        status = json.loads(sandbox_command("status", "--json").stdout)
        return {process["state"] for process in status["processes"]}

    until(lambda: states() == {"exited"}, 20)
    sandbox_command("down")
    assert sandbox_command.ours() == []


def test_a_cluster_whose_processes_have_all_ended_stays_and_starts_again(
    sandbox_command: SandboxCommand,
) -> None:
    (sandbox_command.cwd / "Procfile").write_text("a: echo ran >> runs\nb: false\n")
    with up(sandbox_command) as started:
        for name in "ab":
            until(
                lambda name=name: re.search(f"{name} (exited|ended)", started.out.read_text()),  # type: ignore[misc]
                evidence=started.out.read_text,
            )
        sandbox_command("start", "all")
        until(lambda: (sandbox_command.cwd / "runs").read_text() == "ran\nran\n")
        assert started.process.poll() is None
        started.send(signal.SIGINT)
        assert started.ended() == 130


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -SEGV $$", 128 + 11)])
def test_exit_on_error_ends_everything_with_the_exit_code_of_the_process(
    script: str, code: int, sandbox_command: SandboxCommand
) -> None:
    held = holders(sandbox_command, {"polite": ""})
    with (sandbox_command.cwd / "holders.toml").open("a") as profile:
        profile.write(
            "[[process]]\nname = 'fails'\n"
            f"command = '''while ! test -e fail; do sleep 0.02; done; {script}'''\n"
        )
    with up(sandbox_command, *held.args, "fails", "--exit-on-error") as started:
        held.until_all_hold()
        (sandbox_command.cwd / "fail").touch()
        assert started.ended() == code
        assert sandbox_command.ours() == []
    held.assert_free()


FAILS_AT_ONCE = "broken: echo last words; nosuchprogram --port 1\nother: sleep 1000\n"


def test_what_fails_at_once_is_heard_before_it_ends_everything(
    sandbox_command: SandboxCommand,
) -> None:
    (sandbox_command.cwd / "Procfile").write_text(FAILS_AT_ONCE)
    shown = sandbox_command("up", "--plain", "--exit-on-error", code=127).stdout
    for line in (
        r"broken  \| last words",
        r"broken  \| .*nosuchprogram: not found",
        r"sandbox \| broken exited: exit status 127",
        r"sandbox \| cluster stopped: broken failed \(exit status 127\)",
    ):
        assert re.search(line, shown), shown
    assert sandbox_command.ours() == []


def test_a_detached_start_tells_what_failed_at_once(sandbox_command: SandboxCommand) -> None:
    (sandbox_command.cwd / "Procfile").write_text(FAILS_AT_ONCE)
    ran = sandbox_command("up", "-d", "--exit-on-error", code=127)
    assert ran.stdout == ""
    assert "error: broken failed (exit status 127)\n\nlast words\n" in ran.stderr
    assert "nosuchprogram: not found" in ran.stderr
    assert sandbox_command.ours() == []


@pytest.fixture(scope="module")
def etcd_path() -> str:
    """The newest etcd of this machine."""
    return etcd_versions.need().path


@pytest.mark.parametrize("victim", ["up, by Ctrl-C", "up", "supervisor"])
def test_no_etcd_is_left(victim: str, etcd_path: str, sandbox_command: SandboxCommand) -> None:
    with up(sandbox_command, "-n", "3", "--base-port", "auto", "--etcd", etcd_path) as started:
        started.until_ready()
        plan = json.loads((sandbox_command.home / "default" / "cluster.json").read_bytes())
        ports = sorted(set(map(int, re.findall(r"http://127\.0\.0\.1:(\d+)", json.dumps(plan)))))
        assert len(ports) == 12
        assert not any(map(can_be_bound, ports))
        match victim:
            case "supervisor":
                os.kill(supervisor_pid(sandbox_command), signal.SIGKILL)
            case "up":
                started.send(signal.SIGKILL)
            case _:
                started.send(signal.SIGINT)
        started.ended()
        sandbox_command.assert_nothing_left()
    assert all(map(can_be_bound, ports))


def test_a_start_whose_guard_is_killed_and_whose_supervisor_stands_still_leaves_nothing(
    sandbox_command: SandboxCommand,
) -> None:
    (sandbox_command.cwd / "Procfile").write_text("a: exec sleep 1000\n")
    for detached in (["-d"], ["--plain"]):
        up = sandbox_command.popen("up", *detached)
        [supervisor] = until(lambda: _alone(sandbox_command))
        supervisor.suspend()
        guard = supervisor.parent()
        assert guard is not None
        if not (sandbox_command.home / "default" / "control.sock").exists():
            guard.kill()
            _, err = up.communicate(timeout=60)
            assert up.returncode == 1, err
            assert b"the guard was killed while the cluster started" in err
            sandbox_command("status", code=3)
        else:
            supervisor.resume()  # it was too quick for this test
            sandbox_command("down", "--kill")
            up.communicate(timeout=60)
        until(lambda: sandbox_command.ours() == [])


def _alone(sandbox: SandboxCommand) -> list[psutil.Process]:
    """The supervisor, and not its guard, which has the same words in its command line."""
    found = sandbox.ours_with("etcd_sandbox.daemon")
    with contextlib.suppress(psutil.Error):
        return [each for each in found if not any("guard.py" in word for word in each.cmdline())]
    return []


def test_a_supervisor_that_stands_still_is_told_and_can_be_ended(
    sandbox_command: SandboxCommand,
) -> None:
    (sandbox_command.cwd / "Procfile").write_text("a: exec sleep 1000\n")
    sandbox_command("up", "-d")
    [supervisor] = _alone(sandbox_command)
    (sandbox_command.home / "default" / "control.sock").rename(sandbox_command.cwd / "socket")
    supervisor.suspend()
    said = sandbox_command("status", code=4).stderr
    assert f"does not answer (pid {supervisor.ppid()}, {supervisor.pid})" in said
    assert "running already" in sandbox_command("up", "-d", code=1).stderr
    assert "stopped default" in sandbox_command("down", "--kill").stdout
    assert sandbox_command.ours() == []
    sandbox_command("status", code=3)
