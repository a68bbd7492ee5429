"""What the members' logs say about leadership, at once and without asking anybody.

Lines of several logs are taken in the order in which they were written, not in which they were read.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct

from etcd_sandbox.cluster.roster import Roster
from etcd_sandbox.etcd.raftlog import Sign, SignKind
from etcd_sandbox.model.event import Kind
from etcd_sandbox.supervise.bus import Bus

HOLD_S = 0.05
"""How long a line waits for earlier ones from other logs. A busy supervisor reads many logs at once."""

_EARLIEST_US, _LATEST_US = 10_000_000, 5_000
"""A line says when it was written; one that says something impossible was written when it was read."""

_RANK = {SignKind.BECAME_CANDIDATE: 0, SignKind.BECAME_LEADER: 1}
_OTHER_RANK = 2

Take = Callable[[str, Sign, int], None]


class Heard(Struct, frozen=True):
    """A sign in the log of a process; `read_us` is when it was read, in microseconds since the epoch."""

    process: str
    sign: Sign
    read_us: int

    @property
    def is_exact(self) -> bool:
        """It says when it was written, and that can be."""
        said = self.sign.time_us
        return said is not None and -_EARLIEST_US <= said - self.read_us <= _LATEST_US

    @property
    def at_us(self) -> int:
        """When it was written, by its own word; when it was read, where it does not say so exactly."""
        said = self.sign.time_us
        return min(said, self.read_us) if said is not None and self.is_exact else self.read_us


def in_order(heard: Sequence[Heard]) -> list[Heard]:
    """These in the order in which they were written; those of one process keep theirs.

    At the same moment the lower term comes first, and who stands before who is elected.
    """
    found = []
    first_us = min((each.read_us for each in heard), default=0)
    for process in {each.process: None for each in heard}:
        latest, keyed = 0, []
        for each in heard:
            if each.process == process:
                # What tells no exact time may have been written at any time of these.
                latest = max(latest, each.at_us if each.is_exact else first_us)
                keyed.append(((latest, *_causal(each.sign)), each))
        found.append(keyed)
    return [each for _, each in heapq.merge(*found, key=lambda entry: entry[0])]


def _causal(sign: Sign) -> tuple[int, bool, int]:
    return (sign.term or 0, not sign.pre_vote, _RANK.get(sign.kind, _OTHER_RANK))


class LogOrder:
    """Holds signs back for a moment, and hands them on in order with the moment of each."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._held: list[Heard] = []
        self._timer: asyncio.TimerHandle | None = None

    def hold(self, process: str, sign: Sign, read_us: int) -> None:
        """It is handed on in a moment."""
        self._held.append(Heard(process, sign, read_us))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HOLD_S, self.flush)

    def flush(self) -> None:
        """Hand on what is held, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        held, self._held = self._held, []
        for each in in_order(held):
            self._take(each.process, each.sign, each.at_us)


Watcher = Callable[[float, str | None], None]
"""Is told from which moment (monotonic seconds) who leads, by process name, or nobody."""


class View(Struct, frozen=True):
    """Whom one member follows by its own log, by member ID (None: nobody), and its term."""

    leader: str | None
    term: int | None


class RaftWatch:
    """Turns the signs in the logs into `raft.*` events, each told once however many members log it.

    `leader` is the process whose member leads as far as the logs say, `term` the highest term
    that was seen, `leads_since` the moment since when. A leader is lost when it says so itself, or when
    too few follow it; `leaderless_since` is when that was, or when it could lead no more (see
    `disabled`), None while one leads or none ever did.
    """

    def __init__(self, roster: Roster, bus: Bus) -> None:
        self._roster = roster
        self._bus = bus
        self._order = LogOrder(self.take)
        bus.before(self._order.flush)
        self.leader: str | None = None
        self.term = 0
        self.leads_since = 0.0
        self.leaderless_since: float | None = None
        self._terms: dict[str, int] = {}
        self._watchers: list[Watcher] = []
        self._elected: tuple[int, str] | None = None
        self._lost: tuple[int, str] | None = None
        self._stepped_down = False
        self._strayed: set[str] = set()
        self._gone: set[str] = set()
        self._transfer: tuple[str, str] | None = None
        self._before: str | None = None
        self._views: dict[str, View] = {}
        self._stood: dict[int, list[str]] = {}

    @contextmanager
    def watched(self, watcher: Watcher) -> Iterator[None]:
        """Within, `watcher` is told each time who leads from now on."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def term_of(
        self, process: str, leader: str | None, said: int | None, *, leads: bool = False
    ) -> int | None:
        """The term in which a member said that `leader` leads; None while that is not known.

        An answer has the term of the last entry that was applied (`said`), and lags behind an election; the log
        has the true one, where both name one leader. A member whose log tells no terms has that of its answer.
        """
        self.flush()
        if process not in self._terms:
            return said or None
        view = self._views.get(process)
        if leader != (view.leader if view is not None else None):
            return None
        if leads and view is not None:
            return view.term if (view.term or 0) >= (said or 0) else None
        return max(said or 0, self._terms[process]) or None

    def hear(self, process: str, sign: Sign) -> None:
        """A sign was read in the log of `process`: it is noted in a moment, after earlier ones of others."""
        self._order.hold(process, sign, time.time_ns() // 1000)

    def flush(self) -> None:
        """Note now what was read."""
        self._order.flush()

    def take(self, process: str, sign: Sign, at_us: int | None = None) -> None:
        """Note one sign in the log of `process`, written at that microsecond since the epoch, or now."""
        at_us = time.time_ns() // 1000 if at_us is None else at_us
        self._gone.discard(process)
        self._note_view(process, sign)
        term = sign.term or 0
        if sign.term is not None and not sign.pre_vote:
            self._terms[process] = max(term, self._terms.get(process, 0))
        match sign.kind:
            case SignKind.BECAME_CANDIDATE:
                self._candidate(process, sign, at_us)
            case SignKind.BECAME_LEADER if sign.member_id is not None:
                self._roster.learn(process, sign.member_id)
                self._leads(process, sign.member_id, term, at_us)
            case SignKind.ELECTED | SignKind.CHANGED_LEADER if sign.leader_id is not None:
                self._leads(process, sign.leader_id, term, at_us)
            case SignKind.LOST_LEADER if sign.leader_id is not None:
                self._loses(sign.leader_id, term, process, at_us)
            case SignKind.STEPPED_DOWN if sign.member_id is not None:
                self._loses(sign.member_id, self.term, process, at_us)
            case SignKind.TRANSFER_STARTED if sign.member_id and sign.leader_id:
                self._transfers(sign.member_id, sign.leader_id, at_us)
            case _:
                pass

    def view(self, process: str) -> View | None:
        """Whom the member follows by its own log; None where its log has said nothing yet."""
        self.flush()
        return self._views.get(process)

    def _note_view(self, process: str, sign: Sign) -> None:
        match sign.kind:
            case SignKind.BECAME_LEADER:
                leader = sign.member_id
            case SignKind.ELECTED | SignKind.CHANGED_LEADER:
                leader = sign.leader_id
            case SignKind.LOST_LEADER | SignKind.STEPPED_DOWN:
                leader = None
            case SignKind.BECAME_CANDIDATE if not sign.pre_vote:
                leader = None
            case _:
                return
        before = self._views.get(process)
        term = sign.term or (before.term if before is not None else None)
        self._views[process] = View(leader=leader, term=term)

    def gone(self, process: str) -> None:
        """The process has ended: it leads no more, and follows nobody."""
        self._views.pop(process, None)
        self._gone.add(process)
        self._terms.pop(process, None)
        if self.leader == process:
            self._now_leads(None, time.monotonic())

    def disabled(self, process: str, moment: float) -> None:
        """It can lead no more from that moment on, though no log says so yet."""
        if self.leader == process and self.leaderless_since is None:
            self.leaderless_since = moment

    def leads_on(self, process: str, asked: float) -> None:
        """It leads, by answers to questions of that moment: it was healed before anybody lost it."""
        if self.leader == process and (self.leaderless_since or asked) < asked:
            self.leaderless_since = None

    def _now_leads(self, process: str | None, moment: float) -> None:
        self.leader = process
        if process is not None:
            self.leads_since, self.leaderless_since = moment, None
        elif self.leaderless_since is None:
            self.leaderless_since = moment
        for watcher in self._watchers:
            watcher(moment, process)

    def _candidate(self, process: str, sign: Sign, at_us: int) -> None:
        term, name = sign.term or 0, self._name(process)
        if not sign.pre_vote:
            self._tell_split_votes(term, at_us)
            stood = self._stood.setdefault(term, [])
            if name not in stood:
                stood.append(name)
        self._bus.publish_at(at_us, Kind.CANDIDATE, name, term=sign.term, pre_vote=sign.pre_vote)

    def _tell_split_votes(self, term: int, at_us: int) -> None:
        """Of the terms before that one it is known now that nobody was elected in them."""
        for before in sorted(each for each in self._stood if each < term):
            names = self._stood.pop(before)
            if len(names) > 1 and (self._elected is None or self._elected[0] < before):
                self._bus.publish_at(at_us, Kind.SPLIT_VOTE, term=before, candidates=names)

    def _leads(self, process: str, member_id: str, term: int, at_us: int) -> None:
        if term < self.term:
            return
        if self._elected == (term, member_id):
            self._strayed.discard(process)
            self._found_again(process, at_us)
            return
        self._before = self._elected[1] if self._elected is not None else None
        self._tell_split_votes(term, at_us)
        self._stood.pop(term, None)
        self._elected = (term, member_id)
        self._strayed.clear()
        self.term = term
        leaderless_since, moment = self.leaderless_since, monotonic_of(at_us)
        leader = self._roster.process_of(member_id)
        self._now_leads(leader, moment)
        after: dict[str, object] = {}
        if leaderless_since is not None:
            after["after_s"] = round(max(0.0, moment - leaderless_since), 3)
        self._bus.publish_at(
            at_us, Kind.LEADER_ELECTED, self._roster.name_of(member_id), term=term, **after
        )
        if self._transfer is not None and self._transfer[1] == member_id:
            self._tell_transfer(*self._transfer, at_us)
        self._transfer = None

    def _found_again(self, process: str, at_us: int) -> None:
        """A leader that hung, and was lost to too many, is followed by enough of them again: no election was needed.

        One that stepped down is not: what a follower still hears of it is old.
        """
        assert self._elected is not None
        leader = self._roster.process_of(self._elected[1])
        if self._lost != self._elected or self._stepped_down or leader in (None, process):
            return
        still = len(self._roster) - len(self._strayed | self._gone)
        if leader not in self._gone and still > len(self._roster) // 2:
            self._lost = None
            self._now_leads(leader, monotonic_of(at_us))

    def _transfers(self, giver: str, taker: str, at_us: int) -> None:
        if self._elected is not None and (giver, taker) == (self._before, self._elected[1]):
            # The new leader's log came first, and told that it leads.
            self._tell_transfer(giver, taker, at_us)
        else:
            self._transfer = (giver, taker)

    def _tell_transfer(self, giver: str, taker: str, at_us: int) -> None:
        self._before = None
        before, name = self._roster.name_of(giver), self._roster.name_of(taker)
        self._bus.publish_at(
            at_us,
            Kind.LEADER_TRANSFERRED,
            name,
            term=self.term,
            **{"from": before, "to": name},
        )

    def _loses(self, member_id: str, term: int, seen_by: str, at_us: int) -> None:
        if self._elected is None or self._elected[1] != member_id:
            return
        lost = self._elected
        if self._lost == lost and seen_by == self._roster.process_of(member_id):
            self._stepped_down = True
        if term >= lost[0]:
            self._strayed.add(seen_by)
        if self._lost == lost or term < lost[0]:
            return
        leader = self._roster.process_of(member_id)
        still = len(self._roster) - len(self._strayed | self._gone)
        if seen_by != leader and leader not in self._gone and still > len(self._roster) // 2:
            # One member that was cut off has lost its leader; the cluster has not.
            return
        self._lost, self._stepped_down = lost, seen_by == leader
        if self.leader == leader:
            self._now_leads(None, monotonic_of(at_us))
        why: dict[str, object] = {}
        if seen_by == leader:
            why["why"] = "term" if term > lost[0] else "quorum"
        self._bus.publish_at(
            at_us,
            Kind.LEADER_LOST,
            self._roster.name_of(member_id),
            term=term,
            seen_by=self._name(seen_by),
            **why,
        )

    def _name(self, process: str) -> str:
        return self._roster.member(process).name


def monotonic_of(at_us: int) -> float:
    """That microsecond since the epoch on the monotonic clock."""
    return time.monotonic() - (time.time_ns() // 1000 - at_us) / 1_000_000
