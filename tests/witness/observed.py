"""What the witness saw: values with the times at which they were true, in seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample(Generic[T]):
    """One look: `value` was true at some moment between `sent` and `received`."""

    sent: float
    received: float
    value: T


class Outcome(StrEnum):
    """How a request of the witness ended. `REFUSED`: the member answered, and did not do it."""

    SERVED = "served"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One read or write of the witness through the member `member`."""

    member: str
    sent: float
    ended: float
    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a member says of itself (`/v3/maintenance/status`); `refused` where it says no more."""

    member_id: str = ""
    leader: str | None = None
    term: int = 0
    revision: int = 0
    learner: bool = False
    version: str = ""
    alarms: frozenset[str] = frozenset()
    refused: bool = False

    @property
    def leads(self) -> bool:
        """It says that it leads itself."""
        return self.leader is not None and self.leader == self.member_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One member on etcd's own list; `name` is empty while it has never started."""

    id: str
    name: str
    learner: bool
    client_urls: tuple[str, ...] = ()
    peer_urls: tuple[str, ...] = ()


MemberList = frozenset[Entry]


class Pulse(StrEnum):
    """What the process table says of a member's process."""

    ALIVE = "alive"
    STOPPED = "stopped"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A member's process in the process table: `pid` and when it was made, None where there is none."""

    pulse: Pulse
    pid: int | None = None
    created: float | None = None


class SignKind(StrEnum):
    """What a line in a member's log tells of leadership."""

    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    BECAME_LEADER = "leader"
    BECAME_FOLLOWER = "follower"
    STEPPED_DOWN = "stepped down"
    FOUND_LEADER = "found leader"
    LOST_LEADER = "lost leader"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSign:
    """A line in the log of `member` (`id`), at etcd's own time. `leader` is the one found or lost."""

    ts: float
    member: str
    id: str
    kind: SignKind
    term: int | None = None
    leader: str | None = None


@dataclass(slots=True)
class Watch:
    """All that was seen, in the order in which it was seen; grown by the observer alone.

    `late` has the moments at which the witness itself was behind its own clock, and by how much.
    """

    began: float
    names: dict[str, str] = field(default_factory=dict)
    reads: list[Attempt] = field(default_factory=list)
    writes: list[Attempt] = field(default_factory=list)
    answers: dict[str, list[Sample[Answer | None]]] = field(default_factory=dict)
    lists: list[Sample[MemberList]] = field(default_factory=list)
    pulses: dict[str, list[Sample[Seen]]] = field(default_factory=dict)
    signs: list[LogSign] = field(default_factory=list)
    late: list[tuple[float, float]] = field(default_factory=list)
