"""The sign of each kind of event, the same on the time line and among the events."""

from __future__ import annotations

from msgspec import Struct

from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.tui.widgets.colours import BAD, FAINT, GOOD, ODD, PLAIN
from etcd_sandbox.verbs import fault_of


class Mark(Struct, frozen=True):
    """A sign of one cell, what it means in one word, and its style.

    Where two fall on one cell of the time line, the one with the higher `weight` stands.
    """

    sign: str
    word: str
    style: str
    weight: int = 0


_MARKS = {
    Kind.LEADER_ELECTED: Mark("★", "leader", GOOD, 6),
    Kind.LEADER_TRANSFERRED: Mark("★", "leader", GOOD, 6),
    Kind.LEADER_LOST: Mark("☆", "leader lost", BAD),
    Kind.CANDIDATE: Mark("◇", "candidate", ODD),
    Kind.SPLIT_VOTE: Mark("◇", "split vote", ODD),
    Kind.QUORUM_LOST: Mark("▼", "quorum lost", BAD, 5),
    Kind.QUORUM_REGAINED: Mark("▲", "quorum back", GOOD, 4),
    Kind.PROCESS_EXITED: Mark("†", "exit", BAD, 3),
    Kind.PROCESS_STARTED: Mark("▸", "started", PLAIN),
    Kind.PROCESS_READY: Mark("●", "ready", GOOD),
    Kind.PROCESS_RESTARTING: Mark("↻", "restarting", ODD),
    Kind.ALARM_RAISED: Mark("!", "alarm", BAD),
    Kind.CLUSTER_READY: Mark("●", "ready", GOOD),
}
_OTHER = Mark("·", "", FAINT)


def mark_of(event: Event) -> Mark:
    match event.kind:
        case Kind.FAULT_APPLIED:
            return Mark(*fault_of(event.fields.get("fault")).marks[0], ODD, 2)
        case Kind.FAULT_HEALED:
            return Mark(*fault_of(event.fields.get("fault")).marks[1], GOOD, 1)
    return _MARKS.get(event.kind, _OTHER)
