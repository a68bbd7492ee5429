"""Successive answers about one process made into series of points: one a figure and a second. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from enum import StrEnum

from msgspec import Struct, field

from etcd_sandbox.model.state import Detail, Metrics, Totals
from etcd_sandbox.tui.sparkline import Point

POINTS_KEPT = 300
"""Five minutes, and more than any terminal has room for."""

LONGEST_S = 5.0
"""Two answers that are further apart make no point: it would be drawn as if it were of one second."""


class Figure(StrEnum):
    """What is followed of a member. Durations are means in seconds, rates are per second."""

    PUTS = "puts"
    PUT = "put latency"
    PUT_APPLY = "put apply"
    FSYNC = "wal fsync"
    COMMIT = "backend commit"
    PROPOSALS = "proposals"
    PENDING = "pending"
    FAILED = "failed"
    LEADER_CHANGES = "leader changes"


DURATIONS = frozenset({Figure.PUT, Figure.PUT_APPLY, Figure.FSYNC, Figure.COMMIT})
RATES = frozenset({Figure.PUTS, Figure.PROPOSALS})
COUNTS = frozenset({Figure.FAILED, Figure.LEADER_CHANGES})
"""Their points are by how much they rose."""


class History(Struct):
    """The points of one process, oldest first; a gap (None) where nothing took place or nothing was told.

    A member's figures count from its start, so that a point is the difference of two answers of
    one life. `round_trips` are by the peer's ID and have no gaps: etcd measures them once in a while.
    """

    points: dict[Figure, deque[Point]] = field(default_factory=dict)
    round_trips: dict[str, deque[Point]] = field(default_factory=dict)
    _before: tuple[float, Detail, Metrics] | None = None

    def take(self, detail: Detail, at_s: float) -> None:
        """An answer that came at `at_s`, in seconds of a clock that only goes forward."""
        metrics = detail.metrics
        if metrics is None:
            self.miss()
            return
        before, self._before = self._before, (at_s, detail, metrics)
        points: dict[Figure, Point] = dict.fromkeys(Figure)
        if before is not None and _is_one_life(before[1], before[2], detail, metrics):
            passed_s = at_s - before[0]
            if 0 < passed_s <= LONGEST_S:
                points.update(_points(before[2], metrics, passed_s))
            self._take_round_trips(before[2], metrics)
        points[Figure.PENDING] = metrics.proposals_pending
        for figure, point in points.items():
            self.points.setdefault(figure, _series()).append(point)

    def miss(self) -> None:
        """No answer came, or one without figures."""
        self._before = None
        for series in self.points.values():
            series.append(None)

    def of(self, figure: Figure) -> Sequence[Point]:
        """The points of one figure."""
        return self.points.get(figure, ())

    def _take_round_trips(self, before: Metrics, now: Metrics) -> None:
        for peer, totals in now.peer_round_trips.items():
            point = mean(totals, before.peer_round_trips.get(peer, Totals()))
            if point is not None:
                self.round_trips.setdefault(peer, _series()).append(point)


def mean(now: Totals, before: Totals) -> float | None:
    """The mean of those that took place between the two; None if none did."""
    count = now.count - before.count
    return (now.seconds - before.seconds) / count if count > 0 else None


def totals_of(metrics: Metrics, figure: Figure) -> Totals | None:
    """How often, and how long altogether, since the start; None where it is not measured."""
    return {
        Figure.PUT: metrics.put,
        Figure.PUT_APPLY: metrics.put_apply,
        Figure.FSYNC: metrics.fsync,
        Figure.COMMIT: metrics.commit,
    }[figure]


def count_of(metrics: Metrics, figure: Figure) -> int | None:
    """How many since the start (pending: now); None where it is not counted."""
    return {
        Figure.PUTS: metrics.puts,
        Figure.PROPOSALS: metrics.proposals_committed,
        Figure.PENDING: metrics.proposals_pending,
        Figure.FAILED: metrics.proposals_failed,
        Figure.LEADER_CHANGES: metrics.leader_changes,
    }[figure]


def _points(before: Metrics, now: Metrics, passed_s: float) -> Iterator[tuple[Figure, Point]]:
    for figure in DURATIONS:
        was, is_ = totals_of(before, figure), totals_of(now, figure)
        yield figure, mean(is_, was or Totals()) if is_ is not None else None
    for figure in RATES | COUNTS:
        had, has = count_of(before, figure), count_of(now, figure)
        if had is None or has is None:
            yield figure, None
        else:
            yield figure, (has - had) / (passed_s if figure in RATES else 1)


def _is_one_life(was: Detail, before: Metrics, is_: Detail, now: Metrics) -> bool:
    """Whether the process did not start again between the two answers: then figures only rise."""
    if was.exit != is_.exit:
        return False
    had, has = _counts(before), _counts(now)
    return all(one <= other for one, other in zip(had, has, strict=True))


def _counts(metrics: Metrics) -> list[int]:
    figures = [count_of(metrics, figure) or 0 for figure in sorted(RATES | COUNTS)]
    return [metrics.fsync.count, metrics.commit.count, *figures]


def _series() -> deque[Point]:
    return deque(maxlen=POINTS_KEPT)
