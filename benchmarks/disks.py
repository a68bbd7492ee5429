"""What the filter for disk faults costs while no fault is there, how soon a fault is in force, and how long a handler's death lasts.

Two clusters of three members are alive at a time, one under the filter and one without, and take turns in short rounds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack

from bench import Bench, rotated
from etcd_sandbox.disks.keeper import Disks
from etcd_sandbox.disks.rules import Rule
from figures import Bar, Row, Unit, ratios
from links import SEQUENTIAL_S, WARM_UP_S, cluster, put

NAME = "disks"
PAIRS, QUICK_PAIRS = 2, 1
TURNS, QUICK_TURNS = 10, 1
FAULTS, QUICK_FAULTS = 20, 2

FILTERED, PLAIN = "under the filter", "without"


def measure(bench: Bench) -> list[Row]:
    """The sequential latency of each way, and what the filter makes of it; the times of orders and of deaths."""
    latency_ms: dict[str, list[float]] = {FILTERED: [], PLAIN: []}
    orders_ms: list[float] = []
    deaths_ms: list[float] = []
    for number in bench.rounds(PAIRS, QUICK_PAIRS):
        asyncio.run(_pair(bench, number, latency_ms, orders_ms, deaths_ms))
    return [
        *(
            Row(NAME, f"one put after the other, {way}", Unit.MILLISECONDS, tuple(values))
            for way, values in latency_ms.items()
        ),
        Row(
            NAME,
            "one put after the other, filter ÷ without",
            Unit.RATIO,
            ratios(latency_ms[FILTERED], latency_ms[PLAIN]),
            (Bar(1.03),),
        ),
        Row(NAME, "a fault in force", Unit.MILLISECONDS, tuple(orders_ms), (Bar(50),)),
        Row(
            NAME,
            "from a handler's death to the next answer",
            Unit.MILLISECONDS,
            tuple(deaths_ms),
            (Bar(200),),
        ),
    ]


async def _pair(
    bench: Bench,
    number: int,
    latency_ms: dict[str, list[float]],
    orders_ms: list[float],
    deaths_ms: list[float],
) -> None:
    handlers: list[int] = []
    disks = Disks(
        on_started=handlers.append,
        on_ended=lambda _pid: None,
        on_used_up=lambda _number: None,
        environment=os.environ,
    )
    try:
        async with AsyncExitStack() as stack:
            ports = {
                way: await stack.enter_async_context(
                    cluster(bench, disks=disks if way == FILTERED else None)
                )
                for way in rotated((FILTERED, PLAIN), number)
            }
            for port in ports.values():
                await put(port, 1, WARM_UP_S)
            for turn in range(QUICK_TURNS if bench.quick else TURNS):
                for way in rotated((FILTERED, PLAIN), turn):
                    answer = await put(ports[way], 1, SEQUENTIAL_S)
                    latency_ms[way].append(answer["median_s"] * 1e3)
            for _ in range(QUICK_FAULTS if bench.quick else FAULTS):
                began = time.monotonic()
                await disks.tell([Rule(1, "etcd1", "all", "sync", delay_s=0.01)])
                orders_ms.append((time.monotonic() - began) * 1e3)
                await disks.tell([])
                os.kill(handlers[-1], signal.SIGKILL)
                began = time.monotonic()
                await disks.tell([])
                deaths_ms.append((time.monotonic() - began) * 1e3)
    finally:
        disks.close()
        await disks.wait_closed()
