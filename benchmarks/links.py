"""What the peer links cost: puts into a cluster whose peers meet through them, and directly.

Two clusters of three members are alive at a time, one of each way, and take turns in short
rounds, so that whatever else the machine does weighs on both. The members are started here,
not by the product: only the links differ.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

import processes
import psutil
from bench import Bench, rotated
from etcd_sandbox.disks.keeper import Disks
from etcd_sandbox.links.keeper import Link, Links
from etcd_sandbox.model.spec import ProcessSpec
from figures import Bar, Row, Unit, ratios
from health import HealthWatch
from members import STEP, client_urls, free_base_port

NAME = "links"
MEMBERS = 3
CLIENTS = 64
SEQUENTIAL_S, PARALLEL_S = 2.0, 2.0
WARM_UP_S = 1.0
PAIRS, QUICK_PAIRS = 3, 1
TURNS, QUICK_TURNS = 7, 1
PUTTER = Path(__file__).with_name("putter.py")

LINKED, DIRECT = "through links", "direct"

_numbers = count(1)


def measure(bench: Bench) -> list[Row]:
    """Each way's sequential latency and parallel throughput, and what the links make of them."""
    latency_ms: dict[str, list[float]] = {LINKED: [], DIRECT: []}
    puts_per_s: dict[str, list[float]] = {LINKED: [], DIRECT: []}
    for number in bench.rounds(PAIRS, QUICK_PAIRS):
        asyncio.run(_pair(bench, number, latency_ms, puts_per_s))
    return [
        *(
            Row(NAME, f"one put after the other, {way}", Unit.MILLISECONDS, tuple(values))
            for way, values in latency_ms.items()
        ),
        Row(
            NAME,
            "one put after the other, links ÷ direct",
            Unit.RATIO,
            ratios(latency_ms[LINKED], latency_ms[DIRECT]),
            (Bar(1.25),),
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
            f"puts of {CLIENTS} clients, links ÷ direct",
            Unit.RATIO,
            ratios(puts_per_s[LINKED], puts_per_s[DIRECT]),
            (Bar(0.85, at_least=True),),
            more_is_better=True,
        ),
    ]


async def _pair(
    bench: Bench,
    number: int,
    latency_ms: dict[str, list[float]],
    puts_per_s: dict[str, list[float]],
) -> None:
    """Two clusters, started in turns' order, and their turns."""
    async with AsyncExitStack() as stack:
        ports = {
            way: await stack.enter_async_context(cluster(bench, linked=way == LINKED))
            for way in rotated((LINKED, DIRECT), number)
        }
        for port in ports.values():
            await put(port, CLIENTS, WARM_UP_S)
        for turn in range(QUICK_TURNS if bench.quick else TURNS):
            for way in rotated((LINKED, DIRECT), turn):
                answer = await put(ports[way], 1, SEQUENTIAL_S)
                latency_ms[way].append(answer["median_s"] * 1e3)
            for way in rotated((LINKED, DIRECT), turn):
                answer = await put(ports[way], CLIENTS, PARALLEL_S)
                puts_per_s[way].append(answer["puts"] / answer["wall_s"])


async def put(port: int, clients: int, seconds: float) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PUTTER), str(port), str(clients), str(seconds)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError("the load generator failed")
    answer: dict[str, float] = json.loads(out)
    return answer


@asynccontextmanager
async def cluster(
    bench: Bench, *, linked: bool = False, disks: Disks | None = None
) -> AsyncIterator[int]:
    """Three new members, under the filter of `disks` if that is given; the leader's client port.

    Nothing of them is left afterwards.
    """
    place = bench.place / f"links-{next(_numbers)}"
    place.mkdir()
    base = free_base_port(MEMBERS)
    links = _links(base) if linked else None
    started: list[psutil.Process] = []
    try:
        if links is not None:
            links.bind()
            await links.start()
            links.open()
            await links.tell({}, {})
        for member in range(MEMBERS):
            command = _command(bench.etcd, place, base, member, linked=linked)
            started.append(await _execute(command, place, member, disks))
            await asyncio.sleep(0.1)  # as they start fastest
        yield await asyncio.to_thread(_leaders_port, base)
    finally:
        await asyncio.to_thread(processes.end, started)
        if links is not None:
            links.close()
            await links.wait_closed()
        shutil.rmtree(place, ignore_errors=True)


def _links(base: int) -> Links:
    return Links(
        [
            Link(
                member=f"etcd{member + 1}",
                listen=("127.0.0.1", base + STEP * member + 1),
                target=("127.0.0.1", base + STEP * member + 3),
            )
            for member in range(MEMBERS)
        ],
        on_started=lambda _pid: None,
        on_ended=lambda _pid: None,
        environment=os.environ,
    )


def _command(etcd: str, place: Path, base: int, member: int, *, linked: bool) -> tuple[str, ...]:
    port = base + STEP * member
    peers = [f"http://127.0.0.1:{base + STEP * each + 1}" for each in range(MEMBERS)]
    client, listen = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + (3 if linked else 1)}"
    return (
        *(etcd, "--name", f"infra{member + 1}", "--data-dir", str(place / f"infra{member + 1}")),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", listen, "--initial-advertise-peer-urls", peers[member]),
        *("--initial-cluster", ",".join(f"infra{i + 1}={peer}" for i, peer in enumerate(peers))),
        *("--initial-cluster-token", place.name, "--initial-cluster-state", "new"),
        *("--logger=zap", "--log-outputs=stderr", "--log-level=error"),
    )


async def _execute(
    command: tuple[str, ...], place: Path, member: int, disks: Disks | None
) -> psutil.Process:
    if disks is None:
        return psutil.Popen(
            command,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    name = f"etcd{member + 1}"
    spec = ProcessSpec(name=name, argv=command, shown="etcd", cwd=str(place))
    data = place / f"infra{member + 1}" / "member"
    places = {"wal": str(data / "wal"), "db": str(data / "snap")}
    child = await disks.execute(spec, "sync", places, os.environ, lambda _lines: None)
    return psutil.Process(child.pid)


def _leaders_port(base: int) -> int:
    with HealthWatch(client_urls(base, MEMBERS)) as watch:
        watch.all_healthy_at()
    for member in range(MEMBERS):
        port = base + STEP * member
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("POST", "/v3/maintenance/status", b"{}")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        if answer["leader"] == answer["header"]["member_id"]:
            return port
    raise RuntimeError("the cluster has no leader")
