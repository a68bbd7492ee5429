"""`learn` in a real terminal: a learner who does it here, elsewhere, otherwise, who goes and comes back."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.learn.needs import Ability
from etcd_sandbox.learn.stage import lack
from rich.cells import cell_len

from tests import etcd_versions
from tests.conftest import SandboxCommand, command, until
from tests.etcd_versions import lacking
from tests.programs import only
from tests.terminal.pseudoterminal import PseudoTerminal
from tests.terminal.screen import Screen


@pytest.fixture
def learner(
    sandbox_command: SandboxCommand, terminal_of: Callable[..., PseudoTerminal]
) -> Callable[..., PseudoTerminal]:
    """Opens `learn …` in terminals, on etcd 3.5."""
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_versions.need("3.5").path
    return lambda *args, **how: terminal_of("learn", *args, **how)


class Elsewhere:
    """Another terminal of the learner: looks at the lesson's cluster and does things to it."""

    def __init__(self, sandbox: SandboxCommand, cluster: str) -> None:
        self._sandbox = sandbox
        self._cluster = cluster

    def __call__(self, *args: str) -> str:
        return self._sandbox("-c", self._cluster, *args).stdout

    def status(self) -> dict[str, Any]:
        return self._sandbox.status(self._cluster)

    def members(self) -> list[dict[str, Any]]:
        members = self.status()["members"]
        assert isinstance(members, list)
        return members

    def ids(self) -> set[str]:
        return {each["id"] for each in self.members()}

    def leader(self) -> dict[str, Any]:
        return self._healthy("leader")

    def follower(self) -> dict[str, Any]:
        return self._healthy("follower")

    def _healthy(self, role: str) -> dict[str, Any]:
        """A member with that role, as soon as there is one that is well."""
        return until(
            lambda: next((m for m in self.members() if m["role"] == role and m["healthy"]), None)
        )


def place(sandbox: SandboxCommand, slug: str) -> dict[str, Any]:
    held = json.loads((sandbox.home / "learn.json").read_text())["lessons"][slug]
    assert isinstance(held, dict)
    return held


def to_the_kill(terminal: PseudoTerminal) -> None:
    """Lesson 2 up to the step that kills the leader."""
    terminal.until_painted("1 of 10", "Enter when you have looked")
    terminal.type(b"\n")
    terminal.until_painted("2 of 10")
    terminal.type(b"skip\n")
    terminal.until_painted("3 of 10")
    terminal.type(b"skip\n")
    terminal.until_painted("4 of 10 · A crash: kill", "$ etcd-sandbox kill leader")


def test_what_is_typed_in_the_guide_is_run_and_seen(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal = learner("1")
    terminal.until_painted(
        "Lesson 1: Your first cluster", "1 of 8", "export ETCD_SANDBOX_CLUSTER=learn-1"
    )
    terminal.type(b"etcd-sandbox status\n")
    terminal.until_painted("quorum: 3 of 3 healthy", "2 of 8")
    for number in (3, 4):
        terminal.type(b"\n")
        terminal.until_painted(f"{number} of 8")
    terminal.type(b"hnit\n")
    terminal.until_painted("did you mean 'hint'?")
    terminal.type(b"hint\n")
    terminal.until_painted("Keys and values are plain words")
    terminal.type(b"\n")
    terminal.until_painted("not seen yet: key greeting is hello")
    terminal.type(b"$ etcd-sandbox ctl put greeting hello\n")
    terminal.until_painted("✓ the key greeting is 'hello'", "5 of 8")
    assert place(sandbox_command, "your-first-cluster") == {"step": 4, "done": False}
    terminal.type(b"etcd-sandbox ctl watch greeting --rev=1\n")
    terminal.until_painted("PUT\r\ngreeting\r\nhello")
    terminal.type(b"\x03")  # ends the watch, and not the lesson
    terminal.type(b"echo still $((40 + 2))\n")
    terminal.until_painted("still 42")
    terminal.type(b"quit\n")
    assert terminal.wait() == 0
    assert "next: etcd-sandbox learn 1" in terminal.text
    sandbox_command.assert_nothing_left()


def test_a_plain_kill_from_another_terminal_is_seen_with_its_figures(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal, elsewhere = learner("2"), Elsewhere(sandbox_command, "learn-2")
    to_the_kill(terminal)
    leader = elsewhere.leader()
    os.kill(leader["pid"], signal.SIGKILL)
    terminal.until_painted("5 of 10")
    said = next(
        line for line in terminal.text.splitlines() if line.startswith("✓") and "killed" in line
    )
    successor = elsewhere.leader()
    assert f"{leader['name']} was killed, and it was the leader" in said
    assert f"{successor['name']} leads in term {successor['term']} after " in said
    assert " s" in said


def test_a_learner_who_kills_the_wrong_member_is_told_and_goes_on(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal, elsewhere = learner("2"), Elsewhere(sandbox_command, "learn-2")
    to_the_kill(terminal)
    wrong = elsewhere.follower()
    os.kill(wrong["pid"], signal.SIGKILL)
    terminal.until_painted(
        f"! {wrong['name']} was killed, and it was not the leader",
        f"back to where you were: etcd-sandbox start {wrong['name']}",
    )
    elsewhere("start", wrong["name"])
    terminal.until_painted("the cluster is whole again")
    assert "5 of 10" not in terminal.text
    terminal.type(b"run\n")
    terminal.until_painted("5 of 10")


def test_a_learner_who_stops_everything_is_told_and_goes_on(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal, elsewhere = learner("2"), Elsewhere(sandbox_command, "learn-2")
    to_the_kill(terminal)
    elsewhere("stop", "all")
    terminal.until_painted("this step asks for something else", "etcd-sandbox start")
    elsewhere("down")
    terminal.until_painted("the lesson's cluster does not run any more; Enter brings it up again")
    terminal.type(b"\n")
    until(lambda: terminal.text.count("4 of 10") == 2, evidence=lambda: terminal.text)
    terminal.type(b"run\n")
    terminal.until_painted("5 of 10")


def test_a_member_that_was_stopped_by_a_plain_signal_is_seen_and_woken_for_the_next_step(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal, elsewhere = learner("2"), Elsewhere(sandbox_command, "learn-2")
    to_the_kill(terminal)
    for number in (5, 6, 7):
        terminal.type(b"skip\n")
        terminal.until_painted(f"{number} of 10")
    os.kill(elsewhere.leader()["pid"], signal.SIGSTOP)
    terminal.until_painted("was paused, and it was the leader", "8 of 10")
    terminal.type(b"skip\n")
    terminal.until_painted("9 of 10")
    until(lambda: all(member["healthy"] for member in elsewhere.members()), 20)


def test_a_lesson_goes_on_where_it_was_left(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal, elsewhere = learner("3"), Elsewhere(sandbox_command, "learn-3")
    terminal.until_painted("1 of 9")
    for number in (2, 3, 4, 5):
        terminal.type(b"skip\n")
        terminal.until_painted(f"{number} of 9")
    terminal.take_away()  # in the middle, with the quorum lost
    terminal.process.wait(60)
    sandbox_command.assert_nothing_left()
    again = learner("3")
    again.until_painted("You left it at step 5", "$ etcd-sandbox kill infra3", "5 of 9")
    assert not elsewhere.status()["quorum"]["ok"]
    again.type(b"back\n")
    again.until_painted("4 of 9")
    until(lambda: elsewhere.status()["quorum"]["healthy"] == 3, 20)
    again.type(b"\x03")
    assert again.wait() == 0
    sandbox_command.assert_nothing_left()


def test_a_lesson_that_is_left_running_runs_on_and_is_open_once(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal = learner("1")
    terminal.until_painted("1 of 8")
    second = learner("1")
    assert second.wait() == 2
    assert "lesson 1 is open in another terminal" in second.text
    terminal.type(b"leave\n")
    assert terminal.wait() == 0
    assert Elsewhere(sandbox_command, "learn-1").leader()
    again = learner("1")
    again.until_painted("1 of 8")
    again.type(b"q\n")
    assert again.wait() == 0
    sandbox_command.assert_nothing_left()


def test_a_lesson_that_is_begun_anew_has_a_new_cluster(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal, elsewhere = learner("1"), Elsewhere(sandbox_command, "learn-1")
    terminal.until_painted("1 of 8")
    elsewhere("ctl", "put", "mine", "old")
    terminal.type(b"skip\n")
    terminal.until_painted("2 of 8")
    terminal.type(b"quit\n")
    assert terminal.wait() == 0
    again = learner("1", "--again")
    again.until_painted("1 of 8")
    assert elsewhere("ctl", "get", "mine") == ""
    again.type(b"quit\n")
    assert again.wait() == 0


def test_a_lesson_ends_with_its_question_and_leaves_nothing(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal = learner("7")
    for number in range(1, 7):
        terminal.until_painted(f"{number} of 6")
        terminal.type(b"skip\n")
    terminal.until_painted("A question", "press Enter for the answer")
    assert "auto-compaction-mode" not in terminal.text
    terminal.type(b"\n")
    assert terminal.wait() == 0
    assert "auto-compaction-mode" in terminal.text
    assert place(sandbox_command, "running-out-of-space")["done"] is True
    assert not (sandbox_command.home / "learn-7").exists()
    sandbox_command.assert_nothing_left()


ANOTHER = "etcd-sandbox up -d -n 3 --base-port auto"


def test_a_learner_takes_the_cluster_down_and_brings_it_up_in_a_wrong_way_and_in_the_right_one(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal, elsewhere = learner("6"), Elsewhere(sandbox_command, "learn-6")
    terminal.until_painted("1 of 10")
    terminal.type(b"\n")
    terminal.until_painted("2 of 10")
    terminal.type(b"etcd-sandbox down --purge\n")
    terminal.until_painted("✓ the cluster is down, and this step brings it up again")
    elsewhere(*ANOTHER.split()[1:])
    terminal.until_painted(
        "! the cluster was brought up again: the members were told of each other by a static list",
        "back to where you were: etcd-sandbox down --purge",
    )
    elsewhere("down", "--purge")
    until(lambda: terminal.text.count("✓ the cluster is down") == 2, evidence=lambda: terminal.text)
    terminal.type(b"\n")
    until(lambda: terminal.text.count("2 of 10") == 2, evidence=lambda: terminal.text)
    terminal.type(b"run\n")
    terminal.until_painted("$ etcd-sandbox down --purge")
    terminal.type(f"{ANOTHER} --bootstrap discovery\n".encode())
    terminal.until_painted("✓ the members were introduced by a discovery service", "3 of 10")
    terminal.type(b"leave\n")
    assert terminal.wait() == 0
    assert elsewhere.leader()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_a_cluster_that_a_step_has_brought_up_goes_with_the_guide_and_comes_back_as_it_was(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal], number: signal.Signals
) -> None:
    terminal, elsewhere = learner("6"), Elsewhere(sandbox_command, "learn-6")
    terminal.until_painted("1 of 10")
    terminal.type(f"\netcd-sandbox down --purge; {ANOTHER} --bootstrap discovery\n".encode())
    terminal.until_painted("3 of 10")
    ids = elsewhere.ids()
    terminal.process.send_signal(number)
    terminal.process.wait(60)
    sandbox_command.assert_nothing_left()
    again = learner("6")
    again.until_painted("You left it at step 3", "3 of 10")
    until(lambda: elsewhere.ids() == ids, 20)
    again.type(b"quit\n")
    assert again.wait() == 0
    sandbox_command.assert_nothing_left()


def test_a_terminal_that_goes_without_a_signal_takes_the_steps_own_cluster_with_it(
    sandbox_command: SandboxCommand, terminal_of: Callable[..., PseudoTerminal]
) -> None:
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_versions.need("3.5").path
    # The terminal does not control what runs in a session of its own: it only cannot be read any more.
    terminal = terminal_of("learn", "6", argv=["setsid", "--wait", *command()])
    terminal.until_painted("1 of 10")
    terminal.type(f"\netcd-sandbox down --purge; {ANOTHER} --bootstrap discovery\n".encode())
    terminal.until_painted("3 of 10")
    terminal.take_away()
    sandbox_command.assert_nothing_left()


def test_what_the_machine_cannot_do_is_passed_over_forwards_and_backwards(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal], tmp_path: Path
) -> None:
    if found := lack([Ability.DNS], ""):
        lacking(found.what)
    terminal = learner("6", PATH=only(tmp_path / "bin", "sh", "rm", "grep", "unshare", "mount"))
    for number in (1, 2, 3, 4, 5):
        terminal.until_painted(f"{number} of 10")
        terminal.type(b"skip\n")
    over = "! 6 of 10 · What the records say: passed over, as dig is not installed"
    terminal.until_painted(over, "To mend it: install your", "7 of 10 · Clients")
    assert terminal.text.count("5 of 10") == 1
    terminal.type(b"back\n")
    terminal.until_painted("the cluster was brought up: the members were introduced by a discovery")
    until(lambda: terminal.text.count("5 of 10") == 2, evidence=lambda: terminal.text)
    # It is there to be done again: what it leads to was undone.
    terminal.type(b"hint\nq\n")
    assert terminal.wait() == 0
    assert terminal.text.count(over) == 2


def test_a_lesson_in_chinese_fits_a_narrow_screen(
    sandbox_command: SandboxCommand, screen_of: Callable[..., Screen]
) -> None:
    sandbox_command.env["LC_ALL"] = "C.UTF-8"  # tmux, too, must know that a character may be wide
    screen = screen_of("learn", "--lang", "zh-TW", "1", columns=80)
    screen.until_shown("1 of 8 · 有誰在 ─")
    screen.press("hint", "Enter")
    shown = screen.until_shown("STATE 是行程的狀態").splitlines()
    rule = next(line for line in shown if line.startswith("── 1 of 8"))
    assert rule.endswith("─")
    assert cell_len(rule) == 78
    # A line that the terminal had to wrap would go on at the edge of the next one.
    at = next(i for i, line in enumerate(shown) if line.startswith("三個 etcd 成員"))
    assert shown[at + 1].endswith("再盯著它的變化。")
    assert 70 <= cell_len(shown[at]) <= 78
    screen.press("q", "Enter")
    screen.until_shown("next: etcd-sandbox learn --lang zh-Hant 1", "ended=0")


def test_a_member_that_comes_or_goes_against_the_lesson_is_told_with_a_way_back_that_works(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal, elsewhere = learner("5"), Elsewhere(sandbox_command, "learn-5")
    terminal.until_painted("1 of 10")
    terminal.type(b"skip\n")
    terminal.until_painted("2 of 10")
    elsewhere("remove", "infra2")
    terminal.until_painted("! infra2 was removed", "etcd-sandbox replace infra2")
    elsewhere("replace", "infra2")
    terminal.until_painted("the cluster is whole again")
    elsewhere("add")
    terminal.until_painted("! infra4 was added with a vote", "etcd-sandbox remove infra4")
    elsewhere("remove", "infra4")
    until(lambda: terminal.text.count("the cluster is whole again") == 2)
    assert "3 of 10" not in terminal.text
    elsewhere("add")
    terminal.type(b"back\n")
    terminal.until_painted("a new cluster, without data")
    until(lambda: terminal.text.count("1 of 10") == 2)
    assert [each["name"] for each in elsewhere.members()] == ["infra1", "infra2", "infra3"]


def test_a_cluster_that_the_learner_restores_is_the_lessons_own(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal, elsewhere = learner("8"), Elsewhere(sandbox_command, "learn-8")
    for number in range(1, 7):
        terminal.until_painted(f"{number} of 8")
        terminal.type(b"skip\n")
    terminal.until_painted("7 of 8")
    elsewhere("down", "--purge")
    terminal.until_painted("the cluster is down, and this step brings it up again")
    terminal.type(b"etcd-sandbox restore backup.db -d --base-port auto\n")
    terminal.until_painted("✓ it is another cluster", "key drink is gone", "8 of 8")
    assert "asks for something else" not in terminal.flowing
    terminal.take_away()
    terminal.process.wait(60)
    sandbox_command.assert_nothing_left()
    again = learner("8")
    again.until_painted("You left it at step 8", "8 of 8")
    for _ in range(3):
        again.type(b"run\n")
    again.until_painted("✓ it is another cluster", "A question")
    again.type(b"\n")
    assert again.wait() == 0
    sandbox_command.assert_nothing_left()


def test_who_upgrades_all_at_once_is_halted_or_goes_on_with_a_new_cluster(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    etcd_versions.need("3.4")
    terminal, elsewhere = learner("9"), Elsewhere(sandbox_command, "learn-9")
    terminal.until_painted("etcd 3.4", "1 of 7")
    terminal.type(b"skip\n")
    terminal.until_painted("2 of 7")
    elsewhere("upgrade", "all", "--to", "3.5")
    terminal.until_painted("✓ infra2 runs etcd 3.5", "3 of 7")

    def versions() -> dict[str, str]:  # a member that is too busy to answer has none
        return {each["name"]: (each["version"] or "")[:3] for each in elsewhere.members()}

    expected = {"infra1": "3.4", "infra2": "3.5", "infra3": "3.4"}
    until(lambda: versions() == expected, 20, versions)


def test_without_colours_nothing_is_coloured(
    sandbox_command: SandboxCommand, learner: Callable[..., PseudoTerminal]
) -> None:
    terminal = learner("1", NO_COLOR="1")
    terminal.until_painted("1 of 8")
    terminal.type(b"hint\nq\n")
    assert terminal.wait() == 0
    assert b"\x1b[" not in terminal.painted
