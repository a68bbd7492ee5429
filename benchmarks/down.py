"""How long it takes until three healthy members and their tool are gone."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict

import processes
from bench import Bench, rotated
from figures import Bar, Row, Unit
from health import HealthWatch
from members import client_urls, free_base_port, three_members
from tools import NOT_HERE, Tool

NAME = "down"
GONE_WITHIN_S = 60.0
SETTLE_S = 1.0
"""Between healthy and the end: a cluster in use is stopped, not one that is just starting."""

CASES = {
    "down, three members": ((), (Bar(1.5),)),
    "down, three ephemeral members": (("--ephemeral",), (Bar(0.5),)),
}


def measure(bench: Bench) -> list[Row]:
    """`down` as a command; the tools on a Procfile from the signal until nothing is left."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    jobs: list[str | Tool] = [*CASES, *(tool for tool in bench.tools if tool.available)]
    for number in bench.rounds(full=5, quick=2):
        for job in rotated(jobs, number):
            if isinstance(job, Tool):
                values[job.name].append(_signal(bench, job))
            else:
                values[job].append(_command(bench, CASES[job][0]))
    rows = [
        Row(NAME, what, Unit.SECONDS, tuple(values[what]), bars)
        for what, (_, bars) in CASES.items()
    ]
    for tool in bench.tools:
        what = f"{tool.stop_signal.name} with a Procfile of three: {tool.name}"
        note = "" if tool.available else NOT_HERE
        bars = (Bar(1.5),) if tool is bench.tools[0] else ()
        rows.append(Row(NAME, what, Unit.SECONDS, tuple(values[tool.name]), bars, note))
    return rows


def _command(bench: Bench, options: tuple[str, ...]) -> float:
    base = free_base_port(3)
    up = ("-n", "3", "--base-port", str(base), "--etcd", bench.etcd, *options)
    with bench.product.cluster(*up) as name, HealthWatch(client_urls(base, 3)) as watch:
        watch.all_healthy_at()
        time.sleep(SETTLE_S)
        return bench.product.timed("down", "-c", name)


def _signal(bench: Bench, tool: Tool) -> float:
    directory = bench.place / "procfile"
    procfile = three_members(directory, bench.etcd)
    try:
        with tool.running(procfile.path, bench.product) as process:
            with HealthWatch(procfile.client_urls) as watch:
                watch.all_healthy_at()
            time.sleep(SETTLE_S)
            family = processes.family(process.pid)
            began = time.monotonic()
            process.send_signal(tool.stop_signal)
            return processes.wait_until_gone(family, GONE_WITHIN_S) - began
    finally:
        shutil.rmtree(directory)
