"""What happened: one value per event, as `events.jsonl` and `events` have it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of events."""

    PROCESS_STARTED = "process.started"
    PROCESS_READY = "process.ready"
    PROCESS_EXITED = "process.exited"
    PROCESS_RESTARTING = "process.restarting"
    LEADER_LOST = "raft.leader_lost"
    CANDIDATE = "raft.candidate"
    LEADER_ELECTED = "raft.leader_elected"
    LEADER_TRANSFERRED = "raft.leader_transferred"
    MEMBER_REMOVED = "member.removed"
    FAULT_APPLIED = "fault.applied"
    FAULT_HEALED = "fault.healed"
    ALARM_RAISED = "alarm.raised"
    ALARM_CLEARED = "alarm.cleared"
    CLUSTER_READY = "cluster.ready"
    QUORUM_LOST = "cluster.quorum_lost"
    QUORUM_REGAINED = "cluster.quorum_regained"
    CLUSTER_STOPPED = "cluster.stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    `seq` rises by one per event of a cluster, across its supervisors. `ts` is RFC 3339 in
    UTC with microseconds. `member` is the member's name, None for other processes and for
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
