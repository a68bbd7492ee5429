"""The disks on small real programs: each syncs a file under the filter, and says how long that took and how it ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from etcd_sandbox.disks.keeper import Disks
from etcd_sandbox.disks.possible import why_not
from etcd_sandbox.disks.rules import Rule
from etcd_sandbox.model.spec import ProcessSpec

from tests import etcd_versions

DEADLINE_S = 30.0
DELAY_S = 0.3

PROGRAM = """
import json, os, sys, time
files = {name: os.open(name, os.O_RDWR | os.O_CREAT) for name in ("wal/x", "snap/db")}
while True:
    for name, fd in files.items():
        began, error = time.monotonic(), 0
        try:
            os.fdatasync(fd)
        except OSError as failure:
            error = failure.errno
        said = {"file": name, "took": time.monotonic() - began, "error": error, "began": began}
        os.writev(1, [json.dumps(said).encode() + b"\\n"])
    time.sleep(0.005)
"""


class Stage:
    """One program under the filter, and what it said."""

    def __init__(self, disks: Disks, handlers: list[int]) -> None:
        self.disks = disks
        self.handlers = handlers
        self.used_up: list[int] = []
        self.said: list[dict[str, Any]] = []
        self.more = asyncio.Event()

    def take(self, lines: memoryview) -> None:
        """What the program wrote."""
        self.said += [json.loads(line) for line in bytes(lines).splitlines()]
        self.more.set()

    async def until(self, there_is: Callable[[], bool]) -> None:
        """Wait for something that the program says."""
        async with asyncio.timeout(DEADLINE_S):
            while not there_is():
                self.more.clear()
                await self.more.wait()

    def since(self, moment: float, file: str = "wal/x") -> list[dict[str, Any]]:
        """The syncs of that file that began after the moment."""
        return [each for each in self.said if each["file"] == file and each["began"] > moment]

    async def until_held(self) -> None:
        """Wait until the program is in a call that is held: it says nothing meanwhile."""
        async with asyncio.timeout(DEADLINE_S):
            while time.monotonic() - self.said[-1]["began"] < 2 * DELAY_S:  # noqa: ASYNC110 - nothing is said
                await asyncio.sleep(0.02)

    async def one_after(self, moment: float, file: str = "wal/x") -> dict[str, Any]:
        """The first sync of that file after the moment."""
        await self.until(lambda: bool(self.since(moment, file)))
        return self.since(moment, file)[0]


def staged(
    scene: Callable[[Stage], Awaitable[None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    calls: str = "sync",
) -> None:
    """Play the scene on a program that has its data in the directory."""
    if why := why_not():
        etcd_versions.lacking(why)
    monkeypatch.chdir(tmp_path)
    places = {"wal": str(tmp_path / "wal"), "db": str(tmp_path / "snap")}
    for directory in places.values():
        Path(directory).mkdir()

    async def run() -> None:
        handlers: list[int] = []
        disks = Disks(
            on_started=handlers.append,
            on_ended=lambda pid: None,
            on_used_up=lambda number: stage.used_up.append(number),
            environment=os.environ,
        )
        stage = Stage(disks, handlers)
        argv = (sys.executable, "-c", PROGRAM)
        spec = ProcessSpec(name="p", argv=argv, shown="p", cwd=str(tmp_path))
        child = await disks.execute(spec, calls, places, os.environ, stage.take)
        try:
            await stage.until(lambda: bool(stage.said))
            await scene(stage)
        finally:
            child.signal(signal.SIGKILL)
            await child.main_ended()
            child.output.close()
            disks.close()
            await disks.wait_closed()
        assert not [pid for pid in handlers if psutil.pid_exists(pid)]

    asyncio.run(run())


def slow(number: int, on: str = "wal", **how: float) -> Rule:
    """A rule that holds the program's syncs."""
    return Rule(number, "p", on, "sync", **{"delay_s": DELAY_S, **how})  # type: ignore[arg-type]


def test_calls_are_held_fail_so_often_and_go_on_when_it_is_healed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        await stage.disks.tell([slow(1)])
        told = time.monotonic()
        held = await stage.one_after(told)
        assert DELAY_S <= held["took"] < DELAY_S + 5
        assert (await stage.one_after(told, "snap/db"))["took"] < DELAY_S

        # A call that is held goes on at once when the fault is healed.
        await stage.disks.tell([slow(2, delay_s=60.0)])
        await stage.until_held()
        await stage.disks.tell([])
        healed = time.monotonic()
        assert (await stage.one_after(healed))["took"] < DELAY_S
        assert max(each["took"] for each in stage.said) < DEADLINE_S

        # The next two of the database fail, and no more.
        told = time.monotonic()
        await stage.disks.tell([Rule(3, "p", "db", "sync", error=28, once=2)])
        await stage.until(lambda: len(stage.since(told, "snap/db")) > 3)
        errors = [each["error"] for each in stage.since(told, "snap/db")]
        failed = [index for index, error in enumerate(errors) if error == 28]
        assert (len(failed), failed[-1] - failed[0]) == (2, 1)
        assert sum(errors) == 56
        assert {each["error"] for each in stage.since(told)} == {0}
        assert 3 in stage.used_up

        # A rule for another process is none of this one's.
        await stage.disks.tell([slow(4)._replace(process="q"), slow(5)._replace(calls="write")])
        assert (await stage.one_after(time.monotonic()))["took"] < DELAY_S

    staged(scene, tmp_path, monkeypatch)


def test_a_handler_that_dies_has_a_successor_that_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        await stage.disks.tell(
            [slow(1, delay_s=0.05), Rule(2, "p", "db", "sync", error=5, once=40)]
        )
        began = time.monotonic()
        for _ in range(15):
            seen = len(stage.said)
            os.kill(stage.handlers[-1], signal.SIGKILL)
            await stage.until(lambda seen=seen: len(stage.said) > seen + 1)  # type: ignore[misc]
        await stage.until(lambda: 2 in stage.used_up)
        await stage.one_after(time.monotonic(), "snap/db")
        assert len(stage.handlers) > 15
        # Each call was answered by its rule, the failures to the number, whoever answered.
        assert {each["error"] for each in stage.since(began)} == {0}
        assert min(each["took"] for each in stage.since(began)) >= 0.05
        assert sum(each["error"] == 5 for each in stage.said) == 40

    staged(scene, tmp_path, monkeypatch)


def test_a_handler_that_stands_still_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(stage: Stage) -> None:
        stopped = stage.handlers[-1]
        os.kill(stopped, signal.SIGSTOP)
        moment = time.monotonic()
        # The call that waited for it has its answer.
        await stage.until(lambda: len(stage.since(moment)) > 1)
        assert stage.handlers[-1] != stopped

    staged(scene, tmp_path, monkeypatch)
    assert "stands still" in caplog.text


def test_writes_are_held_where_the_filter_is_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys.modules[__name__],
        "PROGRAM",
        PROGRAM.replace("os.fdatasync(fd)", "os.pwrite(fd, b'x', 0)"),
    )

    async def scene(stage: Stage) -> None:
        await stage.disks.tell([slow(1)._replace(calls="write")])
        assert (await stage.one_after(time.monotonic()))["took"] >= DELAY_S

    staged(scene, tmp_path, monkeypatch, calls="write")


def test_a_program_that_is_not_there_ends_with_a_line_that_says_so(tmp_path: Path) -> None:
    said: list[bytes] = []

    async def run() -> int:
        disks = Disks(
            on_started=lambda pid: None,
            on_ended=lambda pid: None,
            on_used_up=lambda number: None,
            environment=os.environ,
        )
        spec = ProcessSpec(name="p", argv=("/no/such/etcd",), shown="p", cwd=str(tmp_path))
        child = await disks.execute(
            spec, "sync", {}, os.environ, lambda lines: said.append(bytes(lines))
        )
        code = await child.main_ended()
        child.output.close()
        disks.close()
        await disks.wait_closed()
        return code

    if why := why_not():
        etcd_versions.lacking(why)
    assert asyncio.run(run()) == 1
    assert said == [b"etcd-sandbox: /no/such/etcd: No such file or directory\n"]
