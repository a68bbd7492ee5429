"""What the members' logs say about leadership, at once and without asking anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.cluster.roster import Roster
from sandbox.etcd.raftlog import Sign, SignKind
from sandbox.model.event import Kind
from sandbox.supervise.bus import Bus


@dataclass(frozen=True, slots=True)
class View:
    """Whom one member follows by its own log, by member ID (None: nobody), and its term."""

    leader: str | None
    term: int | None


class RaftWatch:
    """Turns the signs in the logs into `raft.*` events, each told once however many members log it.

    `leader` is the process whose member leads as far as the logs say, `term` the highest term
    that was seen. A leader is lost when it says so itself, or when too few follow it.
    """

    def __init__(self, roster: Roster, bus: Bus) -> None:
        self._roster = roster
        self._bus = bus
        self.leader: str | None = None
        self.term = 0
        self._watchers: list[Callable[[str | None], None]] = []
        self._elected: tuple[int, str] | None = None
        self._lost: tuple[int, str] | None = None
        self._strayed: set[str] = set()
        self._gone: set[str] = set()
        self._transfer: tuple[str, str] | None = None
        self._before: str | None = None
        self._views: dict[str, View] = {}

    @contextmanager
    def watched(self, watcher: Callable[[str | None], None]) -> Iterator[None]:
        """Within, `watcher` is told each time who leads from now on, by process name."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def take(self, process: str, sign: Sign) -> None:
        """Note one sign in the log of `process`."""
        self._gone.discard(process)
        self._note_view(process, sign)
        term = sign.term or 0
        match sign.kind:
            case SignKind.BECAME_CANDIDATE:
                self._candidate(process, sign)
            case SignKind.BECAME_LEADER if sign.member_id is not None:
                self._roster.learn(process, sign.member_id)
                self._leads(process, sign.member_id, term)
            case SignKind.ELECTED | SignKind.CHANGED_LEADER if sign.leader_id is not None:
                self._leads(process, sign.leader_id, term)
            case SignKind.LOST_LEADER if sign.leader_id is not None:
                self._loses(sign.leader_id, term, process)
            case SignKind.STEPPED_DOWN if sign.member_id is not None:
                self._loses(sign.member_id, self.term, process)
            case SignKind.TRANSFER_STARTED if sign.member_id and sign.leader_id:
                self._transfers(sign.member_id, sign.leader_id)
            case _:
                pass

    def view(self, process: str) -> View | None:
        """Whom the member follows by its own log; None where its log has said nothing yet."""
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
        if self.leader == process:
            self._now_leads(None)

    def _now_leads(self, process: str | None) -> None:
        self.leader = process
        for watcher in self._watchers:
            watcher(process)

    def _candidate(self, process: str, sign: Sign) -> None:
        if self._elected is not None and sign.member_id == self._elected[1]:
            # Another member's log came first and told who won: what led to it is no news any more.
            term = sign.term or 0
            if term < self._elected[0] or (term == self._elected[0] and not sign.pre_vote):
                return
        self._bus.publish(
            Kind.CANDIDATE,
            self._name(process),
            term=sign.term,
            pre_vote=sign.pre_vote,
        )

    def _leads(self, process: str, member_id: str, term: int) -> None:
        if term < self.term:
            return
        if self._elected == (term, member_id):
            self._strayed.discard(process)
            return
        self._before = self._elected[1] if self._elected is not None else None
        self._elected = (term, member_id)
        self._strayed.clear()
        self.term = term
        self._now_leads(self._roster.process_of(member_id))
        self._bus.publish(Kind.LEADER_ELECTED, self._roster.name_of(member_id), term=term)
        if self._transfer is not None and self._transfer[1] == member_id:
            self._tell_transfer(*self._transfer)
        self._transfer = None

    def _transfers(self, giver: str, taker: str) -> None:
        if self._elected is not None and (giver, taker) == (self._before, self._elected[1]):
            # The new leader's log came first, and told that it leads.
            self._tell_transfer(giver, taker)
        else:
            self._transfer = (giver, taker)

    def _tell_transfer(self, giver: str, taker: str) -> None:
        self._before = None
        before, name = self._roster.name_of(giver), self._roster.name_of(taker)
        self._bus.publish(
            Kind.LEADER_TRANSFERRED, name, term=self.term, **{"from": before, "to": name}
        )

    def _loses(self, member_id: str, term: int, seen_by: str) -> None:
        if self._elected is None or self._elected[1] != member_id:
            return
        lost = self._elected
        if self._lost == lost or term < lost[0]:
            return
        self._strayed.add(seen_by)
        leader = self._roster.process_of(member_id)
        still = len(self._roster) - len(self._strayed | self._gone)
        if seen_by != leader and leader not in self._gone and still > len(self._roster) // 2:
            # One member that was cut off has lost its leader; the cluster has not.
            return
        self._lost = lost
        if self.leader == leader:
            self._now_leads(None)
        self._bus.publish(
            Kind.LEADER_LOST,
            self._roster.name_of(member_id),
            term=term,
            seen_by=self._name(seen_by),
        )

    def _name(self, process: str) -> str:
        return self._roster.member(process).name
