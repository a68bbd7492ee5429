"""How long something was missing: pure sums over moments in monotonic seconds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from msgspec import Struct

from etcd_sandbox.model.service import LATE_S, UNNOTICED_S, How, Service

Span = tuple[float, float]
"""From one moment to another."""


class Try(Struct, frozen=True):
    """A request that has ended: where it was asked, when it began and ended, and whether it was served."""

    where: str
    began: float
    ended: float
    served: bool

    @property
    def took_s(self) -> float:
        """How long it took."""
        return self.ended - self.began


def leaderless_s(changes: Sequence[tuple[float, str | None]], ended: float) -> float | None:
    """Seconds without a leader, over changes (moment, who leads from then on) in order.

    None when nobody led at the end. The first change says who led at the beginning.
    """
    if not changes or changes[-1][1] is None:
        return None
    return sum(until - began for began, until in leaderless_spans(changes, ended))


def leaderless_spans(changes: Sequence[tuple[float, str | None]], ended: float) -> list[Span]:
    """When nobody led, up to `ended`."""
    spans = zip(changes, [*changes[1:], (ended, None)], strict=True)
    return [(began, until) for (began, leader), (until, _) in spans if leader is None]


def service_of(
    tries: Sequence[Try],
    pending: Sequence[float],
    began: float,
    ended: float,
    *,
    calm: float,
    leaderless: Sequence[Span] = (),
    untried: Sequence[Span] = (),
) -> Service | None:
    """How requests were served from `began` to `ended`; None when nothing shows that.

    `pending` says when those began that have no answer yet, `leaderless` when nobody led: what was
    not served then could not be, and what was asked before and answered then had been agreed to before.
    Of `untried` nothing is known: no request could show how others were served. A time without a request
    that was served counts as failed only when something shows that one failed in it: an error, or that
    nobody led. A gap that is open at the end counts. Requests that began after `calm` show how it is
    at the end.
    """
    if not tries and not pending:
        return None
    served = sorted(_agreed_to(each, leaderless) for each in tries if each.served)
    before = [moment for moment in served if moment <= began]
    after = [moment for moment in served if moment > began]
    points = [before[-1] if before else began, *after]
    gaps = [part for gap in itertools.pairwise(points) for part in _without(gap, untried)]
    end = max(ended, points[-1])
    known = [part for part in _without((points[-1], end), untried) if part[1] == end]
    open_gap = known[0] if known else (end, end)
    if untried and not after and not known and not pending:
        return None
    is_open = not after or _s(open_gap) > UNNOTICED_S
    if is_open:
        gaps.append(open_gap)
    since_deed = [each for each in tries if each.served and each.ended > began]
    silences = [gap for gap in gaps if _s(gap) > UNNOTICED_S]
    noticed = _after_the_first(since_deed, tries, silences)
    wait_s = max((each.took_s for each in noticed), default=0.0)
    failed = [each.ended for each in tries if not each.served]
    outages = [gap for gap in silences if _failed_in(gap, failed, leaderless)]
    waiting_s = max((ended - moment for moment in pending), default=0.0)
    if outages and is_open and open_gap in outages:
        return _service(How.FAILING, _s(open_gap), wait_s)
    if is_open and waiting_s > LATE_S and waiting_s > 2 * wait_s:
        # A request that is on its way for as long as those before it took is none that hangs.
        return _service(How.WAITING, _s(open_gap), wait_s)
    if outages:
        return _service(How.FAILED, max(map(_s, outages)), wait_s)
    longest_s = max(map(_s, gaps), default=0.0)
    slow_s = max(_lately(since_deed, calm).values(), default=0.0)
    if slow_s > UNNOTICED_S:
        return _service(How.SLOW, longest_s, slow_s)
    return _service(How.WAITED if wait_s > UNNOTICED_S else How.WENT_ON, longest_s, wait_s)


def _agreed_to(served: Try, leaderless: Sequence[Span]) -> float:
    """When it was served: at the latest when the leader was lost, where nobody led at its answer.

    A follower that is cut off hears only after the cut of what its leader had agreed to.
    """
    lost = [since for since, until in leaderless if served.began < since < served.ended <= until]
    return min([*lost, served.ended])


def _without(gap: Span, untried: Sequence[Span]) -> list[Span]:
    """The parts of a time in which something was tried."""
    parts = [gap]
    for begin, end in untried:
        parts = [
            part
            for since, until in parts
            for part in ((since, min(until, begin)), (max(since, end), until))
            if part[0] < part[1]
        ]
    return parts


def _after_the_first(
    served: Sequence[Try], tries: Sequence[Try], silences: Sequence[Span]
) -> list[Try]:
    """Without the first of each member: what has just been started lets its first clients wait.

    One that waited while nobody was served anywhere waited for the cluster.
    """
    firsts: dict[str, Try] = {}
    for each in sorted(tries, key=lambda each: each.ended):
        if each.served:
            firsts.setdefault(each.where, each)
    return [
        each
        for each in served
        if firsts[each.where] is not each or any(_is_within(gap, each) for gap in silences)
    ]


def _is_within(gap: Span, request: Try) -> bool:
    begin, end = gap
    return min(end, request.ended) - max(begin, request.began) > UNNOTICED_S


def _lately(served: Sequence[Try], calm: float) -> dict[str, float]:
    """How long each of the last two requests took that began after `calm`, by where they were asked.

    A single one may have waited for the machine, or for us.
    """
    last: dict[str, list[float]] = {}
    for each in sorted(served, key=lambda each: each.ended):
        if each.began > calm:
            last.setdefault(each.where, []).append(each.took_s)
    return {where: min(took[-2:]) for where, took in last.items()}


def _failed_in(gap: Span, failed: Sequence[float], leaderless: Sequence[Span]) -> bool:
    begin, end = gap
    return any(begin <= moment <= end for moment in failed) or any(
        min(end, until) - max(begin, since) > UNNOTICED_S for since, until in leaderless
    )


def _service(how: How, gap_s: float, wait_s: float) -> Service:
    return Service(how=how, gap_s=round(gap_s, 3), wait_s=round(wait_s, 3))


def _s(span: Span) -> float:
    return span[1] - span[0]
