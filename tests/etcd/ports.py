"""Ports for etcds that a test starts by itself."""

from __future__ import annotations

import os
import random
import socket
from contextlib import suppress

import pytest

PORTS = range(13_000, 19_900)
"""Apart from the well-known ones, those of `--base-port auto` and those of outgoing connections."""

MARGIN = 100
"""What a test may take beyond the port that it was given."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, and that no other worker of this run is given."""
    free: list[int] = []
    own = _of_this_worker()
    for port in random.sample(own, len(own)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            free.append(port)
        if len(free) == count:
            return free
    pytest.fail("there are no free ports")


def _of_this_worker() -> range:
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    each = len(PORTS) // workers
    return PORTS[number * each : (number + 1) * each - MARGIN]


def free_block(members: int) -> int:
    """A port from which on each member has ten that can be had: its own four, and those of services behind."""
    for base in free_ports(20):
        if all(map(_can_be_had, range(base, base + 10 * members))):
            return base
    pytest.fail("there is no block of free ports")


def _can_be_had(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
