"""Log lines: every byte arrives in order, whatever the load, and no viewer slows a child."""

from __future__ import annotations

import asyncio
import mmap
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from etcd_sandbox.supervise.process import Output

from tests.conftest import SandboxCommand, until

WRITER = """
import os, sys, time
name, lines, rounds, code = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
def text(round):
    pieces = []
    for n in range(lines):
        # Every 50th line is blank; the others have from 8 to 100 bytes, and some a carriage return.
        pieces.append("%s %d %d %s%s" % (name, round, n, "x" * (n % 89), "\\r" * (n % 97 == 0)) if n % 50 else "")
    return "\\n".join(pieces) + "\\n"
texts = [text(round).encode() for round in range(rounds)]
open(name + ".written", "wb").write(b"".join(texts) + b"last words of " + name.encode() + b"\\n")
for round in range(rounds):
    open("%s.waits%d" % (name, round), "w").close()
    while not os.path.exists("go%d" % round):
        time.sleep(0.005)
    view, began = memoryview(texts[round]), time.monotonic()
    while view:
        view = view[os.write(1, view[:1 << 16]):]
    took = time.monotonic() - began
    with open("%s.took%d.new" % (name, round), "w") as report:
        report.write(str(took))
    os.rename("%s.took%d.new" % (name, round), "%s.took%d" % (name, round))
os.write(1, b"last words of " + name.encode())
sys.exit(code)
"""
"""Writes the same number of lines in each round, tells how long that took, ends without a newline."""

SLACK_S = 1.0
"""Beside the milliseconds that a round takes: for a loaded machine."""

_LINE = re.compile(rb"\d\d:\d\d:\d\d (\w+) +\| ")


def writers(
    sandbox: SandboxCommand, names: str, lines: int, rounds: int = 1, code: int = 0
) -> None:
    """A Procfile of one writer per letter."""
    (sandbox.cwd / "writer.py").write_text(WRITER)
    (sandbox.cwd / "Procfile").write_text(
        "".join(
            f"{name}: {sys.executable} -S -E writer.py {name} {lines} {rounds} {code}\n"
            for name in names
        )
    )


def stay(sandbox: SandboxCommand) -> None:
    """Add a process that does nothing."""
    with (sandbox.cwd / "Procfile").open("a") as procfile:
        procfile.write("b: exec sleep 1000\n")


def until_waiting(sandbox: SandboxCommand, names: str, number: int) -> None:
    for name in names:
        until(lambda name=name: (sandbox.cwd / f"{name}.waits{number}").exists())  # type: ignore[misc]


def go(sandbox: SandboxCommand, number: int, name: str = "a") -> float:
    """Let a round begin; how long the child says that its writing took."""
    report = sandbox.cwd / f"{name}.took{number}"
    until_waiting(sandbox, name, number)
    (sandbox.cwd / f"go{number}").touch()
    until(report.exists)
    return float(report.read_text())


def shown(content: bytes, name: str) -> bytes:
    """What one process wrote, out of merged lines."""
    lines = []
    for line in content.split(b"\n")[:-1]:
        place = _LINE.match(line)
        assert place is not None, line[:200]
        if place[1] == name.encode():
            lines.append(line[place.end() :])
    return b"\n".join(lines) + b"\n"


def assert_same(seen: bytes, written: bytes) -> None:
    """Compare, and tell of the first difference only."""
    if seen == written:
        return
    for number, (left, right) in enumerate(
        zip(seen.splitlines(), written.splitlines(), strict=False)
    ):
        assert left == right, f"line {number} differs"
    pytest.fail(f"{len(seen)} bytes instead of {len(written)}")


def assert_whole(sandbox: SandboxCommand, names: str, *views: Path) -> None:
    """Files and views have, byte for byte, what the processes wrote."""
    contents = [view.read_bytes() for view in views]
    for name in names:
        written = (sandbox.cwd / f"{name}.written").read_bytes()
        assert_same((sandbox.home / "default" / "logs" / f"{name}.log").read_bytes(), written)
        for content in contents:
            assert_same(shown(content, name), written)


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    loops = [
        subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(count)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def test_a_burst_arrives_byte_for_byte_while_the_cpu_is_loaded(
    sandbox_command: SandboxCommand,
) -> None:
    writers(sandbox_command, "ab", 300_000)
    up_out, logs_out = sandbox_command.cwd / "up.out", sandbox_command.cwd / "logs.out"
    with (
        up_out.open("wb") as to_up,
        logs_out.open("wb") as to_logs,
        running(sandbox_command.popen("up", "--plain", stdout=to_up)) as up,
    ):
        until_waiting(sandbox_command, "ab", 0)
        with busy_loops(2), running(sandbox_command.popen("logs", "-f", stdout=to_logs)):
            (sandbox_command.cwd / "go0").touch()
            for view in (up_out, logs_out):
                for name in "ab":
                    end = f"last words of {name}\n".encode()
                    until(lambda view=view, end=end: has(view, end))  # type: ignore[misc]
        up.send_signal(signal.SIGINT)
        assert up.wait(20) == 130
    assert_whole(sandbox_command, "ab", up_out, logs_out)


def has(path: Path, text: bytes) -> bool:
    """Anywhere: what one process wrote last may stand far before what another wrote."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.rfind(text) >= 0


def test_a_viewer_that_is_stopped_slows_no_child_and_loses_nothing(
    sandbox_command: SandboxCommand,
) -> None:
    rounds = 6
    writers(sandbox_command, "a", 100_000, rounds)
    sandbox_command("up", "-d")
    view = sandbox_command.cwd / "logs.out"
    alone = [go(sandbox_command, number) for number in range(rounds // 2)]
    with (
        view.open("wb") as out,
        running(sandbox_command.popen("logs", "-f", stdout=out)) as viewer,
    ):
        until(lambda: view.stat().st_size > 0)
        viewer.send_signal(signal.SIGSTOP)
        seen = view.stat().st_size
        stopped = [go(sandbox_command, number) for number in range(rounds // 2, rounds)]
        assert view.stat().st_size - seen < 2 << 20  # it was indeed stopped
        viewer.send_signal(signal.SIGCONT)
        until(lambda: has(view, b"last words of a\n"))
    assert min(stopped) < 4 * min(alone) + SLACK_S, (alone, stopped)
    assert_whole(sandbox_command, "a", view)


def test_a_full_pipe_slows_no_child_loses_nothing_and_signals_still_work(
    sandbox_command: SandboxCommand,
) -> None:
    writers(sandbox_command, "a", 100_000, 4)
    with running(sandbox_command.popen("up", "--plain")) as up:
        assert up.stdout is not None
        whole, end = bytearray(), b"last words of a\n"

        def read() -> None:
            assert up.stdout is not None
            while end not in whole[-1 << 17 :] and (piece := os.read(up.stdout.fileno(), 1 << 16)):
                whole.extend(piece)

        blocked = [go(sandbox_command, number) for number in range(3)]
        reader = threading.Thread(target=read)
        reader.start()
        flowing = go(sandbox_command, 3)
        reader.join(60)
        assert not reader.is_alive()
        seen = bytes(whole[: whole.rindex(end) + len(end)])
        assert_same(shown(seen, "a"), (sandbox_command.cwd / "a.written").read_bytes())
        assert min(blocked) < 4 * flowing + SLACK_S, (blocked, flowing)


@pytest.mark.parametrize("signals", [1, 2])
def test_signals_still_work_while_nobody_reads_stdout(
    signals: int, sandbox_command: SandboxCommand
) -> None:
    writers(sandbox_command, "a", 100_000)
    stay(sandbox_command)
    with running(sandbox_command.popen("up", "--plain")) as up:
        go(sandbox_command, 0)
        log = sandbox_command.home / "default" / "logs" / "a.log"
        until(lambda: has(log, b"last words of a\n"))
        for _ in range(signals):
            up.send_signal(signal.SIGINT)
        assert up.wait(20) == 130
        assert sandbox_command.ours() == []
    assert_whole(sandbox_command, "a")


def test_a_viewer_that_moves_gets_everything_though_the_cluster_ends(
    sandbox_command: SandboxCommand,
) -> None:
    writers(sandbox_command, "a", 200_000, code=5)
    view = sandbox_command.cwd / "up.out"
    with running(sandbox_command.popen("up", "--plain", "--exit-on-error")) as up:
        go(sandbox_command, 0)
        assert up.stdout is not None
        with view.open("wb") as out:
            while piece := os.read(up.stdout.fileno(), 1 << 16):
                out.write(piece)
                time.sleep(0.008)  # a viewer that is slower than the child: 2 s in all
        assert up.wait(20) == 5
    assert_whole(sandbox_command, "a", view)


def test_a_viewer_that_stands_still_for_a_while_gets_everything_though_the_cluster_ends(
    sandbox_command: SandboxCommand,
) -> None:
    writers(sandbox_command, "a", 200_000, code=5)
    view = sandbox_command.cwd / "up.out"
    with running(sandbox_command.popen("up", "--plain", "--exit-on-error")) as up:
        go(sandbox_command, 0)
        assert up.stdout is not None
        log = sandbox_command.home / "default" / "logs" / "a.log"
        until(lambda: has(log, b"last words of a\n"))
        time.sleep(1.8)  # as where a busy machine gives it no processor
        with view.open("wb") as out:
            while piece := os.read(up.stdout.fileno(), 1 << 16):
                out.write(piece)
        assert up.wait(20) == 5
    assert_whole(sandbox_command, "a", view)


def test_a_writer_that_never_ends_holds_nobody_up_when_its_parent_ends() -> None:
    """The pipe is drained of what it held then, not of what comes meanwhile."""

    async def story() -> int:
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        taken = 0

        def keep_full(lines: memoryview) -> None:
            nonlocal taken
            taken += len(lines)
            assert taken < 16 << 20, "it would have gone on for ever"
            os.write(write_end, b"y\n" * 1000)

        output = Output(read_end, keep_full)
        os.write(write_end, b"y\n" * 1000)
        output.drain()
        output.close()
        os.close(write_end)
        return taken

    assert asyncio.run(story()) == 2000


def test_what_is_caught_up_with_is_whole_lines_however_many_there_are() -> None:
    async def story() -> tuple[bytes, bytes]:
        read_end, write_end = os.pipe()
        taken = bytearray()
        output = Output(read_end, taken.extend)
        for _ in range(6):
            os.write(write_end, b"a line\n" * 1000)
        os.write(write_end, b"and no")
        output.catch_up()
        caught_up = bytes(taken)
        os.write(write_end, b" end")
        os.close(write_end)
        output.drain()
        output.close()
        return caught_up, bytes(taken)

    caught_up, taken = asyncio.run(story())
    assert caught_up == b"a line\n" * 6000
    assert taken == caught_up + b"and no end\n"
