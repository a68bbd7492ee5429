"""How long `status` takes on a running cluster."""

from __future__ import annotations

import subprocess
import time

from bench import Bench
from figures import Bar, Row, Unit
from members import free_base_port

NAME = "status"


def measure(bench: Bench) -> list[Row]:
    """The command, and for comparison the installed Python that does nothing."""
    product = bench.product
    base = str(free_base_port(3))
    nothing = [str(product.bin / "python"), "-c", "pass"]
    status_ms, python_ms = [], []
    with product.cluster("-n", "3", "--base-port", base, "--etcd", bench.etcd) as name:
        product.run("status", "-c", name)
        for _ in bench.rounds(full=20, quick=5):
            status_ms.append(product.timed("status", "-c", name) * 1000)
            began = time.monotonic()
            subprocess.run(nothing, env=product.env, check=True)
            python_ms.append((time.monotonic() - began) * 1000)
    return [
        Row(NAME, "status, three members", Unit.MILLISECONDS, tuple(status_ms), (Bar(150),)),
        Row(NAME, "of which Python that does nothing", Unit.MILLISECONDS, tuple(python_ms)),
    ]
