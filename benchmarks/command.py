"""How long `up -n 3 -d` takes as a user waits for it, from the return key to the prompt."""

from __future__ import annotations

from bench import Bench
from figures import Bar, Row, Unit
from members import free_base_port

NAME = "command"


def measure(bench: Bench) -> list[Row]:
    """New data in each round."""
    values = []
    product = bench.product
    for _ in bench.rounds(full=20, quick=3):
        name = product.new_name()
        base = str(free_base_port(3))
        try:
            values.append(
                product.timed(
                    "up", "-n", "3", "-d", "-c", name, "--base-port", base, "--etcd", bench.etcd
                )
            )
        finally:
            product.remove(name)
    return [Row(NAME, "the whole command up -n 3 -d", Unit.SECONDS, tuple(values), (Bar(1.0),))]
