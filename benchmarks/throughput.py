"""How many lines a tool passes on in a second, and what CPU time it takes for that."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import processes
import psutil
from bench import Bench, rotated
from figures import Bar, Row, Unit, ratios
from tools import NOT_HERE, PRODUCT, Tool

NAME = "throughput"
PRODUCERS = ("a", "b")
LINES = 1_000_000
MARK = b" for the benchmark "
"""In every line that a producer writes, once."""

PRODUCER = Path(__file__).with_name("producer.py")
START_WITHIN_S = 30.0
STILL_S = 0.5
"""Nothing was appended for so long after the producers had written all: the output is whole."""

LOST_AFTER_S = 10.0
"""If lines are missing, how long they are waited for before they count as lost."""


@dataclass(frozen=True, slots=True)
class Run:
    """One tool's round."""

    wall_s: float
    cpu_s: float
    arrived: int


def measure(bench: Bench) -> list[Row]:
    """Lines per second and CPU seconds of each tool, and the ratios of this one to the others."""
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    tools = [tool for tool in bench.tools if tool.available]
    for number in bench.rounds(full=5, quick=1):
        for tool in rotated(tools, number):
            runs[tool.name].append(_run(bench, tool))
    rates = {name: tuple(run.arrived / run.wall_s for run in done) for name, done in runs.items()}
    cpus = {name: tuple(run.cpu_s for run in done) for name, done in runs.items()}
    rows = []
    for tool in bench.tools:
        lost = sum(_asked() - run.arrived for run in runs[tool.name])
        note = NOT_HERE if not tool.available else f"{lost} lines lost" if lost else ""
        what = f"log lines per second: {tool.name}"
        rate, cpu = rates.get(tool.name, ()), cpus.get(tool.name, ())
        rows.append(Row(NAME, what, Unit.LINES_PER_SECOND, rate, (), note, more_is_better=True))
        what = f"CPU time of the tool for {_asked():,} lines: {tool.name}"
        rows.append(Row(NAME, what, Unit.SECONDS, cpu, (), "" if tool.available else NOT_HERE))
    for tool in bench.tools[1:]:
        rate, cpu, note = (), (), NOT_HERE
        if tool.available:
            rate = ratios(rates[PRODUCT], rates[tool.name])
            cpu = ratios(cpus[PRODUCT], cpus[tool.name])
            note = ""
        is_goreman = tool.name == "goreman"
        bars = (Bar(4.0, at_least=True),) if is_goreman else ()
        what = f"lines per second, {PRODUCT} ÷ {tool.name}"
        rows.append(Row(NAME, what, Unit.RATIO, rate, bars, note, more_is_better=True))
        bars = (Bar(0.25),) if is_goreman else ()
        rows.append(Row(NAME, f"CPU time, {PRODUCT} ÷ {tool.name}", Unit.RATIO, cpu, bars, note))
    return rows


def _asked() -> int:
    return LINES * len(PRODUCERS)


def _run(bench: Bench, tool: Tool) -> Run:
    directory = bench.place / "throughput"
    directory.mkdir()
    go = directory / "go"
    os.mkfifo(go)
    procfile, output = directory / "Procfile", directory / "output"
    command = shlex.join([sys.executable, "-I", "-S", str(PRODUCER)])
    procfile.write_text(
        "".join(f"{name}: exec {command} {name} {directory} {LINES}\n" for name in PRODUCERS)
    )
    try:
        with tool.running(procfile, bench.product, output) as process:
            _wait_for(lambda: _all(directory, "waits"), START_WITHIN_S)
            # Let the tool finish its own start, and the disk what earlier rounds left to it.
            time.sleep(0.5)
            os.sync()
            own = [one for one in processes.family(process.pid) if not _is_producer(one)]
            cpu_before_s = processes.cpu_s(own)
            began_ns = time.time_ns()
            with go.open("wb"):
                _wait_for(lambda: _all(directory, "wrote"), 300)
            arrived, ended_ns = _await_whole(output)
            cpu_s = processes.cpu_s(own) - cpu_before_s
            return Run((ended_ns - began_ns) / 1e9, cpu_s, arrived)
    finally:
        shutil.rmtree(directory)


def _all(directory: Path, suffix: str) -> bool:
    return all((directory / f"{name}.{suffix}").exists() for name in PRODUCERS)


def _wait_for(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the producers did not come so far")
        time.sleep(0.01)


def _is_producer(process: psutil.Process) -> bool:
    return str(PRODUCER) in process.cmdline()


def _await_whole(output: Path) -> tuple[int, int]:
    """How many lines arrived, and when the last was written (nanoseconds since the epoch)."""
    arrived, counted_to = 0, 0
    deadline = time.monotonic() + LOST_AFTER_S
    while True:
        size = output.stat().st_size
        time.sleep(STILL_S)
        if output.stat().st_size != size:
            deadline = time.monotonic() + LOST_AFTER_S
            continue
        more, counted_to = _count(output, counted_to)
        arrived += more
        if arrived >= _asked() or time.monotonic() > deadline:
            return arrived, output.stat().st_mtime_ns


def _count(output: Path, start: int) -> tuple[int, int]:
    found = 0
    with output.open("rb") as file:
        file.seek(start)
        while chunk := file.read(1 << 24):
            whole = chunk.rfind(b"\n") + 1
            if not whole:
                break
            found += chunk.count(MARK, 0, whole)
            start += whole
            file.seek(start)
    return found, start
