"""How long it takes from a member's SIGKILL to the line on `events -f`."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from contextlib import contextmanager
from collections.abc import Iterator
from typing import IO

from bench import Bench
from figures import Bar, Row, Unit
from members import free_base_port

NAME = "crash"
TOLD_WITHIN_S = 10.0


def measure(bench: Bench) -> list[Row]:
    """Each round kills another member, not through the product, and starts it again."""
    values = []
    product = bench.product
    base = str(free_base_port(3))
    with product.cluster("-n", "3", "--base-port", base, "--etcd", bench.etcd) as name:
        for number in bench.rounds(full=20, quick=3):
            member = product.status(name)["members"][number % 3]
            with _following(bench, name) as lines:
                killed_at = time.monotonic()
                os.kill(member["pid"], signal.SIGKILL)
                values.append((_told_at(lines, member["pid"]) - killed_at) * 1000)
            product.run("start", member["name"], "-c", name)
    what = "from SIGKILL to the line on events -f"
    return [Row(NAME, what, Unit.MILLISECONDS, tuple(values), (Bar(30),))]


@contextmanager
def _following(bench: Bench, name: str) -> Iterator[IO[bytes]]:
    """The lines of `events -f` that come from now on."""
    total = len(bench.product.events(name))
    reader = bench.product.spawn("events", "-f", "--json", "-c", name, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    try:
        for _ in range(total):
            _next(reader.stdout)
        yield reader.stdout
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()


def _next(lines: IO[bytes]) -> bytes:
    return lines.readline()


def _told_at(lines: IO[bytes], pid: int) -> float:
    while True:
        if not select.select([lines], [], [], TOLD_WITHIN_S)[0]:
            raise TimeoutError("events -f does not tell of the kill")
        line = lines.readline()
        at = time.monotonic()
        event = json.loads(line)
        if event["kind"] == "process.exited" and event["pid"] == pid:
            return at
