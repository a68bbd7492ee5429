"""The verbs: each is declared once, and whoever needs to know something of a verb looks it up here. Pure."""

from __future__ import annotations

from etcd_sandbox.verbs.data import CORRUPT
from etcd_sandbox.verbs.disks import FAIL_DISK, SLOW_DISK
from etcd_sandbox.verbs.faults import HEAL, PAUSE, STARVE
from etcd_sandbox.verbs.links import CUT, FLAKY, ONE_WAY, PARTITION, RESET, SLOW, THROTTLE
from etcd_sandbox.verbs.members import ADD, MOVE_LEADER, PROMOTE, REMOVE, REPLACE
from etcd_sandbox.verbs.processes import KILL, RESTART, RESUME, START, STOP
from etcd_sandbox.verbs.verb import (
    LONGEST_DELAY_S,
    Fault,
    Key,
    Needs,
    Option,
    Targets,
    Type,
    Verb,
    leads,
)

__all__ = [
    "ADD",
    "CORRUPT",
    "CUT",
    "FAIL_DISK",
    "FLAKY",
    "HEAL",
    "KILL",
    "LONGEST_DELAY_S",
    "LOSE_A_LEADER",
    "MOVE_LEADER",
    "OF_MEMBERS",
    "ONE_WAY",
    "ON_DASHBOARD",
    "PARTITION",
    "PAUSE",
    "PROMOTE",
    "REMOVE",
    "REPLACE",
    "RESET",
    "RESTART",
    "RESUME",
    "SLOW",
    "SLOW_DISK",
    "START",
    "STARVE",
    "STOP",
    "THROTTLE",
    "VERBS",
    "Fault",
    "Key",
    "Needs",
    "Option",
    "Targets",
    "Type",
    "Verb",
    "fault_of",
    "leads",
    "mend",
    "mend_of",
    "named",
]

OF_MEMBERS = (MOVE_LEADER, ADD, PROMOTE, REMOVE, REPLACE)
"""Those on leadership, and on who is a member."""

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        START,
        STOP,
        RESTART,
        KILL,
        PAUSE,
        STARVE,
        RESUME,
        PARTITION,
        CUT,
        SLOW,
        THROTTLE,
        FLAKY,
        RESET,
        SLOW_DISK,
        FAIL_DISK,
        HEAL,
        CORRUPT,
        *OF_MEMBERS,
    )
}
"""In the order in which the commands are listed."""

ON_DASHBOARD = (KILL, STOP, START, RESTART, PAUSE, RESUME, PARTITION, SLOW, MOVE_LEADER)
"""Those for the selected process, in the order of the menu."""

LOSE_A_LEADER = (KILL, STOP, PAUSE, PARTITION)
"""The ways to lose a leader: a crash, a goodbye, a hang, a cut."""


def named(name: str) -> Verb:
    """The verb of that name; KeyError for a word that is none."""
    return VERBS[name]


def fault_of(kind: object) -> Fault:
    """The words of a kind of fault; a newer supervisor may know one that is told like a partition."""
    verb = VERBS.get(str(kind))
    fault = verb.fault if verb is not None else None
    return fault or PARTITION.fault or Fault(str)


def mend_of(kind: object, name: str) -> str:
    """The command that undoes a fault of that kind, which hit that member."""
    return mend(VERBS.get(str(kind), PARTITION), name)


def mend(verb: Verb, names: str) -> str:
    """The command that undoes a verb which hit these; empty where none does."""
    undo = VERBS.get(verb.undone_by)
    if undo is None:
        return ""
    return f"{undo} {names}" if undo.targets.selected else undo.name
