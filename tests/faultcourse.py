"""Faults by lot: one draw gives one order, for the model of etcd and for real ones alike."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple


class Drawn(NamedTuple):
    """One order: a verb, whom it is for, the other side, its options."""

    verb: str
    select: tuple[str, ...]
    versus: tuple[str, ...]
    options: dict[str, Any]


_HOW: dict[str, dict[str, Sequence[Any]]] = {
    "pause": {},
    "starve": {"share": (0.1, 0.5, 0.9)},
    "partition": {"one_way": (False, True), "refuse": (False,)},
    "cut": {"one_way": (False, True), "refuse": (False,)},
    "slow": {"delay_s": (0.01, 0.1), "jitter_s": (0.0, 0.01), "one_way": (False, True)},
    "throttle": {"bytes_per_s": (64e3, 1e6)},
    "flaky": {"stall": (0.05, 0.2), "reset": (0.0, 0.01)},
    "reset": {},
}
_OF_PROCESSES = ("pause", "starve")


def fault(draw: random.Random, names: Sequence[str]) -> Drawn:
    """A fault on some of these members, or between them and clients; some heal by themselves, and some come later."""
    verb = draw.choice([*_HOW])
    options = {name: draw.choice(values) for name, values in _HOW[verb].items()}
    side = tuple(draw.sample(names, 1 if verb == "cut" else draw.choice([1, 1, 2])))
    others = [name for name in names if name not in side]
    versus: tuple[str, ...] = ()
    if verb not in _OF_PROCESSES and (verb == "cut" or draw.random() < 0.6):
        versus = tuple(draw.sample(others, 1 if verb == "cut" else 2))
    if verb not in _OF_PROCESSES and draw.random() < 0.3:
        versus = ("clients",) if verb == "cut" else (*versus[:1], "clients")
        if "refuse" in options:
            options["refuse"] = versus == ("clients",) and draw.random() < 0.5
    if verb != "reset" and draw.random() < 0.4:
        options["for_s"] = draw.choice([0.3, 1.0, 3.0])
    if draw.random() < 0.2:
        options["after_s"] = draw.choice([0.2, 1.0])
    return Drawn(verb, side, versus, options)
