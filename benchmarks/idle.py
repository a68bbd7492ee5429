"""What the supervisor and its guard cost while three members run and nobody looks."""

from __future__ import annotations

import time

import processes
import psutil
from bench import Bench
from figures import Bar, Row, Unit
from members import free_base_port

NAME = "idle"
SETTLE_S = 5.0
SPAN_S, QUICK_SPAN_S = 20.0, 5.0


def measure(bench: Bench) -> list[Row]:
    """CPU over one span of time, resident memory at its end."""
    product = bench.product
    base = str(free_base_port(3))
    with product.cluster("-n", "3", "--base-port", base, "--etcd", bench.etcd) as name:
        supervisor = psutil.Process(product.status(name)["supervisor"]["pid"])
        guard = psutil.Process(supervisor.ppid())
        time.sleep(1.0 if bench.quick else SETTLE_S)
        before_s, began = processes.cpu_s([supervisor]), time.monotonic()
        time.sleep(QUICK_SPAN_S if bench.quick else SPAN_S)
        used_s, span_s = processes.cpu_s([supervisor]) - before_s, time.monotonic() - began
        supervisor_mb = supervisor.memory_info().rss / 1e6
        guard_mb = guard.memory_info().rss / 1e6
    percent = used_s / span_s * 100
    return [
        Row(NAME, f"supervisor, idle for {span_s:.0f} s", Unit.PERCENT, (percent,), (Bar(1.0),)),
        Row(NAME, "supervisor, resident", Unit.MEGABYTES, (supervisor_mb,), (Bar(60.0),)),
        Row(NAME, "guard, resident", Unit.MEGABYTES, (guard_mb,)),
    ]
