"""A past that is made up: three members, a leader that is killed in it, another that follows."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from tests.witness.claims import Event, Status, Verdict
from tests.witness.history import History, Span
from tests.witness.observed import (
    Answer,
    Attempt,
    Entry,
    LogSign,
    Outcome,
    Pulse,
    Sample,
    Seen,
    SignKind,
    Watch,
)

NAMES = ("infra1", "infra2", "infra3")
IDS = {"infra1": "a1", "infra2": "a2", "infra3": "a3"}
BEGAN, KILLED, ELECTED, ENDED = 1000.0, 1005.0, 1006.2, 1012.0
"""The whole, the end of infra1 (leader of term 2), the election of infra2 (term 3)."""

CALM = Span(1003.0, 1003.02)
LEADERLESS = Span(1005.5, 1005.52)
AFTER = Span(1008.0, 1008.02)


@cache
def past(
    *,
    listed: tuple[str, ...] = NAMES,
    alarms: frozenset[str] = frozenset(),
    reads: tuple[Attempt, ...] = (),
    writes: tuple[Attempt, ...] = (),
) -> History:
    """What the witness saw; `listed` are on etcd's list, those without a process never started.

    `reads` and `writes` were tried beside the regular ones.
    """
    watch = Watch(began=BEGAN)
    for tenths in range(int((ENDED - BEGAN) * 50)):
        at = BEGAN + tenths / 50
        for name in NAMES:
            _one_look(watch, name, at, alarms)
    entries = frozenset(
        Entry(id=IDS.get(name, name), name=name if name in NAMES else "", learner=False)
        for name in listed
    )
    watch.lists = [
        Sample(BEGAN + step / 5, BEGAN + step / 5 + 0.002, entries)
        for step in range(int((ENDED - BEGAN) * 5))
    ]
    watch.signs = [
        _sign("infra1", SignKind.CANDIDATE, 2, 1000.4),
        _sign("infra1", SignKind.BECAME_LEADER, 2, 1000.5),
        _sign("infra2", SignKind.BECAME_FOLLOWER, 2, 1000.51),
        _sign("infra3", SignKind.BECAME_FOLLOWER, 2, 1000.51),
        _sign("infra2", SignKind.PRE_CANDIDATE, 2, ELECTED - 0.03),
        _sign("infra2", SignKind.CANDIDATE, 3, ELECTED - 0.02),
        _sign("infra2", SignKind.BECAME_LEADER, 3, ELECTED),
        _sign("infra3", SignKind.BECAME_FOLLOWER, 3, ELECTED + 0.01),
    ]
    watch.reads += reads
    watch.writes += writes
    watch.late = [(BEGAN + step / 10, 0.002) for step in range(120)]
    return History(watch)


def _one_look(watch: Watch, name: str, at: float, alarms: frozenset[str]) -> None:
    led = at < KILLED or at >= ELECTED
    alive = name != "infra1" or at < KILLED
    leader = "a1" if at < KILLED else "a2"
    outcome = Outcome.SERVED if alive and led else Outcome.FAILED
    watch.reads.append(Attempt(name, at, at + 0.002, outcome))
    watch.writes.append(Attempt(name, at, at + 0.004, outcome))
    answer = Answer(
        member_id=IDS[name],
        leader=leader if led else None,
        term=2 if at < ELECTED else 3,
        revision=int((at - BEGAN) * 50),
        version="3.6.0",
        alarms=alarms,
    )
    sample = Sample(at, at + 0.002, answer if alive else None)
    watch.answers.setdefault(name, []).append(sample)
    seen = Seen(pulse=Pulse.ALIVE, pid=10, created=BEGAN - 1) if alive else Seen(pulse=Pulse.ENDED)
    watch.pulses.setdefault(name, []).append(Sample(at, at + 0.001, seen))


def _sign(member: str, kind: SignKind, term: int, ts: float) -> LogSign:
    return LogSign(ts=ts, member=member, id=IDS[member], kind=kind, term=term)


def member(name: str, **other: Any) -> dict[str, Any]:
    """One member of a true status in the calm time."""
    leads = name == "infra1"
    return {
        "name": name,
        "id": IDS[name],
        "pid": 10,
        "state": "running",
        "role": "leader" if leads else "follower",
        "healthy": True,
        "term": 2,
        "revision": 150,
        "follows": "infra1",
        "alarms": [],
    } | other


def status(span: Span = CALM, **other: Any) -> Status:
    """A true status of the calm time, but for `other`."""
    body = {
        "cluster": "default",
        "leader": "infra1",
        "term": 2,
        "quorum": {"voters": 3, "needed": 2, "healthy": 3, "ok": True},
        "members": [member(name) for name in NAMES],
    }
    return Status(span, body | other)


def with_member(name: str, **other: Any) -> dict[str, Any]:
    """The members of a true status, one of them told otherwise."""
    return {"members": [member(each, **(other if each == name else {})) for each in NAMES]}


def quorum(**other: Any) -> dict[str, Any]:
    """The quorum of a true status, told otherwise."""
    return {"quorum": {"voters": 3, "needed": 2, "healthy": 3, "ok": True} | other}


def verdict(*, sentence: str = "", **other: Any) -> Verdict:
    """The true verdict on the kill of infra1, but for `other`."""
    body = {
        "verb": "kill",
        "targets": ["infra1"],
        "leader_before": "infra1",
        "leader_after": "infra2",
        "term_before": 2,
        "term_after": 3,
        "leader_gap_s": ELECTED - KILLED,
        "read_gap_s": ELECTED - KILLED + 0.02,
        "quorum": {"voters": 3, "needed": 2, "healthy": 2, "ok": True},
        "leaders": [{"member": "infra2", "term": 3}],
        "up": 2,
        "processes": [{"member": "infra1", "pid": 10, "done": True}],
    }
    return Verdict(Span(KILLED - 0.05, ELECTED + 0.1), body | other, sentence)


def event(kind: str, at: float, name: str | None = None, **fields: Any) -> Event:
    """One event at a moment of the past."""
    ts = datetime.fromtimestamp(at, UTC).isoformat()
    return Event({"seq": int(at * 1000), "ts": ts, "kind": kind, "member": name, **fields})


def story() -> list[Event]:
    """The true events of the past."""
    return [
        event("raft.candidate", 1000.4, "infra1", term=2, pre_vote=False),
        event("raft.leader_elected", 1000.5, "infra1", term=2),
        event("process.exited", KILLED + 0.05, "infra1", pid=10),
        event("raft.candidate", ELECTED - 0.03, "infra2", term=2, pre_vote=True),
        event("raft.candidate", ELECTED - 0.02, "infra2", term=3, pre_vote=False),
        event("raft.leader_elected", ELECTED, "infra2", term=3),
    ]
