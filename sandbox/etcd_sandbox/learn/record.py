"""What happened since a step began, told by the cluster's events, and in which words; the cluster then and now. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.state import (
    BootstrapStatus,
    ClusterStatus,
    MemberStatus,
    Peer,
    ProcessState,
)
from etcd_sandbox.verbs import PARTITION, VERBS
from etcd_sandbox.words import story


class What(StrEnum):
    """What can happen to members and between them, as a learner sees it."""

    KILLED = "killed"
    STOPPED = "stopped"
    ENDED = "ended"
    PAUSED = "paused"
    RESUMED = "resumed"
    STARTED = "started"
    PARTITIONED = "partitioned"
    CUT = "cut"
    SLOWED = "slowed"
    HEALED = "healed"
    QUORUM_LOST = "quorum lost"
    QUORUM_REGAINED = "quorum regained"
    ALARM_RAISED = "alarm"
    ALARM_CLEARED = "no alarm"
    ADDED = "added"
    REMOVED = "removed"
    UPGRADED = "upgraded"
    GONE = "gone"
    BROUGHT_UP = "brought up"

    @classmethod
    def _missing_(cls, value: object) -> What | None:
        """What a verb does that has no line above is known by its declared word."""
        word = next((verb.past for verb in VERBS.values() if verb.past == value), None)
        if word is None:
            return None
        what = str.__new__(cls, word)
        what._name_, what._value_ = word.upper(), word
        return cls._value2member_map_.setdefault(word, what)  # type: ignore[return-value]


_BREAKS = (What.KILLED, What.STOPPED, What.ENDED, What.PAUSED, What.PARTITIONED, What.CUT)
_GRACEFUL = ("SIGTERM", "SIGINT")

_PLAINLY = {
    Kind.PROCESS_STARTED: What.STARTED,
    Kind.QUORUM_LOST: What.QUORUM_LOST,
    Kind.QUORUM_REGAINED: What.QUORUM_REGAINED,
    Kind.ALARM_RAISED: What.ALARM_RAISED,
    Kind.ALARM_CLEARED: What.ALARM_CLEARED,
    Kind.MEMBER_ADDED: What.ADDED,
    Kind.MEMBER_REMOVED: What.REMOVED,
    Kind.MEMBER_UPGRADED: What.UPGRADED,
}
"""Events that tell by their kind alone what happened to their member."""

_FOUND_WITHIN_S = 5.0
"""How long a member may hang from elsewhere until a look finds it; the election takes about one."""


class Incident(Struct, frozen=True, kw_only=True):
    """One thing that happened to `who`; `led`: one of them was the leader, or had just handed over.

    `other` is the other side of a fault on links. `at_s` is in seconds since the epoch, `fields`
    are the event's own. A cluster as a whole is gone or brought up, and then has its `bootstrap`.
    """

    what: What
    who: tuple[str, ...]
    at_s: float
    led: bool = False
    other: tuple[str, ...] = ()
    fields: dict[str, object] = field(default_factory=dict)
    bootstrap: BootstrapStatus | None = None

    @property
    def words(self) -> str:
        """A clause for the learner: `infra2 was killed, and it was the leader`."""
        names = ", ".join(self.who)
        was = "were" if len(self.who) > 1 else "was"
        leader = ", and it was the leader" if self.led else ""
        match self.what:
            case What.STOPPED if self.led:
                return f"{names} was stopped, and handed leadership over before it went"
            case What.ENDED:
                return f"{names} ended by itself{leader}"
            case _ if self.fields.get("one_way") and self.what is not What.HEALED:
                return story.sentence({**self.fields, "kind": Kind.FAULT_APPLIED})
            case What.PARTITIONED:
                return f"{names} {was} cut off from {', '.join(self.other)}"
            case What.CUT:
                return f"the link between {names} and {', '.join(self.other)} was cut"
            case _ if self.other:
                return f"the links of {names} were {self.what.value}"
            case What.ADDED:
                learner = self.fields.get("learner")
                return f"{names} was added {'as a learner' if learner else 'with a vote'}"
            case What.UPGRADED:
                before, after = (self.fields.get(key) for key in ("from", "to"))
                return f"{names} was brought from etcd {before} to {after}"
            case What.ALARM_RAISED:
                return f"{names} raised the alarm {self.fields.get('alarm')}"
            case What.ALARM_CLEARED:
                return f"{names} cleared the alarm {self.fields.get('alarm')}"
            case What.QUORUM_LOST | What.QUORUM_REGAINED:
                lost = self.what is What.QUORUM_LOST
                kind = Kind.QUORUM_LOST if lost else Kind.QUORUM_REGAINED
                return story.sentence({**self.fields, "kind": kind})
            case What.BROUGHT_UP if self.bootstrap is not None:
                how = f"{told_by(self.bootstrap)}, and {made_of(self.bootstrap)}"
                return f"the cluster was brought up again: {how}"
            case _:
                return f"{names} was {self.what.value}{leader}"


class Election(Struct, frozen=True, kw_only=True):
    """A member came to lead. `after_s`: since the leader before was hit, None where none was.

    `by` handed leadership over; None for an election after a loss.
    """

    member: str
    term: int
    after_s: float | None
    by: str | None = None

    @property
    def words(self) -> str:
        """A clause for the learner: `infra3 leads in term 4 after 1.31 s`."""
        words = f"{self.member} leads in term {self.term}"
        if self.by is not None:
            return f"{words}, by a hand-over: nobody had to wait for an election timeout"
        return f"{words} after {self.after_s:.2f} s" if self.after_s is not None else words


class Record(Struct):
    """Folds events into incidents and elections; `leader` is who leads by the events so far.

    `stood` has the highest term in which each member stood for election: what a member answers of
    its term rises only when it follows or leads.
    """

    leader: str | None = None
    incidents: list[Incident] = field(default_factory=list)
    elections: list[Election] = field(default_factory=list)
    hanging: dict[str, int] = field(default_factory=dict)
    stood: dict[str, int] = field(default_factory=dict)
    _removed: set[str] = field(default_factory=set)
    _handed_over: str | None = None
    _lost_s: float | None = None
    _led_until: tuple[str, float] | None = None
    """Who led before, and until when, where nobody knows why it does not any more."""

    def take(self, event: Event) -> None:
        """Add one event."""
        at_s = datetime.fromisoformat(event.ts).timestamp()
        fields = event.fields
        match event.kind:
            case Kind.LEADER_ELECTED if event.member is not None:
                self._elected(event.member, int(str(fields.get("term") or 0)), at_s)
            case Kind.LEADER_TRANSFERRED:
                self._transferred(str(fields.get("from")), fields.get("term"))
            case Kind.CANDIDATE if event.member is not None and not fields.get("pre_vote"):
                term = int(str(fields.get("term") or 0))
                self.stood[event.member] = max(term, self.stood.get(event.member, 0))
            case Kind.LEADER_LOST:
                self._lost_s = self._lost_s or at_s
                self._leads_no_more(at_s)
            case Kind.PROCESS_EXITED if event.member in self._removed:
                pass  # It ends by itself: that is what it is to be removed.
            case Kind.PROCESS_EXITED if event.member is not None:
                self._add(_way_out(fields), (event.member,), at_s, fields)
            case Kind.FAULT_APPLIED | Kind.FAULT_PASSED | Kind.FAULT_HEALED:
                self._fault(event, at_s)
            case Kind.QUORUM_LOST | Kind.QUORUM_REGAINED:
                self._add(_PLAINLY[event.kind], (), at_s, fields)
            case kind if kind in _PLAINLY and event.member is not None:
                if kind is Kind.PROCESS_STARTED:
                    self._removed.discard(event.member)
                elif kind is Kind.MEMBER_REMOVED:
                    self._removed.add(event.member)
                self._add(_PLAINLY[kind], (event.member,), at_s, fields)

    def take_hanging(self, pids: Mapping[str, int], at_s: float) -> None:
        """These members hang, and not by our verb: a SIGSTOP from elsewhere tells no event.

        So it is found late, and the loss of a leader that hangs may have been told before it.
        """
        for name in sorted(pids.keys() - self.hanging.keys()):
            fields: dict[str, object] = {"outside": True, "pid": pids[name]}
            self._add(What.PAUSED, (name,), at_s, fields, led=self._led_lately(name, at_s))
        for name in sorted(self.hanging.keys() - pids.keys()):
            self._add(What.RESUMED, (name,), at_s, {})
        self.hanging = dict(pids)

    def brought_up(self, bootstrap: BootstrapStatus, at_s: float) -> None:
        """The cluster was brought up again: none of it is what was there before."""
        self.leader = self._handed_over = self._lost_s = self._led_until = None
        self.hanging, self.stood, self._removed = {}, {}, set()
        self.incidents.append(
            Incident(what=What.BROUGHT_UP, who=(), at_s=at_s, bootstrap=bootstrap)
        )

    def _add(
        self,
        what: What,
        who: tuple[str, ...],
        at_s: float,
        fields: dict[str, object],
        other: tuple[str, ...] = (),
        *,
        led: bool = False,
    ) -> None:
        hit = self.leader is not None and self.leader in (*who, *other)
        led = led or hit or (what is What.STOPPED and self._handed_over in who)
        self.incidents.append(
            Incident(what=what, who=who, at_s=at_s, led=led, other=other, fields=fields)
        )
        if hit and what in _BREAKS:
            self._lost_s = at_s
            if what in (What.KILLED, What.STOPPED, What.ENDED):
                self.leader = None

    def _fault(self, event: Event, at_s: float) -> None:
        applied = event.kind is not Kind.FAULT_HEALED
        verb = VERBS.get(str(event.fields.get("fault")), PARTITION)
        what = What(verb.past if applied else VERBS[verb.undone_by].past)
        if verb.targets.has_sides:
            side, other = (_names(event.fields.get(key)) for key in ("members", "versus"))
            self._add(what, side, at_s, event.fields, other)
        else:
            who = str(event.member or event.fields.get("process"))
            self._add(what, (who,), at_s, event.fields)

    def _elected(self, member: str, term: int, at_s: float) -> None:
        lost_s = self._lost_s
        after_s = None if lost_s is None else max(0.0, at_s - lost_s)
        self.elections.append(Election(member=member, term=term, after_s=after_s))
        self._leads_no_more(at_s)
        self.leader, self._lost_s, self._handed_over = member, None, None

    def _transferred(self, by: str, term: object) -> None:
        self._handed_over, self._led_until = by, None
        if self.elections and self.elections[-1].term == term:
            self.elections[-1] = replace(self.elections[-1], by=by)

    def _leads_no_more(self, at_s: float) -> None:
        if self.leader is not None:
            self._led_until = (self.leader, at_s)
        self.leader = None

    def _led_lately(self, name: str, at_s: float) -> bool:
        if self._led_until is None:
            return False
        who, until_s = self._led_until
        return name == who and at_s - until_s < _FOUND_WITHIN_S


def _way_out(fields: dict[str, object]) -> What:
    # A stop that had to be finished by SIGKILL is forgiven: it was a stop.
    if fields.get("expected") or fields.get("signal") in _GRACEFUL:
        return What.STOPPED
    return What.KILLED if fields.get("signal") == "SIGKILL" else What.ENDED


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


_TOLD_BY = {
    Bootstrap.STATIC: "the members were told of each other by a static list",
    Bootstrap.DISCOVERY: "the members were introduced by a discovery service",
    Bootstrap.DNS: "the members found each other by DNS SRV records",
}


def told_by(bootstrap: BootstrapStatus) -> str:
    """How the members found each other."""
    return _TOLD_BY[bootstrap.way]


def made_of(bootstrap: BootstrapStatus) -> str:
    """What the members are."""
    runtime = bootstrap.runtime
    what = f"container of {runtime}" if runtime.containers else "process"
    return f"each member is a {what}"


def leader_words(status: ClusterStatus) -> str:
    """Who leads now: `infra3 leads in term 4`; without the term where that is not known."""
    leads = f"{status.leader} leads"
    return leads if status.term is None else f"{leads} in term {status.term}"


Pairs = tuple[tuple[str, str], ...]
"""Keys with their values, by key."""


class Known(Struct, frozen=True, kw_only=True):
    """What a member says beside its status, where a condition asked for it; None where none did.

    `listed` is etcd's own list of members, `cluster_version` what they have agreed on (`3.5.0`).
    """

    listed: tuple[Peer, ...] | None = None
    cluster_version: str | None = None


class View(Struct, frozen=True, kw_only=True):
    """`keys` are the answers to what was asked of the keys, by prefix or key."""

    status: ClusterStatus
    began: ClusterStatus
    record: Record
    keys: Mapping[str, Pairs] = field(default_factory=dict)
    known: Known = Known()

    @property
    def whole(self) -> bool:
        """Whether the cluster is whole, and no member hangs by a SIGSTOP from elsewhere."""
        return is_whole(self.status, self.record.hanging)

    def member(self, name: str) -> MemberStatus | None:
        return next((each for each in self.status.members if each.name == name), None)


def is_whole(status: ClusterStatus, hanging: Collection[str] = ()) -> bool:
    """Every member that was not removed runs and is healthy, no alarm is up, nothing is broken on purpose."""
    return (
        not status.faults
        and not hanging
        and not status.alarms
        and status.leader is not None
        and all(each.healthy and each.state is ProcessState.RUNNING for each in members_of(status))
    )


def members_of(status: ClusterStatus) -> tuple[MemberStatus, ...]:
    return tuple(each for each in status.members if each.state is not ProcessState.REMOVED)
