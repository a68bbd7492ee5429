"""Follows a learner through the steps of a lesson: what was seen, what went another way. Pure.

It is fed with the cluster's events and answers, whoever asks for them, and says what to tell the
learner; the guide in the terminal, the dashboard's panel and the check are its users.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sandbox.learn.condition import Condition
from sandbox.learn.lesson import Step
from sandbox.learn.record import Happening, Record, What
from sandbox.learn.sentences import happening_words
from sandbox.learn.view import Pairs, View, is_whole
from sandbox.model.event import Event
from sandbox.model.state import ClusterStatus


class Tone(StrEnum):
    """What a sentence is for: it was seen, it went another way, it is mended."""

    SEEN = "seen"
    ODD = "odd"
    MENDED = "mended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A sentence for the learner, and the command that brings back what is missing."""

    tone: Tone
    text: str
    remedy: str = ""


@dataclass(slots=True)
class Progress:
    """Where a step stands: what was told of, and whether it was seen to be done."""

    began: ClusterStatus
    record: Record
    told: int = 0
    looked_at: bool = False
    done: bool = False
    astray: bool = False


class Guide:
    """One step after another. `begin` each, feed it, `look`, and go on when it is `done`."""

    def __init__(self, steps: Iterable[Step], at: int = 0) -> None:
        self.steps = tuple(steps)
        self.at = min(at, len(self.steps))
        self._now: Progress | None = None
        self._last_seq = 0
        self._hanging: dict[str, int] = {}

    @property
    def step(self) -> Step | None:
        """The step that is being done; None behind the last."""
        return self.steps[self.at] if self.at < len(self.steps) else None

    @property
    def done(self) -> bool:
        """The cluster has shown that the step was done."""
        return self._now is not None and self._now.done

    @property
    def last_seq(self) -> int:
        """The number of the last event that was taken."""
        return self._last_seq

    @property
    def asked(self) -> tuple[Condition, ...]:
        """The conditions for which keys have to be read."""
        return tuple(
            each for each in (self.step.until if self.step else ()) if each.key or each.prefix
        )

    def begin(self, status: ClusterStatus) -> None:
        """The step begins now: what happened before does not count."""
        record = Record(leader=status.leader, hanging=self._hanging)
        self._now = Progress(began=status, record=record)

    def go(self, at: int) -> None:
        """To another step, which has to be begun."""
        self.at = max(0, min(at, len(self.steps)))
        self._now = None

    def take_event(self, event: Event) -> None:
        """One event; those that were taken before are passed over."""
        if event.seq <= self._last_seq:
            return
        self._last_seq = event.seq
        if self._now is not None:
            self._now.record.take(event)

    def take_hanging(self, pids: Mapping[str, int], at_s: float) -> None:
        """Who hangs by a SIGSTOP that was not ours, each with its process."""
        self._hanging = dict(pids)
        if self._now is not None:
            self._now.record.take_hanging(pids, at_s)

    def looked(self) -> None:
        """The learner has looked at what the step shows."""
        if self._now is not None:
            self._now.looked_at = True

    def look(self, status: ClusterStatus, keys: Mapping[str, Pairs]) -> list[Said]:
        """What there is to tell now, each once."""
        step, now = self.step, self._now
        if step is None or now is None or now.done:
            return []
        said = self._odd(step, now)
        if now.astray and is_whole(status, now.record.hanging):
            now.astray = False
            if not said:
                said.append(Said(tone=Tone.MENDED, text="the cluster is whole again"))
        if step.only_looked_at:
            now.done = now.looked_at
            return said
        view = View(status=status, began=now.began, record=now.record, keys=keys)
        clauses = [condition.met(view) for condition in step.until]
        if all(clauses):
            now.done = True
            text = "; ".join(dict.fromkeys(str(clause) for clause in clauses))
            said.append(Said(tone=Tone.SEEN, text=text))
        return said

    def _odd(self, step: Step, now: Progress) -> list[Said]:
        """What was not asked for since it was last told, one sentence for each way to undo it."""
        happenings = now.record.happenings
        other = [
            each
            for each in happenings[now.told :]
            if _harms(each, now.began) and not any(until.foresees(each) for until in step.until)
        ]
        now.told = len(happenings)
        now.astray = now.astray or bool(other)
        by_remedy: dict[str, list[Happening]] = {}
        for each in other:
            by_remedy.setdefault(_HARM[each.what], []).append(each)
        return [_other_way(command, found) for command, found in by_remedy.items()]


_HARM = {
    What.KILLED: "start",
    What.STOPPED: "start",
    What.ENDED: "start",
    What.PAUSED: "resume",
    What.PARTITIONED: "heal",
    What.CUT: "heal",
    What.SLOWED: "heal",
    What.ALARM_RAISED: "ctl alarm list",
}
"""What a step may not have meant, and the command that undoes it, or says more."""


def _harms(happening: Happening, began: ClusterStatus) -> bool:
    # Each member tells of an alarm for itself, and others may raise it once more.
    known = happening.what is What.ALARM_RAISED and not is_whole(began)
    return happening.what in _HARM and not known


def _other_way(command: str, happenings: list[Happening]) -> Said:
    words = []
    names: list[str] = []
    for each in happenings:
        plain = each.led or command not in ("start", "resume")
        words.append(happening_words(each) + ("" if plain else ", and it was not the leader"))
        names += each.who
    targets = f" {' '.join(dict.fromkeys(names))}" if command in ("start", "resume") else ""
    text = f"{'; '.join(words)}: this step asks for something else"
    if pids := [str(each.fields["pid"]) for each in happenings if each.fields.get("outside")]:
        return Said(tone=Tone.ODD, text=text, remedy=f"kill -CONT {' '.join(pids)}")
    return Said(tone=Tone.ODD, text=text, remedy=f"etcd-sandbox {command}{targets}")
