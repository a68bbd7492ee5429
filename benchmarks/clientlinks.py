"""What a link in front of clients costs: puts to one leader through it, and past it, in turns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench import Bench, rotated
from etcd_sandbox.links.keeper import Link, Links
from figures import Bar, Row, Unit, ratios
from links import CLIENTS, PARALLEL_S, SEQUENTIAL_S, WARM_UP_S, cluster, put

NAME = "clientlinks"
TURNS, QUICK_TURNS = 15, 1
ABOVE = 8

LINKED, DIRECT = "through a link", "past it"


def measure(bench: Bench) -> list[Row]:
    """Each way's sequential latency and parallel throughput, and what the link makes of them."""
    latency_ms: dict[str, list[float]] = {LINKED: [], DIRECT: []}
    puts_per_s: dict[str, list[float]] = {LINKED: [], DIRECT: []}
    asyncio.run(_turns(bench, latency_ms, puts_per_s))
    return [
        *(
            Row(NAME, f"one put after the other, {way}", Unit.MILLISECONDS, tuple(values))
            for way, values in latency_ms.items()
        ),
        Row(
            NAME,
            "one put after the other, link ÷ past it",
            Unit.RATIO,
            ratios(latency_ms[LINKED], latency_ms[DIRECT]),
            (Bar(1.15),),
        ),
        *(
            Row(
                NAME,
                f"puts of {CLIENTS} clients, {way}",
                Unit.PUTS_PER_SECOND,
                tuple(values),
                more_is_better=True,
            )
            for way, values in puts_per_s.items()
        ),
        Row(
            NAME,
            f"puts of {CLIENTS} clients, link ÷ past it",
            Unit.RATIO,
            ratios(puts_per_s[LINKED], puts_per_s[DIRECT]),
            (Bar(0.85, at_least=True),),
            more_is_better=True,
        ),
    ]


async def _turns(
    bench: Bench, latency_ms: dict[str, list[float]], puts_per_s: dict[str, list[float]]
) -> None:
    async with cluster(bench, linked=True) as port, _link(port) as linked:
        ports = {LINKED: linked, DIRECT: port}
        for each in ports.values():
            await put(each, CLIENTS, WARM_UP_S)
        for turn in range(QUICK_TURNS if bench.quick else TURNS):
            for way in rotated((LINKED, DIRECT), turn):
                answer = await put(ports[way], 1, SEQUENTIAL_S)
                latency_ms[way].append(answer["median_s"] * 1e3)
            for way in rotated((LINKED, DIRECT), turn):
                answer = await put(ports[way], CLIENTS, PARALLEL_S)
                puts_per_s[way].append(answer["puts"] / answer["wall_s"])


@asynccontextmanager
async def _link(port: int) -> AsyncIterator[int]:
    """A link in front of the member that serves clients at that port; its own port."""
    here = ("127.0.0.1", port + ABOVE)
    links = Links(
        [Link(member="leader", listen=here, target=("127.0.0.1", port), clients=True)],
        on_started=lambda _pid: None,
        on_ended=lambda _pid: None,
        environment=os.environ,
    )
    links.bind()
    try:
        await links.start()
        links.open()
        await links.tell({}, {})
        yield here[1]
    finally:
        links.close()
        await links.wait_closed()
