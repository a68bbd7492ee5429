"""How long it takes from the first member's execution until all members are healthy."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict

import processes
from bench import Bench, rotated
from figures import Bar, Row, Unit
from health import HealthWatch
from members import client_urls, free_base_port, three_members
from tools import NOT_HERE, Tool

NAME = "ready"

CASES = {
    "-n 3": (3, ("-n", "3"), (Bar(0.45), Bar(1.2, of_worst=True))),
    "-n 5": (5, ("-n", "5"), (Bar(0.65),)),
    "profile fast": (3, ("-p", "fast"), (Bar(0.2),)),
}


def measure(bench: Bench) -> list[Row]:
    """Rows as the product tells it (`cluster.ready`), and as seen from outside, for each tool."""
    told: defaultdict[str, list[float]] = defaultdict(list)
    seen: defaultdict[str, list[float]] = defaultdict(list)
    failed: Counter[str] = Counter()
    jobs: list[str | Tool] = [*CASES, *(tool for tool in bench.tools if tool.available)]
    for number in bench.rounds(full=20, quick=2):
        for job in rotated(jobs, number):
            if isinstance(job, Tool):
                try:
                    seen[job.name].append(_procfile(bench, job))
                except TimeoutError:
                    # Told in the table: a tool whose members never get well has no time to show.
                    failed[job.name] += 1
            else:
                told[job].append(_told(bench, job))
                # Looking from outside takes processor time from the members: not in every round.
                if number % 4 == 0:
                    seen[job].append(_seen(bench, job))
    rows = []
    for case, (_, _, bars) in CASES.items():
        rows.append(_row(f"ready, up {case}", told[case], bars))
        rows.append(_row(f"the same, seen from outside: {case}", seen[case]))
    for tool in bench.tools:
        bars = CASES["-n 3"][2] if tool is bench.tools[0] else ()
        what = f"ready, a Procfile of three: {tool.name}"
        if failed[tool.name]:
            what += f" (and {failed[tool.name]} rounds never healthy)"
        rows.append(_row(what, seen[tool.name], bars))
    return rows


def _row(what: str, values: list[float], bars: tuple[Bar, ...] = ()) -> Row:
    return Row(NAME, what, Unit.SECONDS, tuple(values), bars, "" if values else NOT_HERE)


def _told(bench: Bench, case: str) -> float:
    members, options, _ = CASES[case]
    base = str(free_base_port(members))
    with bench.product.cluster(
        *options, "--ephemeral", "--base-port", base, "--etcd", bench.etcd
    ) as name:
        events = bench.product.events(name)
        return float(next(e["after_s"] for e in events if e["kind"] == "cluster.ready"))


def _seen(bench: Bench, case: str) -> float:
    members, options, _ = CASES[case]
    base = free_base_port(members)
    with HealthWatch(client_urls(base, members)) as watch:  # noqa: SIM117
        with bench.product.cluster(
            *options, "--ephemeral", "--base-port", str(base), "--etcd", bench.etcd
        ) as name:
            healthy_at = watch.all_healthy_at()
            events = bench.product.events(name)
            pids = [event["pid"] for event in events if event["kind"] == "process.started"]
            return healthy_at - min(processes.started_at(pid) for pid in pids)


def _procfile(bench: Bench, tool: Tool) -> float:
    directory = bench.place / "procfile"
    procfile = three_members(directory, bench.etcd)
    try:
        with HealthWatch(procfile.client_urls) as watch:  # noqa: SIM117
            with tool.running(procfile.path, bench.product) as process:
                healthy_at = watch.all_healthy_at()
                members = processes.named(process.pid, "etcd")
                return healthy_at - min(processes.started_at(member.pid) for member in members)
    finally:
        shutil.rmtree(directory)
