"""What watching costs: the first picture, idle, 10,000 and 50,000 lines a second, ten million lines."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import processes
import psutil
import watchers
from bench import Bench, rotated
from figures import Bar, Row, Unit
from members import free_base_port
from terminal import ANSWERS_WITHIN_S, Terminal
from tools import NOT_HERE
from watchers import OURS, TALKERS, Watcher

NAME = "dashboard"
SECOND = TALKERS[1].encode()
TALKER = Path(__file__).with_name("talker.py")

SETTLE_S = 2.0
SPAN_S, QUICK_SPAN_S = 15.0, 3.0
MANY_LINES, QUICK_MANY_LINES = 10_000_000, 300_000
MANY_PER_S = 120_000
LINES_PER_WRITE = 50
KEY_EVERY_S = 0.23
HIDE_LOGS = b"zz"
"""Over the whole screen, then away."""


def measure(bench: Bench) -> list[Row]:
    """First paint and idleness with three members; the flow of lines beside other programs."""
    compared = watchers.compared(bench.place, bench.product)
    rows = [*_members(bench), *_first_paint(bench, compared)]
    for watcher in compared:
        if watcher.available:
            rows += _flow(bench, watcher)
            rows += _keys(bench, watcher)
            rows += _many(bench, watcher)
        else:
            rows.append(Row(NAME, f"log flow: {watcher.name}", Unit.PERCENT, (), note=NOT_HERE))
    return rows


def _members(bench: Bench) -> list[Row]:
    product = bench.product
    base = str(free_base_port(3))
    paints = []
    with product.cluster("-n", "3", "--base-port", base, "--etcd", bench.etcd) as name:
        for _ in bench.rounds(full=15, quick=2):
            with watchers.attached(product, name) as terminal:
                paints.append(terminal.until(b"healthy") - terminal.began)
        with watchers.attached(product, name) as terminal:
            terminal.until(b"healthy")
            idle = _share(bench, [psutil.Process(terminal.process.pid)])
    return [
        Row(
            NAME,
            "from `dashboard` to the members painted",
            Unit.SECONDS,
            tuple(paints),
            (Bar(0.8),),
        ),
        Row(NAME, "idle, three members", Unit.PERCENT, (idle,), (Bar(4.0),)),
    ]


def _first_paint(bench: Bench, compared: list[Watcher]) -> list[Row]:
    """All of them with three processes that say little; the others start these first."""
    values: dict[str, list[float]] = {watcher.name: [] for watcher in compared}
    for number in bench.rounds(full=7, quick=1):
        for watcher in rotated([each for each in compared if each.available], number):
            place = bench.place / "paint"
            with watcher.watching(_talkers(bench, 30), place, bench.product) as (terminal, _):
                values[watcher.name].append(terminal.until(SECOND) - terminal.began)
    return [
        Row(NAME, f"first paint, three processes: {watcher}", Unit.SECONDS, tuple(found))
        for watcher, found in values.items()
    ]


def _flow(bench: Bench, watcher: Watcher) -> list[Row]:
    with _watching(bench, watcher, 10_000) as (terminal, its):
        share = _share(bench, its[:1])
        what = f"10,000 lines/s shown: {watcher.name}"
        bars = (Bar(25.0),) if watcher.name == OURS else ()
        rows = [Row(NAME, what, Unit.PERCENT, (share,), bars)]
        if watcher.name == OURS:
            both = _share(bench, its)
            rows.append(Row(NAME, f"{what}, its supervisor included", Unit.PERCENT, (both,)))
            terminal.press(HIDE_LOGS)
            hidden = _share(bench, its[:1])
    if watcher.name == OURS:
        with _watching(bench, watcher, 0) as (terminal, its):
            terminal.press(HIDE_LOGS)
            without = _share(bench, its[:1])
        rows.append(
            Row(
                NAME,
                "10,000 lines/s, logs hidden, beyond what it takes without lines",
                Unit.PERCENT,
                (hidden - without,),
                (Bar(3.0),),
            )
        )
    return rows


def _keys(bench: Bench, watcher: Watcher) -> list[Row]:
    values = []
    with _watching(bench, watcher, 50_000) as (terminal, _):
        for _ in bench.rounds(full=30, quick=3):
            for key, painted in watcher.keys:
                values.append(_answer(terminal, key, painted))
                time.sleep(KEY_EVERY_S)
    what = f"50,000 lines/s, key to its answer: {watcher.name}"
    bars = (Bar(100),) if watcher.name == OURS else ()
    return [Row(NAME, what, Unit.MILLISECONDS, tuple(values), bars)]


def _answer(terminal: Terminal, key: bytes, painted: bytes) -> float:
    try:
        return terminal.answer_ms(key, painted)
    except TimeoutError:
        return ANSWERS_WITHIN_S * 1000


def _many(bench: Bench, watcher: Watcher) -> list[Row]:
    """Resident memory after a tenth of the lines and after all, and how much it grew between."""
    lines = QUICK_MANY_LINES if bench.quick else MANY_LINES
    counts = bench.place / "flow"
    rows, resident = [], []
    with _watching(bench, watcher, MANY_PER_S, LINES_PER_WRITE) as (_, its):
        for part in (lines // 10, lines):
            while _written(counts) < part:
                time.sleep(0.1)
            resident.append(its[0].memory_info().rss / 1e6)
            what = f"resident after {part:,} lines: {watcher.name}"
            rows.append(Row(NAME, what, Unit.MEGABYTES, (resident[-1],)))
    grew = resident[1] - resident[0]
    bars = (Bar(20.0),) if watcher.name == OURS and not bench.quick else ()
    rows.append(Row(NAME, f"grown between: {watcher.name}", Unit.MEGABYTES, (grew,), bars))
    return rows


def _written(counts: Path) -> int:
    """How many lines the talkers have written by now."""
    return sum(int(file.read_bytes() or b"0") for file in counts.glob("[0-9]*"))


@contextmanager
def _watching(
    bench: Bench, watcher: Watcher, lines_per_s: int, per_write: int = 1
) -> Iterator[tuple[Terminal, list[psutil.Process]]]:
    """It over three processes that write so many lines altogether, after its first seconds."""
    commands = _talkers(bench, lines_per_s, per_write)
    with watcher.watching(commands, bench.place / "flow", bench.product) as watched:
        time.sleep(SETTLE_S)
        yield watched


def _talkers(bench: Bench, lines_per_s: int, per_write: int = 1) -> Mapping[str, str]:
    """The commands by name; what earlier ones counted is forgotten."""
    counts = bench.place / "flow"
    shutil.rmtree(counts, ignore_errors=True)
    counts.mkdir()
    each = lines_per_s / len(TALKERS)
    command = f"exec {sys.executable} {TALKER} {each} {per_write} {counts}"
    return dict.fromkeys(TALKERS, command)


def _share(bench: Bench, its: list[psutil.Process]) -> float:
    """Per cent of a core over a span of time."""
    time.sleep(SETTLE_S)
    before_s, began = processes.cpu_s(its), time.monotonic()
    time.sleep(QUICK_SPAN_S if bench.quick else SPAN_S)
    return (processes.cpu_s(its) - before_s) / (time.monotonic() - began) * 100
