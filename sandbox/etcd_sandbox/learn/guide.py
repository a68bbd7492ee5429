"""Follows a learner through the steps of a lesson: what was seen, what went another way. Pure.

It is fed with the cluster's events and answers, whoever asks for them, and says what to tell the
learner; the guide in the terminal, the dashboard's panel and the check are its users.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct, field

from etcd_sandbox.etcd.version import series
from etcd_sandbox.learn.condition import Asks, Condition
from etcd_sandbox.learn.lesson import Step
from etcd_sandbox.learn.record import (
    Incident,
    Known,
    Pairs,
    Record,
    View,
    What,
    is_whole,
    members_of,
)
from etcd_sandbox.model.event import Event
from etcd_sandbox.model.state import BootstrapStatus, ClusterStatus
from etcd_sandbox.verbs import REMOVE, REPLACE, VERBS

_NOTHING = Known()


class Tone(StrEnum):
    """What a sentence is for: it was seen, it went another way, it is mended."""

    SEEN = "seen"
    ODD = "odd"
    MENDED = "mended"


class Said(Struct, frozen=True, kw_only=True):
    """A sentence for the learner, and the command that brings back what is missing."""

    tone: Tone
    text: str
    remedy: str = ""


class Progress(Struct):
    """Where a step stands: which incidents were looked at, and whether it was seen to be done.

    `uncalled` are members that nobody asked for.
    """

    began: ClusterStatus
    record: Record
    seen: int = 0
    looked_at: bool = False
    done: bool = False
    astray: bool = False
    uncalled: set[str] = field(default_factory=set)

    def is_back(self, status: ClusterStatus) -> bool:
        """The cluster is whole, and has the members that it had."""
        there, had = (_names(each) for each in (status, self.began))
        return (
            is_whole(status, self.record.hanging)
            and had <= there
            and there.isdisjoint(self.uncalled)
        )


class Guide:
    """One step after another. `begin` each, feed it, `look`, and go on when it is `done`."""

    def __init__(self, steps: Iterable[Step], at: int = 0) -> None:
        self.steps = tuple(steps)
        self.at = min(at, len(self.steps))
        self._now: Progress | None = None
        self._supervisor: int | None = None
        self._last_seq = 0
        self._hanging: dict[str, int] = {}

    @property
    def step(self) -> Step | None:
        """The step under way; None behind the last."""
        return self.steps[self.at] if self.at < len(self.steps) else None

    @property
    def done(self) -> bool:
        return self._now is not None and self._now.done

    def has_taken(self, supervisor: int, seq: int) -> bool:
        """Whether the supervisor's events were taken up to this number."""
        return self._supervisor == supervisor and self._last_seq >= seq

    @property
    def asked(self) -> tuple[Condition, ...]:
        """The conditions that need keys to be read."""
        return tuple(
            each for each in (self.step.until if self.step else ()) if each.key or each.prefix
        )

    @property
    def asks(self) -> frozenset[Asks]:
        until = self.step.until if self.step else ()
        return frozenset(each.asks for each in until if each.asks is not None)

    def begin(self, status: ClusterStatus) -> None:
        """Begin the step: what happened before does not count."""
        record = Record(leader=status.leader, hanging=self._hanging)
        self._now = Progress(began=status, record=record)

    def go(self, at: int) -> None:
        self.at = max(0, min(at, len(self.steps)))
        self._now = None

    def meet(self, supervisor: int, bootstrap: BootstrapStatus, at_s: float) -> None:
        """Take events from the supervisor with this pid from now on; another pid means that the cluster was brought up again."""
        if supervisor == self._supervisor:
            return
        # A new supervisor tells nothing of the past, and may number its events from one again.
        self._supervisor, self._last_seq = supervisor, 0
        if self._now is not None:
            self._now.record.brought_up(bootstrap, at_s)

    def gone(self, enter: str) -> Said:
        """What to say of a cluster that does not run; `enter` is what the learner presses."""
        if _means_to_take_down(self.step):
            text = "the cluster is down, and this step brings it up again"
            return Said(tone=Tone.SEEN, text=f"{text}; {enter} goes back to where the step began")
        text = f"the lesson's cluster does not run any more; {enter} brings it up again"
        return Said(tone=Tone.ODD, text=text)

    def take_event(self, event: Event) -> None:
        if event.seq <= self._last_seq:
            return
        self._last_seq = event.seq
        if self._now is not None:
            self._now.record.take(event)

    def take_hanging(self, pids: Mapping[str, int], at_s: float) -> None:
        """Note which members hang by a SIGSTOP that was not ours, with their pids."""
        self._hanging = dict(pids)
        if self._now is not None:
            self._now.record.take_hanging(pids, at_s)

    def looked(self) -> None:
        if self._now is not None:
            self._now.looked_at = True

    def look(
        self, status: ClusterStatus, keys: Mapping[str, Pairs], known: Known = _NOTHING
    ) -> list[Said]:
        """What there is to say now; each thing is said once."""
        step, now = self.step, self._now
        if step is None or now is None or now.done:
            return []
        said = self._odd(step, now, status)
        # What went another way and is undone already is told first, and found whole by the next look.
        if now.astray and not said and now.is_back(status):
            now.astray = False
            said.append(Said(tone=Tone.MENDED, text="the cluster is whole again"))
        if step.only_looked_at:
            now.done = now.looked_at
            return said
        view = View(status=status, began=now.began, record=now.record, keys=keys, known=known)
        clauses = [condition.met(view) for condition in step.until]
        if all(clauses):
            now.done = True
            text = "; ".join(dict.fromkeys(str(clause) for clause in clauses))
            said.append(Said(tone=Tone.SEEN, text=text))
        return said

    def _odd(self, step: Step, now: Progress, status: ClusterStatus) -> list[Said]:
        """What happened since that the step did not ask for: a sentence for each way to undo it."""
        news = now.record.incidents[now.seen :]
        other = [
            each
            for at, each in enumerate(news)
            if _harms(step, each, now.began)
            and not _foresees(step, each)
            and not _is_up_again(each, news[at:])
        ]
        now.seen += len(news)
        now.uncalled.update(*(each.who for each in other if each.what is What.ADDED))
        # A cluster that came up in another way, or of another version, is whole, and yet not the one that is wanted.
        whole = (What.BROUGHT_UP, What.UPGRADED)
        now.astray = now.astray or any(each.what not in whole for each in other)
        by_remedy: dict[str, list[Incident]] = {}
        for each in other:
            by_remedy.setdefault(_HARM[each.what], []).append(each)
        return [_other_way(command, found, status) for command, found in by_remedy.items()]


_BY_VERBS = {What(verb.past): verb.undone_by for verb in VERBS.values() if verb.undone_by}
_HARM = {
    **_BY_VERBS,
    What.ENDED: _BY_VERBS[What.KILLED],
    What.ALARM_RAISED: "ctl alarm list",
    What.BROUGHT_UP: "down --purge",
    What.REMOVED: REPLACE.name,
    What.ADDED: REMOVE.name,
    What.UPGRADED: "upgrade",
}
"""What a step may not have meant, and the command that undoes it, or says more."""


_OF_PROCESSES = {_BY_VERBS[What.KILLED], _BY_VERBS[What.PAUSED]}


def _takes_names(command: str) -> bool:
    return command == "upgrade" or (command in VERBS and VERBS[command].targets.selected)


def _foresees(step: Step, incident: Incident) -> bool:
    return any(until.foresees(incident) for until in step.until)


def _means_to_take_down(step: Step | None) -> bool:
    """Whether the step takes the cluster down and brings it up again."""
    gone = Incident(what=What.GONE, who=(), at_s=0.0)
    return step is not None and _foresees(step, gone)


def _harms(step: Step, incident: Incident, began: ClusterStatus) -> bool:
    if incident.what is What.BROUGHT_UP and not _means_to_take_down(step):
        return _way(incident.bootstrap) != _way(began.bootstrap)
    # Each member tells of an alarm for itself, and others may raise it once more.
    known = incident.what is What.ALARM_RAISED and not is_whole(began)
    return incident.what in _HARM and not known and not _mends(incident, began)


def _mends(incident: Incident, began: ClusterStatus) -> bool:
    """Whether this undoes something: a member comes back, an added one goes, the old etcd returns."""
    had = {each.name: each.version for each in members_of(began)}
    match incident.what:
        case What.ADDED:
            return had.keys() >= set(incident.who)
        case What.REMOVED:
            return had.keys().isdisjoint(incident.who)
        case What.UPGRADED:
            return incident.fields.get("to") in [had.get(name) for name in incident.who]
        case _:
            return False


def _is_up_again(incident: Incident, later: Iterable[Incident]) -> bool:
    """Whether the member was only restarted, or upgraded."""
    return incident.what is What.STOPPED and any(
        each.what is What.STARTED and each.who == incident.who for each in later
    )


def _names(status: ClusterStatus) -> set[str]:
    return {each.name for each in members_of(status)}


def _way(bootstrap: BootstrapStatus | None) -> object:
    return bootstrap and (bootstrap.way, bootstrap.runtime)


def _other_way(command: str, incidents: list[Incident], status: ClusterStatus) -> Said:
    words = []
    names: list[str] = []
    for each in incidents:
        plain = each.led or command not in _OF_PROCESSES
        words.append(each.words + ("" if plain else ", and it was not the leader"))
        names += each.who
    targets = f" {' '.join(dict.fromkeys(names))}" if _takes_names(command) else ""
    text = f"{'; '.join(words)}: this step asks for something else"
    if command == "upgrade":
        before = series(str(incidents[0].fields.get("from")))
        if before not in [series(each.version or "") for each in members_of(status)]:
            gone = "and since no member is left of the old version, there is no way back"
            return Said(tone=Tone.ODD, text=f"{text}, {gone}")
        targets += f" --to {before}"
    if pids := [str(each.fields["pid"]) for each in incidents if each.fields.get("outside")]:
        return Said(tone=Tone.ODD, text=text, remedy=f"kill -CONT {' '.join(pids)}")
    return Said(tone=Tone.ODD, text=text, remedy=f"etcd-sandbox {command}{targets}")
