"""What was the case at which time, by what the witness saw. Pure: questions to a `Watch` that is complete.

A state is known from looks at it. Between two looks it may have been what the first saw or what the
second saw, so a stretch of time holds what was seen in it, just before it and just after it. Where the
witness did not look again after the stretch it says nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.witness.observed import (
    Answer,
    Attempt,
    LogSign,
    MemberList,
    Outcome,
    Pulse,
    Sample,
    Seen,
    SignKind,
    T,
    Watch,
)

PROMPT_S = 0.1
"""An answer within this time came at once: whoever waits 150 ms for it has it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in seconds since the epoch."""

    begin: float
    end: float

    def covers(self, other: Span) -> bool:
        """All of `other` lies within."""
        return self.begin <= other.begin and other.end <= self.end

    def meets(self, other: Span) -> bool:
        """They have a moment in common."""
        return self.begin <= other.end and other.begin <= self.end

    def wider(self, before: float = 0.0, after: float = 0.0) -> Span:
        """The same, longer at its ends."""
        return Span(self.begin - before, self.end + after)


@dataclass(frozen=True, slots=True)
class Reign:
    """`member` led in `term` for the time of `span`, by its own log and by when its process ended."""

    member: str
    term: int
    span: Span


class History:
    """The past of one cluster."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.answers = {name: _sorted(each) for name, each in watch.answers.items()}
        self.pulses = {name: _sorted(each) for name, each in watch.pulses.items()}
        self.lists = _sorted(watch.lists)
        self.reads = sorted(watch.reads, key=lambda each: each.ended)
        self.writes = sorted(watch.writes, key=lambda each: each.ended)
        self.signs = sorted(watch.signs, key=lambda sign: sign.ts)
        self.reigns = list(self._reigns())
        self.read = self._served(self.reads)
        self.written = self._served(self.writes)

    # States.

    def answers_of(self, member: str, span: Span) -> list[Sample[Answer | None]]:
        """The looks at what a member answered that tell of the span."""
        return within(self.answers.get(member, []), span)

    def pulses_of(self, member: str, span: Span) -> list[Seen]:
        """What may have been its process in the span."""
        return [sample.value for sample in within(self.pulses.get(member, []), span)]

    def lists_in(self, span: Span) -> list[MemberList]:
        """What may have been etcd's member list in the span."""
        return [sample.value for sample in within(self.lists, span)]

    def names_in(self, span: Span) -> set[str]:
        """Every member on any of these lists that has a name."""
        return {entry.name for listed in self.lists_in(span) for entry in listed if entry.name}

    def may_live(self, member: str, span: Span) -> bool:
        """Its process may have run, not stopped, at some moment of the span."""
        pulses = self.pulses_of(member, span)
        return not pulses or any(seen.pulse is Pulse.ALIVE for seen in pulses)

    def lives_throughout(self, member: str, span: Span) -> bool:
        """Its process ran through all of the span."""
        pulses = self.pulses_of(member, span)
        return bool(pulses) and all(seen.pulse is Pulse.ALIVE for seen in pulses)

    def answers_well(self, member: str, span: Span) -> bool:
        """It answered at once, and knew a leader, whenever it was asked in, before and after the span."""
        samples = self.answers_of(member, span)
        return (
            len(samples) > 2
            and not self.wavers(member, span)
            and all(
                sample.value is not None
                and not sample.value.refused
                and sample.value.leader is not None
                and sample.received - sample.sent <= PROMPT_S
                for sample in samples
            )
        )

    def wavers(self, member: str, span: Span) -> bool:
        """Its log tells of a leader that it lost, or of itself standing, about then: between two looks, maybe."""
        about = span.wider(before=0.5, after=0.2)
        return any(
            sign.member == member
            and sign.kind not in (SignKind.BECAME_FOLLOWER, SignKind.FOUND_LEADER)
            and about.begin <= sign.ts <= about.end
            for sign in self.signs
        )

    def terms_of(self, member: str, span: Span) -> set[int]:
        """The terms in which it may have been, by its answers and by its log."""
        samples = self.answers_of(member, span)
        told = {
            sample.value.term
            for sample in samples
            if sample.value is not None and not sample.value.refused
        }
        return told | set(self._logged_terms(member, span)) if samples else set()

    def _logged_terms(self, member: str, span: Span) -> Iterable[int]:
        last: int | None = None
        for sign in self.signs:
            if sign.member != member or sign.term is None:
                continue
            if sign.ts < span.begin:
                last = sign.term
            elif sign.ts <= span.end:
                yield sign.term
        if last is not None:
            yield last

    # Leadership.

    def led_throughout(self, span: Span) -> Reign | None:
        """Who led through all of the span, served reads as the proof that it was obeyed."""
        for reign in self.reigns:
            obeyed = self.lives_throughout(reign.member, span) and self.serves_throughout(span)
            if reign.span.covers(span) and obeyed:
                return reign
        return None

    def may_lead(self, member: str, term: int | None, span: Span) -> bool:
        """It led, or said that it does, at some moment of the span."""
        by_log = any(
            reign.member == member and term in (None, reign.term) and reign.span.meets(span)
            for reign in self.reigns
        )
        return by_log or any(
            sample.value is not None and sample.value.leads and term in (None, sample.value.term)
            for sample in self.answers_of(member, span)
        )

    def elections(self, span: Span) -> list[LogSign]:
        """Who became leader in the span, in order."""
        return [
            sign
            for sign in self.signs
            if sign.kind is SignKind.BECAME_LEADER and span.begin <= sign.ts <= span.end
        ]

    def _reigns(self) -> Iterable[Reign]:
        for at, sign in enumerate(self.signs):
            if sign.kind is not SignKind.BECAME_LEADER or sign.term is None:
                continue
            ended = next(
                (
                    later.ts
                    for later in self.signs[at + 1 :]
                    if later.member == sign.member
                    and later.kind not in (SignKind.FOUND_LEADER, SignKind.LOST_LEADER)
                ),
                float("inf"),
            )
            yield Reign(
                sign.member,
                sign.term,
                Span(sign.ts, min(ended, self.ended_after(sign.member, sign.ts))),
            )

    def ended_after(self, member: str, moment: float) -> float:
        """When its process, alive at the moment, was seen to be gone; infinity while it lives."""
        pid: int | None = None
        for sample in self.pulses.get(member, []):
            if sample.received < moment:
                pid = sample.value.pid
            elif sample.value.pulse is Pulse.ENDED or pid not in (None, sample.value.pid):
                return sample.received
            else:
                pid = sample.value.pid
        return float("inf")

    # Service.

    def serves_throughout(self, span: Span, silence_s: float = 0.15) -> bool:
        """Reads were served all through the span, shortly before it and shortly after it."""
        if not self.reads or self.reads[-1].ended < span.end:
            return False
        gap_s = self.longest_gap_s(self.read, span.wider(before=silence_s, after=silence_s))
        return gap_s is not None and gap_s <= silence_s

    def _served(self, attempts: Sequence[Attempt]) -> list[float]:
        """When these were served, in order.

        Not counted is an answer that comes while nobody leads to what was asked before: a follower that is
        cut off hears only after the cut of what its leader had agreed to, and nobody is served then.
        """
        return [
            each.ended
            for each in attempts
            if each.outcome is Outcome.SERVED and not self._comes_late(each)
        ]

    def _comes_late(self, attempt: Attempt) -> bool:
        before = [reign for reign in self.reigns if reign.span.begin <= attempt.ended]
        led_until = max((reign.span.end for reign in before), default=float("-inf"))
        return attempt.sent < led_until < attempt.ended

    def longest_gap_s(self, moments: Sequence[float], span: Span) -> float | None:
        """The longest time between two of these moments of which the first or the second is in the span."""
        before = [moment for moment in moments if moment <= span.begin][-1:]
        inside = [moment for moment in moments if span.begin < moment <= span.end]
        after = [moment for moment in moments if moment > span.end][:1]
        points = [*before, *inside, *after]
        return max((later - earlier for earlier, later in pairwise(points)), default=None)

    # The witness itself.

    def lateness_s(self, span: Span) -> float:
        """How late the machine was in the span, at most: the witness by its own clock, and members that
        ran all the time with an answer for which they ask nobody.
        """
        late = [
            seconds for moment, seconds in self._watch.late if span.meets(Span(moment - 1, moment))
        ]
        took = [
            sample.received - sample.sent
            for member in self.answers
            if self.lives_throughout(member, span)
            for sample in self.answers_of(member, span)
            if sample.value is not None
        ]
        return max(late + took, default=0.0)


def within(samples: Sequence[Sample[T]], span: Span) -> list[Sample[T]]:
    """The samples of the span, the last before it and the first after it; none if either is missing."""
    sents = [sample.sent for sample in samples]
    end = bisect_left(sents, span.end)
    begin = next((at for at in range(end - 1, -1, -1) if samples[at].received < span.begin), None)
    return [] if begin is None or end == len(samples) else list(samples[begin : end + 1])


def _sorted(samples: Iterable[Sample[T]]) -> list[Sample[T]]:
    return sorted(samples, key=lambda sample: sample.sent)
