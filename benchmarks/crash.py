"""How long it takes from a member's SIGKILL to the line on `events -f`."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    with (
        product.cluster("-n", "3", "--base-port", base, "--etcd", bench.etcd) as name,
        _following(bench, name) as lines,
    ):
        _told_at(lines, "cluster.ready")
        for number in bench.rounds(full=20, quick=3):
            member = product.status(name)["members"][number % 3]
            killed_at = time.monotonic()
            os.kill(member["pid"], signal.SIGKILL)
            values.append((_told_at(lines, "process.exited", member["pid"]) - killed_at) * 1000)
            product.run("start", member["name"], "-c", name)
    what = "from SIGKILL to the line on events -f"
    return [Row(NAME, what, Unit.MILLISECONDS, tuple(values), (Bar(30),))]


@contextmanager
def _following(bench: Bench, name: str) -> Iterator[IO[bytes]]:
    """The lines of `events -f`, from the first on, unbuffered on this side."""
    reader = bench.product.spawn("events", "-f", "--json", "-c", name, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    try:
        yield reader.stdout
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()


def _told_at(lines: IO[bytes], kind: str, pid: int | None = None) -> float:
    """When the event of that kind, and of that process, was read."""
    while select.select([lines], [], [], TOLD_WITHIN_S)[0]:
        line = lines.readline()
        at = time.monotonic()
        event = json.loads(line)
        if event["kind"] == kind and pid in (None, event.get("pid")):
            return at
    raise TimeoutError(f"events -f does not tell of {kind}")
