"""What becomes of a member's calls of its files, by the rules in force. Pure; standard library only, for the handler."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from random import Random
from typing import NamedTuple

from etcd_sandbox.disks.calls import SYNCS

ANY = "all"
"""The rule is for each file of the member's data."""

ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}


class Rule(NamedTuple):
    """What a disk fault does to the calls of one process.

    `number` tells rules apart; a later one has a higher number. `on` is the place that the file is in, `wal`, `db` or
    `all`; `calls` is `sync` or `write`. With an `error` the call fails with that number; else the call is held for `delay_s`
    seconds, more or less `jitter_s`, as drawn from `seed`. `once` is for how many calls it is, 0 for all.
    """

    number: int
    process: str
    on: str
    calls: str
    delay_s: float = 0.0
    jitter_s: float = 0.0
    error: int = 0
    once: int = 0
    seed: int = 0

    def is_for(self, call: str, place: str) -> bool:
        """Whether a call of a file in that place is meant."""
        return (call in SYNCS) == (self.calls == "sync") and self.on in (ANY, place)


class Draws:
    """The delays of each rule, one after the other, as its seed has them."""

    def __init__(self) -> None:
        self._drawn: dict[int, Random] = {}

    def delay_s(self, rule: Rule) -> float:
        """How long the next call is held."""
        if not rule.jitter_s:
            return rule.delay_s
        drawn = self._drawn.setdefault(rule.number, Random(rule.seed))
        return drawn.uniform(rule.delay_s - rule.jitter_s, rule.delay_s + rule.jitter_s)


def meant(rules: Iterable[Rule], call: str, place: str, used: Mapping[int, int]) -> Rule | None:
    """The rule that a call falls under: a failure before a delay, the later before the earlier; None where none is.

    `used` is for how many calls each rule was by now.
    """
    found = [
        rule
        for rule in rules
        if rule.is_for(call, place) and not (rule.once and used.get(rule.number, 0) >= rule.once)
    ]
    return max(found, key=lambda rule: (bool(rule.error), rule.number), default=None)


def place_of(path: str, places: Mapping[str, str]) -> str | None:
    """`wal` or `db`, where the file with that path is in the directory of that name; None for another file."""
    return next(
        (
            place
            for place, directory in places.items()
            if path == directory or path.startswith(f"{directory}/")
        ),
        None,
    )
