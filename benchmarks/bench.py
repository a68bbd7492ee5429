"""What every benchmark is given."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from product import Product
from tools import Tool

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bench:
    """The installed product, an earlier one, the tools they are compared with, which etcd, and how often."""

    product: Product
    before: Product | None
    tools: list[Tool]
    etcd: str
    place: Path
    quick: bool

    def rounds(self, full: int, quick: int) -> Iterator[int]:
        """The numbers of the rounds, told on a terminal as they come."""
        total = quick if self.quick else full
        for number in range(total):
            if sys.stderr.isatty():
                sys.stderr.write(f"\r  round {number + 1} of {total}\x1b[K")
                sys.stderr.flush()
            yield number
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def rotated(cases: Sequence[T], number: int) -> list[T]:
    """The cases in another order each round, so that none is always the first."""
    start = number % len(cases)
    return [*cases[start:], *cases[:start]]
