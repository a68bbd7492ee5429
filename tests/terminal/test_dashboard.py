"""The dashboard in a real terminal (tmux), on real etcd: watch, break, mend, leave."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import psutil
import pytest

from tests.conftest import SandboxCommand, until
from tests.terminal.screen import Screen


def up(screen_of: Callable[..., Screen]) -> Screen:
    screen = screen_of("up", "-n", "3", "--base-port", "auto")
    screen.until_shown("3 of 3 healthy", "leader · term", "k Kill")
    return screen


def dashboards(sandbox: SandboxCommand) -> list[psutil.Process]:
    return sandbox.ours_with("dashboard")


def watching(sandbox: SandboxCommand) -> bool:
    return bool(sandbox.ours_with("watch"))


def test_an_election_is_watched_broken_and_mended_with_keys(
    sandbox_command: SandboxCommand, screen_of: Callable[..., Screen]
) -> None:
    screen = up(screen_of)
    leader = sandbox_command.leader()
    screen.press(*["Down"] * (int(leader[-1]) - 1))
    screen.press("k")
    shown = screen.until_shown(
        f"kill {leader}: {leader} →", "without a leader", "killed by SIGKILL"
    )
    headline = next(line for line in shown.splitlines() if " default · " in line)
    assert f"★ {leader}" not in headline
    assert " s" in next(line for line in shown.splitlines() if line.startswith("outage"))
    screen.press("a")
    screen.until_shown("3 of 3 healthy")
    screen.press("x")
    screen.until_shown("1 fault", "partition")
    screen.press("h")
    screen.until_shown("3 of 3 healthy", "heal")
    until(lambda: not sandbox_command.status()["faults"], 20)
    screen.press("q")
    screen.until_shown("Leave the dashboard of default?")
    screen.press("s")
    # What the members say while they are stopped is for nobody any more.
    screen.until_shown("stopping default", "stopped default", "next: etcd-sandbox up", "ended=0")
    assert '"level"' not in screen.text
    sandbox_command.assert_nothing_left()


def test_etcdctl_runs_at_its_prompt_on_all_or_one_and_what_watches_ends_with_it(
    sandbox_command: SandboxCommand, screen_of: Callable[..., Screen]
) -> None:
    screen = up(screen_of)
    screen.press("c")
    screen.until_shown("Esc closes")
    screen.press("-l", "put greeting 'hello there'")
    screen.press("Enter")
    screen.until_shown("OK")
    screen.press("C-o")
    screen.until_shown("etcdctl --on infra1")
    screen.press("-l", "get greeting")
    screen.press("Enter")
    screen.until_shown("│ hello there", "etcdctl --on infra1 get greeting")
    screen.press("-l", "watch greeting")
    screen.press("Enter")
    until(lambda: watching(sandbox_command), 20)
    screen.press("C-c")
    screen.until_shown("stopped")
    until(lambda: not watching(sandbox_command), 20)
    screen.press("-l", "watch greeting")
    screen.press("Enter")
    until(lambda: watching(sandbox_command), 20)
    (dashboard,) = dashboards(sandbox_command)
    os.kill(dashboard.pid, signal.SIGKILL)
    until(lambda: not watching(sandbox_command), 20)
    screen.until_shown("plain lines follow")
    screen.press("C-c")
    screen.until_shown("ended=130")
    sandbox_command.assert_nothing_left()


def test_the_cluster_can_be_left_running_and_watched_again(
    sandbox_command: SandboxCommand, screen_of: Callable[..., Screen]
) -> None:
    screen = up(screen_of)
    screen.press("q")
    screen.until_shown("Leave it running")
    screen.press("l")
    screen.until_shown("runs on", "ended=0")
    again = screen_of("dashboard")
    again.until_shown("3 of 3 healthy")
    again.press("C-c")
    again.until_shown("ended=0")
    # Its life is nobody's but its own: it does not need the guard that watched over its owner.
    supervisor = psutil.Process(sandbox_command.status()["supervisor"]["pid"])
    guard = supervisor.parent()
    assert guard is not None
    guard.kill()
    log = sandbox_command.home / "default" / "supervisor.log"
    until(lambda: "the guard died" in log.read_text(), 20)
    sandbox_command("restart", "all")
    sandbox_command("down")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_dashboard_that_dies_leaves_its_cluster_alone_and_plain_lines_follow(
    sandbox_command: SandboxCommand, screen_of: Callable[..., Screen], number: int
) -> None:
    screen = up(screen_of)
    (dashboard,) = dashboards(sandbox_command)
    os.kill(dashboard.pid, number)
    screen.until_shown("the dashboard ended unexpectedly; plain lines follow")
    sandbox_command("kill", "infra1")
    screen.until_shown("infra1 exited: killed by SIGKILL")
    screen.press("C-c")
    screen.until_shown("ended=130")
    sandbox_command.assert_nothing_left()


def test_a_cluster_that_is_taken_down_from_elsewhere_ends_its_dashboard(
    sandbox_command: SandboxCommand, screen_of: Callable[..., Screen]
) -> None:
    screen = up(screen_of)
    sandbox_command("down")
    screen.until_shown("ended=0")
    sandbox_command.assert_nothing_left()


def test_an_attached_dashboard_says_that_the_supervisor_is_gone_and_comes_back_with_it(
    sandbox_command: SandboxCommand, screen_of: Callable[..., Screen]
) -> None:
    sandbox_command("up", "-n", "1", "-d", "--base-port", "auto")
    screen = screen_of("dashboard")
    screen.until_shown("1 of 1 healthy")
    sandbox_command("down")
    screen.until_shown("NOT CONNECTED")
    sandbox_command("up", "-n", "1", "-d", "--base-port", "auto", "--fresh")
    until(lambda: "NOT CONNECTED" not in screen.text, 20, lambda: screen.text)
    screen.until_shown("1 of 1 healthy")
    screen.press("q")
    screen.until_shown("ended=0")


@pytest.mark.parametrize("applied", [False, True])
def test_an_edit_of_the_procfile_is_told_in_the_dashboard_and_applied_where_that_is_wanted(
    sandbox_command: SandboxCommand, screen_of: Callable[..., Screen], applied: bool
) -> None:
    procfile = sandbox_command.cwd / "Procfile"
    procfile.write_text("one: exec sleep 600\n")
    screen = screen_of("up", "-f", str(procfile), *(["--watch"] if applied else []))
    screen.until_shown("one", "k Kill")
    procfile.write_text("one: exec sleep 600\ntwo: exec sleep 600\n")
    screen.until_shown("Procfile")

    def names() -> set[str]:
        answer = json.loads(sandbox_command("status", "--json").stdout)
        return {process["name"] for process in answer["processes"]}

    if applied:
        until(lambda: names() == {"one", "two"}, 20)
    else:
        screen.until_shown("etcd-sandbox apply")
        assert names() == {"one"}
    screen.press("q")
    screen.until_shown("Leave the dashboard")
    screen.press("s")
    screen.until_shown("ended=0")
