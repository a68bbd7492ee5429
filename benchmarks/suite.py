"""Runs the benchmarks one after the other; executed in the environment that has the product."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import machine
import tools
from bench import Bench
from figures import Row
from product import Product

ETCD_OF_THE_WHEEL = "3.5.1"
"""What the extra `etcd` installs: the same on every machine."""


def run(
    place: Path, names: Iterable[str], etcd: str, *, quick: bool
) -> tuple[dict[str, str], list[Row]]:
    """The machine, and the rows of the benchmarks; nothing is left running.

    A benchmark's name is its module's, which offers `measure`.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    product = Product(Path(sys.executable).parent, place)
    earlier = place / "before" / "installed" / "bin"
    before = Product(earlier, place / "before") if earlier.is_dir() else None
    try:
        compared = tools.compared(product, place)
        path, version = product.etcd_path(etcd or ETCD_OF_THE_WHEEL)
        bench = Bench(product, before, compared, path, place, quick)
        rows: list[Row] = []
        for name in names:
            sys.stderr.write(f"{name}\n")
            measure: Callable[[Bench], list[Row]] = importlib.import_module(name).measure
            rows += measure(bench)
        return machine.describe(place, version, compared), rows
    finally:
        product.remove_all()
        if before is not None:
            before.remove_all()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
