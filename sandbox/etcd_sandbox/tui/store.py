"""What the dashboard knows: fed with answers, events and buckets, read by the widgets. No Textual here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.service import BUCKET_S, UNNOTICED_S, Bucket, Served
from etcd_sandbox.model.state import ClusterStatus, MemberStatus, ProcessStatus
from etcd_sandbox.words import story

BUCKETS_KEPT = 6000
"""Ten minutes."""

EVENTS_KEPT = 1000
OUTAGES_KEPT = 1000

_BUCKET_US = round(BUCKET_S * 1_000_000)
_GAP_US = 1_000_000

_MARKED = frozenset(
    {
        Kind.LEADER_ELECTED,
        Kind.FAULT_APPLIED,
        Kind.FAULT_PASSED,
        Kind.FAULT_HEALED,
        Kind.PROCESS_EXITED,
        Kind.QUORUM_LOST,
        Kind.QUORUM_REGAINED,
    }
)


class Outage(Struct, frozen=True, kw_only=True):
    """A time in which no read was served, and some failed: from the last one that was to the next.

    `began_us` and `ended_us` (None while it lasts) are in microseconds since the epoch.
    """

    began_us: int
    ended_us: int | None
    seconds: float


class TimedEvent(Struct, frozen=True, kw_only=True):
    """An event with the seconds since the one before; None for the first."""

    event: Event
    after_s: float | None


class Store(Struct):
    """The cluster as the dashboard last heard of it.

    Each kind of news has a number that rises when it comes, so that a widget can tell whether
    there is anything to paint. `connected` is False while the supervisor does not answer.
    """

    cluster: str
    connected: bool = False
    trouble: str = ""
    status: ClusterStatus | None = None
    events: deque[TimedEvent] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    buckets: deque[Bucket] = field(default_factory=lambda: deque(maxlen=BUCKETS_KEPT))
    outages: deque[Outage] = field(default_factory=lambda: deque(maxlen=OUTAGES_KEPT))
    status_news: int = 0
    event_news: int = 0
    bucket_news: int = 0
    _served_us: int | None = None
    _asked: story.Asked = field(default_factory=dict)

    @property
    def members(self) -> tuple[MemberStatus, ...]:
        return self.status.members if self.status is not None else ()

    @property
    def lacks_members(self) -> bool:
        """Whether the cluster has no etcd; False before the first answer."""
        return self.status is not None and not self.status.members

    @property
    def processes(self) -> tuple[ProcessStatus, ...]:
        return self.status.processes if self.status is not None else ()

    @property
    def names(self) -> list[str]:
        """All processes by name, in the order of the tables: members first."""
        return [member.process for member in self.members] + [each.name for each in self.processes]

    def entry(self, process: str | None) -> MemberStatus | ProcessStatus | None:
        for member in self.members:
            if member.process == process:
                return member
        return next((each for each in self.processes if each.name == process), None)

    def take_status(self, status: ClusterStatus) -> None:
        self.connected, self.trouble = True, ""
        self.status = status
        self.status_news += 1
        if self.lacks_members:
            self.outages.clear()

    def lose(self, trouble: str) -> None:
        """Note that the supervisor does not answer; what was known stays, and is shown as old."""
        self.connected, self.trouble = False, trouble
        self.status_news += 1

    def take_event(self, event: Event) -> None:
        if (again := story.asked_again(event.to_wire(), self._asked)) > 1:
            self._drop_earlier(event, again - 1)
        if again:
            event = replace(event, fields={**event.fields, "again": again})
        after_s = None
        if self.events:
            after = _moment(event) - _moment(self.events[-1].event)
            # What was written down earlier may be read later.
            after_s = max(0.0, after.total_seconds())
        self.events.append(TimedEvent(event=event, after_s=after_s))
        self.event_news += 1

    def _drop_earlier(self, event: Event, again: int) -> None:
        """Drop what was said of a member's earlier requests: the newest stands for all of them."""
        for at in reversed(range(len(self.events))):
            earlier = self.events[at].event
            if earlier.member == event.member and earlier.fields.get("again") == again:
                del self.events[at]
                return

    def take_bucket(self, bucket: Bucket) -> None:
        before_us = self.buckets[-1].time_us if self.buckets else bucket.time_us
        self.buckets.append(bucket)
        self.bucket_news += 1
        if self.lacks_members:
            return
        going_on = self.outages.pop() if self.outages and not self.outages[-1].ended_us else None
        if bucket.time_us - before_us > _GAP_US:
            # Nobody was asked for a while: nothing is known of that time.
            self._served_us = None
            if going_on is not None:
                self._end(going_on, before_us + _BUCKET_US)
                going_on = None
        until_us = bucket.time_us + _BUCKET_US
        match bucket.read:
            case Served.YES | Served.LATE:
                if going_on is not None:
                    self._end(going_on, bucket.first_read_us or bucket.time_us)
                self._served_us = bucket.last_read_us
            case Served.NO:
                began_us = self._served_us or bucket.time_us
                went_on = going_on or Outage(began_us=began_us, ended_us=None, seconds=0.0)
                self.outages.append(_lasting(went_on, until_us))
            case _ if going_on is not None:
                self.outages.append(_lasting(going_on, until_us))

    def _end(self, outage: Outage, ended_us: int) -> None:
        """End an outage, and forget it if nobody would have noticed."""
        ended = replace(_lasting(outage, ended_us), ended_us=ended_us)
        if ended_us - outage.began_us >= UNNOTICED_S * 1_000_000:
            self.outages.append(ended)

    def marks(self) -> Iterator[tuple[int, Event]]:
        """The events that belong on the time line, with their time in microseconds."""
        for each in self.events:
            if each.event.kind in _MARKED:
                yield int(_moment(each.event).timestamp() * 1_000_000), each.event


def _lasting(outage: Outage, until_us: int) -> Outage:
    return replace(outage, seconds=round((until_us - outage.began_us) / 1_000_000, 1))


def _moment(event: Event) -> datetime:
    return datetime.fromisoformat(event.ts)
