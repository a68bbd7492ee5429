"""What can be done to a cluster, in words."""

from __future__ import annotations

from enum import StrEnum


class Verb(StrEnum):
    """What can be done to selected processes, and between members."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    KILL = "kill"
    PAUSE = "pause"
    RESUME = "resume"
    PARTITION = "partition"
    CUT = "cut"
    SLOW = "slow"
    HEAL = "heal"
    MOVE_LEADER = "move-leader"
    ADD = "add"
    PROMOTE = "promote"
    REMOVE = "remove"
    REPLACE = "replace"


MEMBERSHIP = frozenset({Verb.ADD, Verb.PROMOTE, Verb.REMOVE, Verb.REPLACE})
"""The verbs that change who is a member."""
