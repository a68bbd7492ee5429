"""How long one waits from the return key: the first member, the prompt, the table, the picture, three healthy members.

With `--before CHECKOUT` an earlier commit takes turns with this one, and the ratios of the two are
rows of their own.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter, defaultdict

import processes
import watchers
from bench import Bench, rotated
from figures import Bar, Row, Unit, ratios
from health import HealthWatch
from members import free_base_port, three_members
from product import Product
from tools import NOT_HERE, Tool, started_by

NAME = "start"

FIRST = "from up -n 3 -d to the first member's execution"
WHOLE = "up -n 3 -d"
STATUS = "status"
PICTURE = "from dashboard to its picture"
HEALTHY = "from the start of the tool to three healthy members of a Procfile"

RATIOS = {FIRST: 0.35, WHOLE: 0.65, STATUS: 0.75, PICTURE: 0.65}
"""What is measured of both, and how much of the earlier one's time is allowed."""


def measure(bench: Bench) -> list[Row]:
    """A row for each program, and the ratios to the earlier one and to goreman."""
    products = {"": bench.product}
    if bench.before is not None:
        products[" before"] = bench.before
    values: defaultdict[str, list[float]] = defaultdict(list)
    for number in bench.rounds(full=20, quick=2):
        for when, product in rotated(list(products.items()), number):
            for what, value in _commands(bench, product).items():
                values[what + when].append(value)
    tools = [(f"{HEALTHY}{when}", started_by(product)) for when, product in products.items()]
    goreman = next(tool for tool in bench.tools if tool.name == "goreman")
    if goreman.available:
        tools.append((f"{HEALTHY}: goreman", goreman))
    failed: Counter[str] = Counter()
    for number in bench.rounds(full=20, quick=2):
        for what, tool in rotated(tools, number):
            product = bench.before if what.endswith(" before") and bench.before else bench.product
            try:
                values[what].append(_healthy(bench, tool, product))
            except TimeoutError:
                failed[what] += 1
    rows = [_row(what, values[what], failed[what]) for what in sorted(values)]
    if bench.before is not None:
        for what, limit in RATIOS.items():
            ratio = ratios(values[what], values[f"{what} before"])
            rows.append(Row(NAME, f"{what} ÷ before", Unit.RATIO, ratio, (Bar(limit),)))
    rows.append(_beside_goreman(values))
    return rows


def _row(what: str, values: list[float], failed: int) -> Row:
    note = f"{failed} rounds never healthy" if failed else ""
    return Row(NAME, what, Unit.SECONDS, tuple(values), note=note)


def _beside_goreman(values: defaultdict[str, list[float]]) -> Row:
    """The ratio of the medians and of the worst: goreman's rounds differ by seconds among themselves."""
    ours = _row(HEALTHY, values[HEALTHY], 0)
    theirs = _row(HEALTHY, values[f"{HEALTHY}: goreman"], 0)
    what = "three healthy members of a Procfile ÷ goreman, medians; worst ÷ worst"
    if not theirs.values:
        return Row(NAME, what, Unit.RATIO, (), note=NOT_HERE)
    pair = (ours.median / theirs.median, ours.worst / theirs.worst)
    return Row(NAME, what, Unit.RATIO, pair[:1], (Bar(1.0),), f"worst {pair[1]:.2f} × (≤ 0.60 ×)")


def _commands(bench: Bench, product: Product) -> dict[str, float]:
    name = product.new_name()
    up = ("up", "-n", "3", "-d", "-c", name, "--base-port", str(free_base_port(3)))
    try:
        began = time.monotonic()
        whole_s = product.timed(*up, "--etcd", bench.etcd)
        pids = [e["pid"] for e in product.events(name) if e["kind"] == "process.started"]
        first_at = min(processes.started_at(pid) for pid in pids)
        status_s = product.timed("status", "-c", name)
        with watchers.attached(product, name) as terminal:
            picture_s = terminal.until(b"healthy") - terminal.began
    finally:
        product.remove(name)
    return {FIRST: first_at - began, WHOLE: whole_s, STATUS: status_s, PICTURE: picture_s}


def _healthy(bench: Bench, tool: Tool, product: Product) -> float:
    directory = bench.place / "procfile"
    procfile = three_members(directory, bench.etcd)
    try:
        with HealthWatch(procfile.client_urls) as watch:
            began = time.monotonic()
            with tool.running(procfile.path, product):
                return watch.all_healthy_at() - began
    finally:
        shutil.rmtree(directory)
