"""Every lesson does what its page shows, on real etcd; and one that does not is found out."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest
from etcd_sandbox.learn.check import LessonReport, check_lesson
from etcd_sandbox.learn.lesson import parse_lesson
from etcd_sandbox.learn.library import names, read

from tests import etcd_versions
from tests.conftest import SandboxCommand, until, until_gone
from tests.etcd.engines import UsedEngine, images_of_tests
from tests.programs import only
from tests.unit.learn.samples import PAGE

SERIES = ("3.5", "3.4")

LONGEST_S = 240
"""For one lesson on a busy machine; all of them together take three to four minutes on a calm one."""


def etcd_of(series: str) -> str:
    return etcd_versions.need(series).path


@pytest.fixture(scope="session")
def images() -> Iterator[None]:
    """The images that lessons have built go when the tests end."""
    with images_of_tests(UsedEngine("podman")) if shutil.which("podman") else nullcontext():
        yield


@pytest.mark.parametrize(
    ("name", "series"),
    [
        pytest.param(name, series, marks=[] if series == "3.5" else [pytest.mark.soak])
        for series in SERIES
        for name in names()
        if series in read(name).etcd and series != read(name).begins
    ],
)
def test_a_lesson_holds(
    sandbox_command: SandboxCommand, images: None, name: str, series: str
) -> None:
    path = etcd_of(series)
    begins = read(name).begins
    if begins:
        etcd_of(begins)
    number = str(int(name[:2]))
    ran = sandbox_command(
        "learn", "--check", number, "--etcd", path, "--json", code=None, timeout_s=LONGEST_S
    )
    (report,) = json.loads(ran.stdout)["lessons"]
    why = [step["why"] for step in report["steps"] if step["why"]] or report["why"]
    assert report["holds"], why
    assert ran.returncode == 0
    assert report["etcd"].startswith(f"{begins or series}.")
    assert len(report["steps"]) == len(read(name).steps_for(series))
    assert [sentence for step in report["steps"] for sentence in step["seen"]]
    assert not sandbox_command.home.exists() or not any(sandbox_command.home.iterdir())
    over = [f"{step['passed_over']}: {step['mend']}" for step in report["steps"] if step["mend"]]
    if over:
        etcd_versions.lacking("; ".join(over))


def check(page: str) -> LessonReport:
    lesson = parse_lesson(page, "05-small.md")
    return check_lesson(lesson, etcd=etcd_of("3.5"), tell=lambda step: None)


def small(commands: str, until: str, title: str = "Step") -> str:
    """The small page with this as its only step."""
    head, _, rest = PAGE.partition("## Kill it")
    step = f"## {title}\n\n<!-- until: {until} -->\n\n```console\n{commands}\n```\n\n"
    return head + step + rest[rest.index("## Question") :]


PUT = "$ etcd-sandbox ctl put a 1\nOK"
ANOTHER = "$ etcd-sandbox down --purge\n…\n$ etcd-sandbox up -d -n 3 --base-port auto"
KILLED = "$ etcd-sandbox kill leader\n…\n$ etcd-sandbox start all\n…"


@pytest.mark.parametrize(
    ("commands", "until", "why"),
    [
        (PUT, "key a is 1", ""),
        ("$ etcd-sandbox ctl put a 1\nDone", "key a is 1", "'Done' is shown and was not printed"),
        ("$ etcd-sandbox ctl put a 1", "key a is 1", "'OK' was printed and is not shown"),
        ("$ etcd-sandbox ctl put a", "enter", "was printed and is not shown"),
        ("$ false", "enter", "`false` ended with exit status 1"),
        (f"{PUT}\n$ exit 1", "enter", "the shell of the lesson has ended"),
        ("$ etcd-sandbox kill followers\n…", "key a gone", "took it for something else"),
        (f"{ANOTHER} --bootstrap discovery\n…", "bootstrapped discovery", ""),
        (f"{ANOTHER}\n…", "bootstrapped discovery", "told of each other by a static list"),
        (f"{PUT}\n{ANOTHER}\n…\n{KILLED}", "brought up; killed leader; key a gone", ""),
    ],
)
def test_a_page_that_is_not_true_is_found_out(
    sandbox_command: SandboxCommand,
    monkeypatch: pytest.MonkeyPatch,
    commands: str,
    until: str,
    why: str,
) -> None:
    if why:  # nothing is on its way that would make it true
        monkeypatch.setattr("etcd_sandbox.learn.check.LATE_LINES_S", 1.0)
    report = check(small(commands, until))
    (step,) = report.steps
    assert why in step.why
    assert bool(step.why) is bool(why)
    assert report.holds is not bool(why)


def test_what_the_machine_cannot_do_is_passed_over_and_said(
    sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    path = only(tmp_path / "bin", "sh", "rm", "grep")
    ran = sandbox_command("learn", "--check", "6", "--etcd", etcd_of("3.5"), PATH=path)
    assert "- Names in DNS\n      passed over: unshare and mount cannot be found" in ran.stdout
    assert "      install your system's package util-linux\n" in ran.stdout
    assert "passed over: podman is not installed" in ran.stdout
    assert "lesson 6 holds on etcd 3.5" in ran.stdout
    assert ", 6 of its steps passed over, " in ran.stdout


def test_what_is_never_to_be_seen_is_said(
    sandbox_command: SandboxCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etcd_sandbox.learn.check.SEEN_WITHIN_S", 1.0)
    report = check(small(PUT, "key a is 2; healthy"))
    assert report.steps[0].why == "the cluster did not show within 1 s: key a is 2; healthy"


def test_a_check_leaves_nothing_behind(sandbox_command: SandboxCommand) -> None:
    page = small(
        "$ sleep 600 & sleeper=$!\n$ kill -STOP $sleeper\n$ echo $sleeper $PPID\n1 2", "enter"
    )
    before = os.environ.get("ETCD_SANDBOX_HOME")
    report = check(page)
    assert report.holds, report.steps
    assert os.environ.get("ETCD_SANDBOX_HOME") == before
    left = []
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ends just now
            left.append(each.name())
    assert "sleep" not in left
    assert "etcd" not in left


def test_a_lesson_is_not_done_on_an_etcd_that_it_is_not_for(
    sandbox_command: SandboxCommand,
) -> None:
    lesson = parse_lesson(PAGE.replace("etcd: 3.4 3.5 -->", "etcd: 3.4 -->"), "05-small.md")
    report = check_lesson(lesson, etcd=etcd_of("3.5"), tell=lambda step: None)
    assert "lesson 5 is for etcd 3.4, and this is 3.5" in report.why
    assert not report.holds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_check_that_is_ended_in_the_middle_leaves_nothing_behind(
    sandbox_command: SandboxCommand, tmp_path: Path, number: signal.Signals
) -> None:
    room = Path(tempfile.mkdtemp(prefix="sbt-"))
    env = sandbox_command.env | {"TMPDIR": str(room)}
    checking = sandbox_command.popen("learn", "--check", "10", "--etcd", etcd_of("3.5"), env=env)
    left: list[psutil.Process] = []

    def waits_in_the_second_step() -> bool:
        left[:] = psutil.Process(checking.pid).children(recursive=True)
        with contextlib.suppress(psutil.NoSuchProcess):  # some come and go
            return any(each.name() == "sleep" for each in left)
        return False

    try:
        until(waits_in_the_second_step)
        checking.send_signal(number)
        out, _ = checking.communicate(timeout=30)
        assert checking.returncode == (-9 if number is signal.SIGKILL else 130), out
        until_gone((each.pid for each in left), 30)
        if number is not signal.SIGKILL:
            assert [
                each.name
                for each in room.iterdir()
                if each.name.startswith(("sbl-", "etcd-sandbox-learn-"))
            ] == []
    finally:
        shutil.rmtree(room, ignore_errors=True)
