"""The page for instructors: its commands are run, its plans add up, its figures are those of the other pages."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from etcd_sandbox.cli.root import COMMANDS, load, root
from etcd_sandbox.learn.library import find

from tests.conftest import SandboxCommand
from tests.docs.console import console_blocks, run_console, shell_environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "workshop.md").read_text()
SHOWN = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
"""Commands of which no output is shown."""

ELSEWHERE = {
    r"python3 -m venv": "tests/run.py",
    r"etcd-sandbox kit ": "tests/integration/test_kit.py",
    r"sh kit/install.sh": "tests/integration/test_kit.py",
    r"etcd-sandbox learn --check": "tests/learn/test_lessons.py",
    r"etcd-sandbox learn \d --again": "tests/terminal/test_learn.py",
    r".*dashboard --web": "tests/browser/test_web_door.py",
}
"""What takes long, or a network, or a terminal, and the test that does it."""


def test_what_is_shown_with_its_output_is_what_happens(sandbox_command: SandboxCommand) -> None:
    run_console(sandbox_command, [step for block in console_blocks(PAGE) for step in block])


def test_what_is_shown_without_output_works(sandbox_command: SandboxCommand) -> None:
    left = [line for line in SHOWN if not any(re.match(known, line) for known in ELSEWHERE)]
    assert len(left) >= 4
    env = shell_environment(sandbox_command)
    for line in ("etcd-sandbox -c learn-3 up -q -d -n 1 --base-port auto", *left):
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=sandbox_command.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    assert not (sandbox_command.home / "learn-3").exists()


@pytest.mark.parametrize(("known", "test"), ELSEWHERE.items())
def test_what_is_run_elsewhere_is_shown_here(known: str, test: str) -> None:
    assert any(re.match(known, line) for line in SHOWN)
    assert (ROOT / test).is_file()


def commands() -> list[str]:
    """Every command line of ours on the page, also those within a sentence."""
    within = re.findall(r"`(etcd-sandbox [^`]*)`", PAGE)
    shown = [line for line, _ in (step for block in console_blocks(PAGE) for step in block)]
    return [line for line in dict.fromkeys([*within, *SHOWN, *shown]) if "etcd-sandbox " in line]


@pytest.mark.parametrize("line", [line for line in commands() if not line.startswith("python3")])
def test_every_command_is_one(line: str) -> None:
    words = shlex.split(line)
    at = next(i for i, word in enumerate(words) if word in COMMANDS)
    root.make_context("etcd-sandbox", words[words.index("etcd-sandbox") + 1 : at + 1])
    load(words[at]).make_context(words[at], words[at + 1 :])


@pytest.mark.parametrize("minutes", [90, 420])
def test_a_plan_adds_up_and_has_time_for_its_lessons(minutes: int) -> None:
    (plan,) = re.findall(rf"<!-- plan {minutes} -->\n(.*?)<!-- /plan -->", PAGE, re.DOTALL)
    rows = [(int(took), what) for took, what in re.findall(r"^\| (\d+) \| (.*?) \|", plan, re.M)]
    assert sum(took for took, _ in rows) == minutes
    lessons = [
        (took, found[1]) for took, what in rows if (found := re.match(r"Lesson (\d+)", what))
    ]
    assert len(lessons) >= 4
    for took, number in lessons:
        assert took > find(number).minutes


def test_the_figures_are_those_of_the_pages_that_measure_them() -> None:
    faults = (ROOT / "docs" / "faults.md").read_text()
    speed = (ROOT / "docs" / "performance.md").read_text()
    (table,) = re.findall(r"<!-- failover -->(.*?)<!-- /failover -->", faults, re.DOTALL)
    rows = re.findall(r"^\| 3\.\d+\.\d+ \| ([\d.]+).*?\| ([\d.]+) \(", table, re.MULTILINE)
    kills = sorted(kill for kill, _ in rows)
    assert f"rounds was {kills[0]} to {kills[-1]} s" in " ".join(PAGE.split())
    longest = max(map(float, re.findall(r" to ([\d.]+)\)", table)))
    assert f"that table is {longest} s" in " ".join(PAGE.split())
    alone = re.search(r"^\| 3\.4\.\d+ \| \d+ \| (\d of \d) \| ([\d.]+) ", faults, re.MULTILINE)
    assert alone is not None
    assert f"in {alone[1]} rounds, {alone[2]} s without a leader" in PAGE
    put = re.search(r"^\| one put after the other, links ÷ direct +\| ([\d.]+) ×", speed, re.M)
    assert put is not None
    assert f"one put {put[1]} times as long" in PAGE


def test_a_question_is_answered_at_least_twelve_times() -> None:
    section = PAGE[PAGE.index("## What people ask") : PAGE.index("## Translate a lesson")]
    assert len(re.findall(r"^\*\*[^*]+\?\*\* \S", section, re.MULTILINE)) >= 12
