"""How long `Cluster.reset()` takes between two tests that share a cluster."""

from __future__ import annotations

import json
import subprocess

from bench import Bench
from figures import Bar, Row, Unit

NAME = "reset"

_PROGRAM = """
import json, sys, time
from etcd_sandbox import Cluster

def reset_ms(cluster):
    began = time.monotonic()
    cluster.reset()
    return (time.monotonic() - began) * 1000

rounds, etcd = int(sys.argv[1]), sys.argv[2]
told = {"keys": [], "dead": [], "new start": []}
with Cluster(members=3, base_port="auto", etcd=etcd) as cluster:
    cluster.reset()
    for _ in range(rounds):
        for number in range(10):
            cluster.ctl("put", f"key{number}", "value")
        cluster.ctl("lease", "grant", "600")
        told["keys"].append(reset_ms(cluster))
        cluster.kill("followers", wait=False)
        told["dead"].append(reset_ms(cluster))
    for _ in range(max(2, rounds // 4)):
        cluster.remove("followers", force=True, wait=False)
        told["new start"].append(reset_ms(cluster))
print(json.dumps(told))
"""


def measure(bench: Bench) -> list[Row]:
    """After a few keys and a lease; with the followers killed; and where only a new start will do."""
    product = bench.product
    rounds = len(list(bench.rounds(full=20, quick=3)))
    done = subprocess.run(
        [str(product.bin / "python"), "-c", _PROGRAM, str(rounds), bench.etcd],
        env=product.env,
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(done.stdout)
    return [
        _row("reset, ten keys and a lease", told["keys"], (Bar(200),)),
        _row("reset, both followers killed", told["dead"]),
        _row("reset, by a new start", told["new start"]),
    ]


def _row(what: str, values: list[float], bars: tuple[Bar, ...] = ()) -> Row:
    return Row(NAME, what, Unit.MILLISECONDS, tuple(values), bars)
