"""Ports for etcds that a test starts by itself."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

import pytest


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, below those that outgoing connections take."""
    free: list[int] = []
    for port in random.sample(range(15_000, 32_000), 1000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            free.append(port)
        if len(free) == count:
            return free
    pytest.fail("there are no free ports")
