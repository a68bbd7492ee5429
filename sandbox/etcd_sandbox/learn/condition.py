"""What a condition is: how it is written, when it is met and in which words, what cannot be done without. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.learn.record import Incident, View, What
from etcd_sandbox.model.bootstrap import Bootstrap

ENTER = "enter"
"""The condition of a step that changes nothing: the learner says when it was looked at."""

MEMBER_NAME = r"[A-Za-z0-9][\w.-]*"

WAYS = "|".join(Bootstrap)
"""How members may find each other."""

RUNS_IN = "containers|processes"
"""What members may be."""

Met = Callable[..., str | None]
Foresees = Callable[..., bool]


class Asks(StrEnum):
    """What has to be asked of a member for a condition, beside its status and its keys."""

    MEMBERS = "the list of members"
    VERSION = "the cluster version"


class Condition(Struct, frozen=True, kw_only=True):
    """`met` is a clause with real figures, or None as long as it does not hold.

    `foresees`: the condition cannot be met without such a thing incident. `key` and `prefix` are
    what has to be read of the cluster's keys for it, `asks` is what else has to be asked for.
    """

    text: str
    met: Callable[[View], str | None]
    foresees: Callable[[Incident], bool]
    key: str = ""
    prefix: str = ""
    asks: Asks | None = None


def nothing(_: Incident, *__: str) -> bool:
    """Foresees nothing that hurts."""
    return False


def breaking(incident: Incident, *_: str) -> bool:
    """Foresees what a quorum may be lost by."""
    return incident.what in (
        What.KILLED,
        What.STOPPED,
        What.PAUSED,
        What.PARTITIONED,
        What.CUT,
        What.QUORUM_LOST,
    )


def mending(incident: Incident, *_: str) -> bool:
    """Foresees what comes with a cluster that becomes whole."""
    return incident.what in (
        What.STARTED,
        What.RESUMED,
        What.HEALED,
        What.QUORUM_REGAINED,
        What.ALARM_CLEARED,
    )


def taking_down(incident: Incident, *_: str) -> bool:
    """Foresees what comes with a cluster that is taken down to be brought up again."""
    return incident.what in (What.STOPPED, What.GONE)


def is_hit(incident: Incident, verb: str, who: str) -> bool:
    """Foresees what hits the leader, a follower, that member, or any."""
    if incident.what is not What(verb):
        return False
    match who:
        case "any":
            return True
        case "leader":
            return incident.led
        case "follower":
            return not incident.led
        case name:
            return name in incident.who


def is_on_links(incident: Incident, verb: str, names: str | None) -> bool:
    """Foresees a fault on links, with these members on one side if any are named."""
    wanted = frozenset((names or "").split())
    sides = (frozenset(incident.who), frozenset(incident.other))
    both_ways = not incident.fields.get("one_way")
    return incident.what is What(verb) and both_ways and (not wanted or wanted in sides)


class _Form(Struct, frozen=True):
    """How a condition is written, and what becomes of it; `met` and `foresees` are given the groups of `pattern`."""

    pattern: str
    shown: str
    met: Met
    foresees: Foresees
    asks: Asks | None
    reads: str

    def condition(self, text: str, groups: tuple[str, ...]) -> Condition:
        return Condition(
            text=text,
            met=lambda view: self.met(view, *groups),
            foresees=lambda incident: self.foresees(incident, *groups),
            asks=self.asks,
            **({self.reads: groups[0]} if self.reads else {}),
        )


_FORMS: list[_Form] = []


def condition(
    pattern: str,
    shown: str = "",
    *,
    foresees: Foresees = nothing,
    asks: Asks | None = None,
    reads: str = "",
) -> Callable[[Met], Met]:
    """Declare a condition by the function that says when it is met.

    `shown` is how it is written, where `pattern` is not that itself. The first group is a `key` or
    `prefix` of the cluster's keys where it `reads` one.
    """

    def declare(met: Met) -> Met:
        _FORMS.append(_Form(pattern, shown or pattern, met, foresees, asks, reads))
        return met

    return declare


def parse_condition(text: str) -> Condition:
    """The condition that these words mean. Raises ValueError."""
    words = " ".join(text.split())
    for form in _FORMS:
        if found := re.fullmatch(form.pattern, words):
            return form.condition(words, found.groups())
    raise ValueError(f"unknown condition {words!r}")


def vocabulary() -> list[str]:
    """How each condition is written."""
    return [form.shown for form in _FORMS]
