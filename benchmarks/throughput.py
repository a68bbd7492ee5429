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
LINES_FOR = {"honcho": 100_000}
"""Per producer. honcho needs a minute or more for what takes the others seconds."""

MARK = b" for the benchmark "
"""In every line that a producer writes, once."""

PRODUCER = Path(__file__).with_name("producer.py")
START_WITHIN_S = 30.0
SETTLE_S = 1.5
STILL_S = 0.5
"""Nothing was appended for so long after the producers had written all: the output is whole."""

LOST_AFTER_S = 10.0
"""If lines are missing, how long they are waited for before they count as lost."""


@dataclass(frozen=True, slots=True)
class Run:
    """One tool's round."""

    asked: int
    arrived: int
    wall_s: float
    cpu_s: float

    @property
    def lines_per_s(self) -> float:
        return self.arrived / self.wall_s

    @property
    def cpu_s_per_million(self) -> float:
        """CPU seconds of the tool's own processes for a million lines."""
        return self.cpu_s / self.arrived * 1e6


def measure(bench: Bench) -> list[Row]:
    """Lines per second and CPU seconds of each tool, and the ratios of this one to the others."""
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    tools = [tool for tool in bench.tools if tool.available]
    for number in bench.rounds(full=5, quick=1):
        for tool in rotated(tools, number):
            runs[tool.name].append(_run(bench, tool))
    rows = []
    for tool in bench.tools:
        note = _note(tool, runs[tool.name])
        rates, cpus = _rates(runs[tool.name]), _cpus(runs[tool.name])
        what = f"log lines per second: {tool.name}"
        rows.append(Row(NAME, what, Unit.LINES_PER_SECOND, rates, (), note, more_is_better=True))
        what = f"CPU time of the tool for a million lines: {tool.name}"
        rows.append(Row(NAME, what, Unit.SECONDS, cpus, (), note))
    for other in bench.tools[1:]:
        rows += _compared(other, runs[PRODUCT], runs[other.name])
    return rows


def _compared(other: Tool, ours: list[Run], theirs: list[Run]) -> list[Row]:
    barred = other.name == "goreman"
    rates = ratios(_rates(ours), _rates(theirs)) if theirs else ()
    cpus = ratios(_cpus(ours), _cpus(theirs)) if theirs else ()
    rate_bars = (Bar(4.0, at_least=True),) if barred else ()
    cpu_bars = (Bar(0.25),) if barred else ()
    note = "" if theirs else NOT_HERE
    what = f"lines per second, {PRODUCT} ÷ {other.name}"
    return [
        Row(NAME, what, Unit.RATIO, rates, rate_bars, note, more_is_better=True),
        Row(NAME, f"CPU time, {PRODUCT} ÷ {other.name}", Unit.RATIO, cpus, cpu_bars, note),
    ]


def _rates(runs: list[Run]) -> tuple[float, ...]:
    return tuple(run.lines_per_s for run in runs)


def _cpus(runs: list[Run]) -> tuple[float, ...]:
    return tuple(run.cpu_s_per_million for run in runs)


def _note(tool: Tool, runs: list[Run]) -> str:
    if not tool.available:
        return NOT_HERE
    lost = sum(run.asked - run.arrived for run in runs)
    remarks = [f"measured with {runs[0].asked:,} lines"] if tool.name in LINES_FOR else []
    return "; ".join([*remarks, f"{lost:,} lines lost"] if lost else remarks)


def _run(bench: Bench, tool: Tool) -> Run:
    directory = bench.place / "throughput"
    directory.mkdir()
    go = directory / "go"
    os.mkfifo(go)
    procfile, output = directory / "Procfile", directory / "output"
    lines = LINES_FOR.get(tool.name, LINES)
    asked = lines * len(PRODUCERS)
    command = shlex.join([sys.executable, "-I", "-S", str(PRODUCER)])
    procfile.write_text(
        "".join(f"{name}: exec {command} {name} {directory} {lines}\n" for name in PRODUCERS)
    )
    try:
        with tool.running(procfile, bench.product, output) as process:
            _wait_for(lambda: _all(directory, "waits"), START_WITHIN_S)
            # Let the tool finish its own start, and the disk what earlier rounds left to it.
            time.sleep(SETTLE_S)
            os.sync()
            own = [one for one in processes.family(process.pid) if not _is_producer(one)]
            cpu_before_s = processes.cpu_s(own)
            began_ns = time.time_ns()
            with go.open("wb"):
                _wait_for(lambda: _all(directory, "wrote"), 300)
            arrived, ended_ns = _await_whole(output, asked)
            cpu_s = processes.cpu_s(own) - cpu_before_s
            return Run(asked, arrived, (ended_ns - began_ns) / 1e9, cpu_s)
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


def _await_whole(output: Path, asked: int) -> tuple[int, int]:
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
        if arrived >= asked or time.monotonic() > deadline:
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
