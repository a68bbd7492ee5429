"""The dashboard where terminals are at their worst: killed, frozen, slow, resized, monochrome, spat at."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from etcd_sandbox.cli.dashboard import AS_BEFORE
from etcd_sandbox.model.event import Kind
from etcd_sandbox.paths import ClusterPaths

from tests.conftest import SandboxCommand, command, until
from tests.terminal.leftovers import asked_for, leftovers
from tests.terminal.pseudoterminal import PseudoTerminal
from tests.terminal.screen import Screen

OpensTerminal = Callable[..., PseudoTerminal]
OpensScreen = Callable[..., Screen]

CTRL_C = b"\x03"
NOT_UTF_8 = b"\xff\xfe\xe9"


def signalled(number: signal.Signals) -> Callable[[int, PseudoTerminal], None]:
    def send(dashboard: int, terminal: PseudoTerminal) -> None:
        os.kill(dashboard, number)

    return send


def typed(*keys: bytes) -> Callable[[int, PseudoTerminal], None]:
    """Each key after what the one before it has been answered with: a dialogue."""

    def type_(dashboard: int, terminal: PseudoTerminal) -> None:
        for number, key in enumerate(keys):
            if number:
                terminal.until_painted("Leave it running")
            terminal.type(key)

    return type_


def procfile(sandbox: SandboxCommand, **commands: str) -> None:
    text = "".join(f"{name}: {command}\n" for name, command in commands.items())
    (sandbox.cwd / "Procfile").write_text(text)


def dashboard_of(sandbox: SandboxCommand) -> psutil.Process:
    (found,) = sandbox.ours_with("dashboard")
    return found


def paths(sandbox: SandboxCommand) -> ClusterPaths:
    return ClusterPaths("default", sandbox.home / "default")


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def stopped_and_continued(dashboard: int, terminal: PseudoTerminal) -> None:
    os.kill(dashboard, signal.SIGSTOP)
    until(lambda: psutil.Process(dashboard).status() == psutil.STATUS_STOPPED)
    os.kill(dashboard, signal.SIGCONT)
    seen = len(terminal.painted)
    until(lambda: b"hello" in terminal.painted[seen:])
    terminal.type(b"q")


EXITS = {
    "q": typed(b"q"),
    "Ctrl-C": typed(CTRL_C),
    "SIGINT": signalled(signal.SIGINT),
    "SIGTERM": signalled(signal.SIGTERM),
    "SIGHUP": signalled(signal.SIGHUP),
    "SIGCONT, q": stopped_and_continued,
}
"""Of one that was killed by SIGKILL nothing is left that could restore a terminal."""


def test_a_dashboard_leaves_the_terminal_as_it_found_it_however_it_is_ended(
    sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    procfile(sandbox_command, talker="while :; do echo hello; sleep 0.2; done")
    sandbox_command("up", "-d")
    for way, end in EXITS.items():
        terminal = terminal_of("dashboard")
        terminal.until_painted("hello", "Quit")
        end(terminal.process.pid, terminal)
        terminal.wait()
        assert (way, leftovers(terminal.painted)) == (way, [])
        # What `up` writes after a dashboard that was killed: it may have been killed at any byte of this.
        head, ends, tail = bytes(terminal.painted).rpartition(b"\x1b[?2026l")
        before = asked_for(head + ends)
        for cut in range(len(tail) + 1):
            assert leftovers(before + tail[:cut] + AS_BEFORE) == []
        assert terminal.settings == terminal.settings_before, way


OWNED_EXITS = {
    "q, stop": typed(b"q", b"s"),
    "q, leave": typed(b"q", b"l"),
    "SIGINT": signalled(signal.SIGINT),
    "SIGTERM": signalled(signal.SIGTERM),
    "SIGKILL": signalled(signal.SIGKILL),
    "SIGABRT": signalled(signal.SIGABRT),
}


@pytest.mark.parametrize("way", OWNED_EXITS)
def test_up_leaves_the_terminal_as_it_found_it_however_its_dashboard_ends(
    way: str, sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    procfile(sandbox_command, talker="while :; do echo hello; sleep 0.2; done")
    terminal = terminal_of("up")
    terminal.until_painted("hello", "Quit")
    OWNED_EXITS[way](dashboard_of(sandbox_command).pid, terminal)
    if way.startswith("SIG"):
        terminal.until_painted("plain lines follow")
        assert leftovers(terminal.painted) == []
        assert terminal.settings == terminal.settings_before
        terminal.type(CTRL_C)
    terminal.wait()
    assert leftovers(terminal.painted) == []
    assert terminal.settings == terminal.settings_before


@pytest.mark.parametrize(
    "way",
    ["down", "SIGTERM to up", "SIGKILL to the supervisor", "the state directory is gone"],
)
def test_up_leaves_the_terminal_as_it_found_it_when_the_cluster_is_ended_from_elsewhere(
    way: str, sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    procfile(sandbox_command, talker="while :; do echo hello; sleep 0.2; done")
    terminal = terminal_of("up")
    terminal.until_painted("hello", "Quit")
    if way == "down":
        sandbox_command("down")
    elif way == "SIGTERM to up":
        terminal.process.terminate()
    elif way == "the state directory is gone":
        shutil.rmtree(paths(sandbox_command).root)
    else:
        supervisor = json.loads(paths(sandbox_command).supervisor.read_bytes())
        os.kill(supervisor["pid"], signal.SIGKILL)
    terminal.wait()
    assert leftovers(terminal.painted) == []
    assert terminal.settings == terminal.settings_before
    if way == "the state directory is gone":
        # Nothing but this tells why the dashboard went.
        assert b"the state directory is gone: " in terminal.painted
        assert b"; everything was stopped" in terminal.painted
    sandbox_command.assert_nothing_left()


HANGS_AT_ITS_END = """
import atexit, sys, time
if "dashboard" in sys.argv:
    atexit.register(time.sleep, 600)
"""


def test_up_leaves_the_terminal_as_it_found_it_when_its_dashboard_has_done_so_and_is_killed_then(
    sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    (sandbox_command.cwd / "sitecustomize.py").write_text(HANGS_AT_ITS_END)
    procfile(sandbox_command, talker="while :; do echo hello; sleep 0.2; done")
    terminal = terminal_of("up", PYTHONPATH=str(sandbox_command.cwd))
    terminal.until_painted("hello", "Quit")
    terminal.process.terminate()
    terminal.wait()
    assert leftovers(terminal.painted) == []
    assert terminal.settings == terminal.settings_before
    sandbox_command.assert_nothing_left()


def test_a_dashboard_ends_when_its_terminal_is_closed(
    sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    procfile(sandbox_command, talker="while :; do echo hello; sleep 0.1; done")
    sandbox_command("up", "-d")
    terminal = terminal_of("dashboard")
    terminal.until_painted("hello", "Quit")
    terminal.take_away()
    terminal.process.wait(20)
    sandbox_command("down")
    terminal = terminal_of("up")
    terminal.until_painted("hello", "Quit")
    terminal.process.kill()
    terminal.take_away()
    sandbox_command.assert_nothing_left()


@pytest.mark.parametrize("args", [("up", "-n", "1"), ("learn", "2", "--dashboard")])
def test_a_terminal_that_goes_without_a_signal_takes_the_cluster_with_it(
    sandbox_command: SandboxCommand,
    newest_etcd: None,
    terminal_of: OpensTerminal,
    args: tuple[str, ...],
) -> None:
    # It does not control what runs in a session of its own: it only takes nothing any more.
    terminal = terminal_of(*args, argv=["setsid", "--wait", *command()])
    terminal.until_painted("infra1", "leader")
    terminal.take_away()
    sandbox_command.assert_nothing_left()


def test_keys_that_are_not_utf_8_do_no_harm(
    sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    procfile(sandbox_command, talker="while :; do echo hello; sleep 0.2; done")
    sandbox_command("up", "-d")
    terminal = terminal_of("dashboard")
    terminal.until_painted("hello", "Quit")
    terminal.type(NOT_UTF_8)
    terminal.type(b"?")
    terminal.until_painted("Keys")
    assert "Traceback" not in terminal.text
    terminal.type(CTRL_C)
    assert terminal.wait() == 0
    assert leftovers(terminal.painted) == []


def test_text_that_comes_in_one_burst_acts_on_nothing(
    sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    procfile(sandbox_command, talker="while :; do echo hello; sleep 0.2; done")
    sandbox_command("up", "-d")
    pid = sandbox_command.status()["processes"][0]["pid"]
    terminal = terminal_of("dashboard")
    terminal.until_painted("hello", "Quit")
    terminal.type(b"/kill\r")
    terminal.until_painted("no match")
    terminal.type(b"q")
    assert terminal.wait() == 0
    talker = sandbox_command.status()["processes"][0]
    assert (talker["state"], talker["pid"]) == ("running", pid)


@pytest.mark.parametrize("text", [b"kill\r", b"/kill", b"etcdctl get k\r"])
def test_what_was_typed_before_the_dashboard_was_shown_does_nothing_and_is_repeated(
    text: bytes, sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    procfile(sandbox_command, talker="while :; do echo hello; sleep 0.2; done")
    sandbox_command("up", "-d")
    pid = sandbox_command.status()["processes"][0]["pid"]
    terminal = terminal_of("dashboard", typed=text)
    terminal.until_painted("hello", "typed too early, not heeded: " + text.decode().strip())
    terminal.type(b"q")
    assert terminal.wait() == 0
    assert leftovers(terminal.painted) == []
    assert terminal.settings == terminal.settings_before
    talker = sandbox_command.status()["processes"][0]
    assert (talker["state"], talker["pid"]) == ("running", pid)


IDLE_S = 4.0
IDLE_BYTES_PER_S = 6000
"""Measured: 2,650 at 120×40, three pictures a second with rows of about 300 bytes that changed."""


def logged(sandbox: SandboxCommand) -> dict[Path, int]:
    """How much there is of what the dashboard would paint: the members' lines, and events."""
    files = (*paths(sandbox).logs.glob("infra*.log"), paths(sandbox).events)
    return {file: file.stat().st_size for file in files}


def painted_meanwhile(terminal: PseudoTerminal, span_s: float) -> tuple[bytes, float]:
    """What is painted in that time, and how long it really was."""
    start, began = len(terminal.painted), time.monotonic()
    until(lambda: time.monotonic() - began > span_s)
    return bytes(terminal.painted[start:]), time.monotonic() - began


def test_three_idle_members_are_painted_without_flicker_and_with_few_bytes(
    sandbox_command: SandboxCommand, terminal_of: OpensTerminal, newest_etcd: None
) -> None:
    sandbox_command("up", "-n", "3", "-d", "--base-port", "auto")
    terminal = terminal_of("dashboard")
    terminal.until_painted("3 of 3 healthy", "infra3")
    until(lambda: terminal.painted.count(b"\x1b[?2026l") > 20)
    for _ in range(5):
        before = logged(sandbox_command)
        painted, span_s = painted_meanwhile(terminal, IDLE_S)
        if logged(sandbox_command) == before:
            break  # on a busy machine members complain of it, and are not idle
    painted = painted[painted.index(b"\x1b[?2026h") : painted.rindex(b"\x1b[?2026l") + 8]
    assert len(painted) / span_s < IDLE_BYTES_PER_S
    assert painted.count(b"\x1b[?2026h") >= IDLE_S  # it is alive
    assert re.sub(rb"\x1b\[\?2026h.*?\x1b\[\?2026l", b"", painted, flags=re.DOTALL) == b""
    for clears in (rb"\x1b\[[0-3]?[JK]", rb"\x1b\[\?(47|104[79])", rb"\x1bc"):
        assert not re.findall(clears, painted)
    assert terminal.painted.count(b"\x1b[?1049h") == 1


STOOD_STILL_S = 5.5
SUPERVISOR_MAY_GROW_BYTES = 64 << 20


def all_well(sandbox: SandboxCommand) -> dict[str, Any] | None:
    """The status, if three are healthy and one of them leads."""
    now = sandbox.status()
    return now if now["leader"] and now["quorum"]["healthy"] == 3 else None


def leaders_lost(sandbox: SandboxCommand) -> int:
    """How often so far."""
    return paths(sandbox).events.read_text().count(Kind.LEADER_LOST)


def test_a_dashboard_that_stands_still_is_noticed_by_nobody_and_shows_the_newest_afterwards(
    sandbox_command: SandboxCommand, terminal_of: OpensTerminal, newest_etcd: None
) -> None:
    talker = sandbox_command.cwd / "talker.py"
    talker.write_text(
        "import itertools, time\n"
        "for n in itertools.count():\n"
        "    print(f'line {n} ' + 'x' * 180, flush=True)\n"
        "    time.sleep(0.001 if n % 5 == 0 else 0)\n"
    )
    (sandbox_command.cwd / "three.toml").write_text(
        "[cluster]\nmembers = 3\n"
        f'[[process]]\nname = "talker"\ncommand = "exec {sys.executable} {talker}"\n'
        '[[process]]\nname = "quiet"\ncommand = "exec sleep 1000"\n'
    )
    sandbox_command("up", "-p", "./three.toml", "-d", "--base-port", "auto")
    terminal = terminal_of("dashboard")
    terminal.until_painted("3 of 3 healthy", "line ")
    losses = leaders_lost(sandbox_command)
    before = until(lambda: all_well(sandbox_command), 20)
    supervisor = psutil.Process(before["supervisor"]["pid"])
    resident = supervisor.memory_info().rss
    os.kill(terminal.process.pid, signal.SIGSTOP)
    until(lambda: psutil.Process(terminal.process.pid).status() == psutil.STATUS_STOPPED)
    began = time.monotonic()
    sandbox_command("stop", "quiet")
    while time.monotonic() - began < STOOD_STILL_S:
        asked = time.monotonic()
        sandbox_command.status()
        assert time.monotonic() - asked < 3
        time.sleep(0.2)  # as often as a command would ask
    assert supervisor.memory_info().rss - resident < SUPERVISOR_MAY_GROW_BYTES

    def as_before() -> bool:
        now = sandbox_command.status()
        # Beside the talker a busy machine may starve the leader itself, and then another leads.
        lost = leaders_lost(sandbox_command) > losses
        same = ("quorum",) if lost else ("quorum", "leader", "term")
        return all(now[key] == before[key] for key in same)

    until(as_before, 20, lambda: (before, sandbox_command.status()))
    assert all(member["restarts"] == 0 for member in sandbox_command.status()["members"])
    log = (paths(sandbox_command).logs / "talker.log").read_bytes()
    newest = int(re.findall(rb"line (\d+) ", log)[-1])
    start = len(terminal.painted)
    os.kill(terminal.process.pid, signal.SIGCONT)

    def shown() -> str:
        return terminal.text[start // 2 :]

    until(lambda: any(int(n) >= newest for n in re.findall(r"line (\d+) ", shown())), 20, shown)
    terminal.until_painted("quiet stopped")
    terminal.until_painted("stood still for")
    terminal.type(b"q")
    assert terminal.wait() == 0
    assert leftovers(terminal.painted) == []
    assert terminal.settings == terminal.settings_before


@pytest.mark.parametrize("columns", [80, 200])
def test_a_resized_dashboard_fills_its_new_size_and_nothing_else(
    columns: int, sandbox_command: SandboxCommand, screen_of: OpensScreen
) -> None:
    sandbox_command("up", "-n", "1", "-d", "--base-port", "auto")
    screen = screen_of("dashboard")
    screen.until_shown("1 of 1 healthy", "k Kill")
    rows = {80: 24, 200: 60}[columns]
    screen.resize(70, 20)
    screen.until_shown("needs 80 columns and 24 rows")
    until(lambda: sum(bool(row.strip()) for row in screen.rows) == 1, 30, lambda: screen.text)
    screen.resize(columns, rows)

    def fits() -> bool:
        shown = screen.rows
        text = "\n".join(shown)
        return (
            len(shown) == rows
            and " default · " in shown[0]
            and "k Kill" in shown[-1]
            and [text.count(word) for word in ("q Quit", "─Logs─", " default · ")]
            == [1, rows > 24, 1]
            and "needs 80 columns" not in text
        )

    until(fits, 30, lambda: screen.rows)
    assert "ended=" not in screen.text


SPITTER = r"""
import os, time
os.write(1, b"[bold]x[/bold] [/nope] [red\n")
os.write(1, b"before\x1b[2J\x1b]0;hijacked\x07\x1b[?1049l\x1b[31mafter\n")
os.write(1, b"rings\x07twice\x08\x9b2J\n")
os.write(1, b"bytes \xff\xfe\xc3( end\n")
os.write(1, b"w" * 100_000 + b"\n")
os.write(1, b"that was all\n")
time.sleep(1000)
"""
LONG_NAME = "a-process-with-a-name-as-long-as-any-name-is-ever-allowed-to-be"
assert len(LONG_NAME) == 63


def test_what_processes_write_and_are_called_is_shown_as_text_and_never_obeyed(
    sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    spitter = sandbox_command.cwd / "spitter.py"
    spitter.write_text(SPITTER)
    commands = {"spitter": f"exec {sys.executable} {spitter}", LONG_NAME: "exec sleep 1000"}
    procfile(sandbox_command, **commands)
    sandbox_command("up", "-d")
    terminal = terminal_of("dashboard")
    terminal.until_painted("that was all", "Quit", "a-process-with")
    for shown in ("[bold]x[/bold] [/nope] [red", "beforeafter", "rings␇twice␈�2J", "bytes ��"):
        assert shown in terminal.text
    for obeyed in (b"\x1b[2J", b"hijacked", b"\x07twice", b"\x08", "\x9b".encode()):
        assert obeyed not in terminal.painted
    assert terminal.painted.count(b"\x1b[?1049") == 1
    terminal.type(b"q")
    assert terminal.wait() == 0


def test_the_title_and_the_screen_of_a_real_terminal_are_not_harmed_by_log_lines(
    sandbox_command: SandboxCommand, screen_of: OpensScreen
) -> None:
    spitter = sandbox_command.cwd / "spitter.py"
    spitter.write_text(SPITTER)
    procfile(sandbox_command, spitter=f"exec {sys.executable} {spitter}")
    sandbox_command("up", "-d")
    screen = screen_of("dashboard")
    title = screen.title
    screen.until_shown("that was all", "beforeafter", "[bold]x[/bold]")
    assert screen.title == title != "hijacked"
    assert screen.rows[0].startswith(" default")
    assert "q Quit" in screen.rows[-1]


SLOW_BYTES_PER_S = 2000
SLOW_ENDS_WITHIN_S = 6
SLOW_SPAN_S = 4.0


def test_a_slow_terminal_costs_nothing_and_a_key_still_ends_the_dashboard(
    sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    talker = (
        "while :; do for n in 1 2 3 4 5 6 7 8 9; do echo $n of many lines; done; sleep 0.05; done"
    )
    procfile(sandbox_command, talker=talker)
    sandbox_command("up", "-d")
    terminal = terminal_of("dashboard", bytes_per_s=SLOW_BYTES_PER_S)
    until(lambda: len(terminal.painted) > 2 * SLOW_BYTES_PER_S)
    dashboard = psutil.Process(terminal.process.pid)
    resident, used_s, began = dashboard.memory_info().rss, cpu_s(dashboard), time.monotonic()
    until(lambda: time.monotonic() - began > SLOW_SPAN_S)
    assert cpu_s(dashboard) - used_s < (time.monotonic() - began) / 4
    assert dashboard.memory_info().rss - resident < 16 << 20
    asked = time.monotonic()
    sandbox_command.status()
    assert time.monotonic() - asked < 3
    terminal.type(b"q")
    terminal.process.wait(SLOW_ENDS_WITHIN_S)
    terminal.hurry()
    assert terminal.wait() == 0
    assert leftovers(terminal.painted) == []
    assert terminal.settings == terminal.settings_before


COLOURS = re.compile(rb"\x1b\[(?:[\d;:]*;)?(?:3[0-8]|4[0-8]|9\d|10[0-7])(?:[;:][\d;:]*)?m")


def test_no_color_means_no_colour_and_what_is_chosen_is_still_seen(
    sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    procfile(sandbox_command, talker=r"printf '\033[31mred\033[0m\n'; exec sleep 1000")
    sandbox_command("up", "-d")
    for colours, env in ((True, {}), (False, {"NO_COLOR": "1"})):
        terminal = terminal_of("dashboard", **env)
        terminal.until_painted("talker", "red", "Quit", "▸")  # the chosen row
        assert bool(COLOURS.search(terminal.painted)) is colours
        terminal.type(b"q")
        assert terminal.wait() == 0


@pytest.mark.parametrize("command", ["dashboard", "up"])
def test_a_terminal_that_cannot_be_painted_on_gets_one_clear_error_or_plain_lines(
    command: str, sandbox_command: SandboxCommand, terminal_of: OpensTerminal
) -> None:
    procfile(sandbox_command, talker="while :; do echo hello; sleep 0.2; done")
    if command == "up":
        terminal = terminal_of("up", TERM="dumb")
        terminal.until_painted("hello")
        assert b"\x1b" not in terminal.painted
        return
    sandbox_command("up", "-d")
    refused = sandbox_command("dashboard", code=2).stderr
    terminal = terminal_of("dashboard", TERM="dumb")
    until(lambda: terminal.process.poll() is not None, 20, lambda: terminal.text)
    assert terminal.wait() == 2
    for shown in (refused, terminal.text):
        assert shown.count("error:") == 1
        assert "the dashboard needs a terminal" in shown
        assert "\x1b" not in shown
        assert "hint:" in shown
