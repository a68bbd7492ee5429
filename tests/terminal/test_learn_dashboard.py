"""`learn --dashboard` in a real terminal, on real etcd: done with keys, left, and gone on with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests import etcd_versions
from tests.conftest import SandboxCommand
from tests.terminal.screen import Screen


@pytest.fixture
def etcd_35(sandbox_command: SandboxCommand) -> None:
    """The commands run etcd 3.5."""
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_versions.need("3.5").path


def test_a_step_is_done_with_a_key_and_seen_and_its_place_is_kept(
    sandbox_command: SandboxCommand, screen_of: Callable[..., Screen], etcd_35: None
) -> None:
    screen = screen_of("learn", "2", "--dashboard")
    screen.until_shown("1 of 10 · Who leads now", "look, then o goes on")
    screen.press("o")
    screen.until_shown("2 of 10 · A goodbye: stop", "watching the cluster")
    screen.press("e")
    screen.until_shown("handed leadership over", "3 of 10 · Bring it back", "watching the cluster")
    screen.press("a")
    screen.until_shown("4 of 10 · A crash: kill", "watching the cluster")
    led = sandbox_command.leader("learn-2")
    screen.press(*["Down"] * (int(led[-1]) - 1), "k")
    screen.until_shown("5 of 10 · What it looked like from inside")
    said = " ".join(" ".join(row[61:-1] for row in screen.rows).split())
    assert f"✓ {led} was killed, and it was the leader; " in said
    assert re.search(r"leads in term \d+ after \d\.\d\d s More than a second, where", said)
    screen.press("q")
    screen.until_shown("Your place in the lesson is kept.")
    screen.press("s")
    screen.until_shown("next: etcd-sandbox learn 2 --dashboard", "ended=0")
    held = json.loads((sandbox_command.home / "learn.json").read_text())["lessons"]
    assert held["electing-a-leader"] == {"step": 4, "done": False}
    sandbox_command.assert_nothing_left()


def test_a_terminal_that_is_taken_away_leaves_nothing_of_the_lesson(
    sandbox_command: SandboxCommand, screen_of: Callable[..., Screen], etcd_35: None
) -> None:
    screen = screen_of("learn", "2", "--dashboard")
    screen.until_shown("1 of 10 · Who leads now", "look, then o goes on")
    screen.close()
    sandbox_command.assert_nothing_left()
