"""What a condition is: when it is met, in which words, and what cannot be done without. Pure."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.learn.record import Happening, What
from etcd_sandbox.learn.view import View
from etcd_sandbox.model.bootstrap import Bootstrap

ENTER = "enter"
"""The condition of a step that changes nothing: the learner says when it was looked at."""

MEMBER_NAME = r"[A-Za-z0-9][\w.-]*"

WAYS = "|".join(Bootstrap)
"""How members may be told of each other."""

RUNS_IN = "containers|processes"
"""What members may be."""

Met = Callable[[View], str | None]
Foresees = Callable[[Happening], bool]


class Asks(StrEnum):
    """What has to be asked of a member for a condition, beside its status and its keys."""

    MEMBERS = "the list of members"
    VERSION = "the cluster version"


class Condition(Struct, frozen=True, kw_only=True):
    """`met` is a clause with real figures, or None as long as it does not hold.

    `foresees`: the condition cannot be met without such a thing happening. `key` and `prefix` are
    what has to be read of the cluster's keys for it, `asks` is what else has to be asked for.
    """

    text: str
    met: Met
    foresees: Foresees
    key: str = ""
    prefix: str = ""
    asks: Asks | None = None


def nothing(_: Happening) -> bool:
    """It takes nothing that hurts."""
    return False


def breaking(happening: Happening) -> bool:
    """What a quorum may be lost by."""
    return happening.what in (
        What.KILLED,
        What.STOPPED,
        What.PAUSED,
        What.PARTITIONED,
        What.CUT,
        What.QUORUM_LOST,
    )


def mending(happening: Happening) -> bool:
    """What comes with a cluster that becomes whole."""
    return happening.what in (
        What.STARTED,
        What.RESUMED,
        What.HEALED,
        What.QUORUM_REGAINED,
        What.ALARM_CLEARED,
    )


def taking_down(happening: Happening) -> bool:
    """What comes with a cluster that is taken down to be brought up again."""
    return happening.what in (What.STOPPED, What.GONE)
