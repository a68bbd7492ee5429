"""What the product said, and when: the question was sent at the beginning of `span`, the answer came at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.witness.history import Span

ANSWERS_ARE_AT_MOST_S = 0.3
"""How old what an answer says may be when the question is sent."""


@dataclass(frozen=True, slots=True)
class Status:
    """An answer to `status`."""

    span: Span
    body: Mapping[str, Any]

    @property
    def told(self) -> Span:
        """The time of which it tells."""
        return self.span.wider(before=ANSWERS_ARE_AT_MOST_S)


@dataclass(frozen=True, slots=True)
class Headline:
    """A line that says how it stands: the first of `status` as text, the dashboard's; it tells of `told`."""

    told: Span
    line: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a verb, and the sentence in which it was put."""

    span: Span
    body: Mapping[str, Any]
    sentence: str


@dataclass(frozen=True, slots=True)
class Healthy:
    """`wait_healthy` returned, with this status, or gave up with these words (`error`)."""

    span: Span
    body: Mapping[str, Any] | None
    error: str = ""

    @property
    def told(self) -> Span:
        """The time of which its end tells: the last of its questions."""
        return Span(max(self.span.begin, self.span.end - 0.5), self.span.end).wider(
            before=ANSWERS_ARE_AT_MOST_S
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as `events` has it."""

    body: Mapping[str, Any]

    @property
    def ts(self) -> float:
        """When it happened."""
        return datetime.fromisoformat(self.body["ts"]).timestamp()

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def member(self) -> str:
        return str(self.body.get("member") or "")

    def around(self, before: float, after: float) -> Span:
        """The time from `before` seconds earlier to `after` seconds later."""
        return Span(self.ts - before, self.ts + after)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A claim that the witness saw to be untrue, and the rule by which."""

    rule: str
    said: str
    seen: str
    at: float

    def __str__(self) -> str:
        moment = datetime.fromtimestamp(self.at).strftime("%H:%M:%S.%f")[:-3]
        return f"{moment} {self.rule}: said {self.said}; the witness saw {self.seen}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A verb that was not done, and the error that said why."""

    span: Span
    asked: str
    error: str


@dataclass(slots=True)
class Said:
    """All that the product said in the course, and what was done to hear it."""

    statuses: list[Status] = field(default_factory=list)
    headlines: list[Headline] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    healthy: list[Healthy] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
