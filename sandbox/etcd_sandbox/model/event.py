"""What happened: one value per event, as `events.jsonl` and `events` have it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct, field


class Kind(StrEnum):
    """The kinds of events."""

    PROCESS_STARTED = "process.started"
    PROCESS_READY = "process.ready"
    PROCESS_EXITED = "process.exited"
    PROCESS_LEFT = "process.left"
    PROCESS_RESTARTING = "process.restarting"
    LEADER_LOST = "raft.leader_lost"
    CANDIDATE = "raft.candidate"
    LEADER_ELECTED = "raft.leader_elected"
    LEADER_TRANSFERRED = "raft.leader_transferred"
    SPLIT_VOTE = "raft.split_vote"
    MEMBER_ADDED = "member.added"
    MEMBER_PROMOTED = "member.promoted"
    MEMBER_MOVED = "member.moved"
    MEMBER_REMOVED = "member.removed"
    MEMBER_WAITING = "member.waiting"
    MEMBER_UPGRADED = "member.upgraded"
    FAULT_PLANNED = "fault.planned"
    FAULT_DROPPED = "fault.dropped"
    FAULT_APPLIED = "fault.applied"
    FAULT_PASSED = "fault.passed"
    FAULT_HEALED = "fault.healed"
    ALARM_RAISED = "alarm.raised"
    ALARM_CLEARED = "alarm.cleared"
    TOKEN_REGISTERED = "discovery.token_registered"
    MEMBER_REGISTERED = "discovery.member_registered"
    DISCOVERY_COMPLETE = "discovery.complete"
    RECORDS_SERVED = "dns.records_served"
    LINES_LOST = "logs.lost"
    LINES_KEPT = "logs.kept"
    CLUSTER_READY = "cluster.ready"
    QUORUM_LOST = "cluster.quorum_lost"
    QUORUM_REGAINED = "cluster.quorum_regained"
    CLUSTER_VERSION = "cluster.version_changed"
    CLUSTER_STOPPED = "cluster.stopped"


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened.

    `seq` rises by one per event of a cluster, across its supervisors. `ts` is RFC 3339 in
    UTC with microseconds: when it happened, which may be a moment before it was told. `member` is the member's name, None for other processes and for
    the cluster as a whole; `fields` are those of the kind and stand beside the others on
    the wire.
    """

    seq: int
    ts: str
    kind: Kind
    member: str | None = None
    fields: dict[str, object] = field(default_factory=dict)

    def to_wire(self) -> dict[str, object]:
        """The object of one line of `events.jsonl`."""
        return {
            "seq": self.seq,
            "ts": self.ts,
            "kind": self.kind.value,
            "member": self.member,
            **self.fields,
        }


def event_from_wire(line: Mapping[str, Any]) -> Event:
    """The event of one line of `events.jsonl`; what is not in every event are its fields.

    Raises ValueError for a kind that is not known.
    """
    return Event(
        seq=line["seq"],
        ts=line["ts"],
        kind=Kind(line["kind"]),
        member=line.get("member"),
        fields={name: value for name, value in line.items() if name not in _COMMON},
    )


_COMMON = ("seq", "ts", "kind", "member")
