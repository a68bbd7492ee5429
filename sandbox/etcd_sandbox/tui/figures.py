"""A process's figures: followed from answer to answer, and drawn as sparklines. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import islice
from typing import Any

from msgspec import Struct, field
from rich.cells import cell_len

from etcd_sandbox.model.state import Detail, Metrics, Peer, Totals
from etcd_sandbox.tui.colours import FAINT, PLAIN
from etcd_sandbox.tui.text import GAP, Column, Line, Piece, listed, printable, table, wrapped
from etcd_sandbox.words.shown import NOTHING, latency

POINTS_KEPT = 300
"""Five minutes, and more than any terminal has room for."""

LONGEST_S = 5.0
"""Two answers that are further apart make no point: it would be drawn as if it were of one second."""


class Kind(Enum):
    """What the points of a figure are."""

    DURATION = "means in seconds"
    RATE = "per second"
    COUNT = "by how much it rose"
    NOW = "as it is"


class Figure(Enum):
    """What is followed of a member: a field of its metrics, by its label."""

    PUTS = ("puts", "puts", Kind.RATE)
    PUT = ("put latency", "put", Kind.DURATION)
    PUT_APPLY = ("put apply", "put_apply", Kind.DURATION)
    FSYNC = ("WAL fsync", "fsync", Kind.DURATION)
    COMMIT = ("backend commit", "commit", Kind.DURATION)
    PROPOSALS = ("proposals", "proposals_committed", Kind.RATE)
    PENDING = ("proposals pending", "proposals_pending", Kind.NOW)
    FAILED = ("proposals failed", "proposals_failed", Kind.COUNT)
    LEADER_CHANGES = ("leader changes", "leader_changes", Kind.COUNT)

    def __init__(self, label: str, metric: str, kind: Kind) -> None:
        self.label = label
        self.metric = metric
        self.kind = kind

    def of(self, metrics: Metrics) -> Any:
        """The Totals of a duration or a count, since the start or now; None where etcd does not measure it."""
        return getattr(metrics, self.metric)


class History(Struct):
    """The points of one process, oldest first; a gap (None) where nothing took place or nothing is known.

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


def _points(before: Metrics, now: Metrics, passed_s: float) -> Iterator[tuple[Figure, Point]]:
    for figure in Figure:
        was, is_ = figure.of(before), figure.of(now)
        if figure.kind is Kind.DURATION:
            yield figure, None if is_ is None else mean(is_, was or Totals())
        elif was is None or is_ is None:
            yield figure, None
        else:
            yield figure, (is_ - was) / (passed_s if figure.kind is Kind.RATE else 1)


def _is_one_life(was: Detail, before: Metrics, is_: Detail, now: Metrics) -> bool:
    """Whether the process did not start again between the two answers: then figures only rise."""
    if was.exit != is_.exit:
        return False
    had, has = _counts(before), _counts(now)
    return all(one <= other for one, other in zip(had, has, strict=True))


def _counts(metrics: Metrics) -> list[int]:
    rising = [figure for figure in Figure if figure.kind in (Kind.RATE, Kind.COUNT)]
    return [metrics.fsync.count, metrics.commit.count, *(each.of(metrics) or 0 for each in rising)]


def _series() -> deque[Point]:
    return deque(maxlen=POINTS_KEPT)


Point = float | None
"""A value; None where nothing was measured."""

ZERO, BLOCKS = "▁", "▂▃▄▅▆▇█"
"""Nothing at all has a sign of its own, so that it differs from the smallest something."""

_NO_POINT = " "


def sparkline(points: Sequence[Point], width: int) -> str:
    """The last `width` points, the newest at the right, each a block up to the largest in view.

    The scale begins at zero. It is `width` cells wide, filled up at the left.
    """
    seen = in_view(points, width)
    most = max((point for point in seen if point is not None), default=0.0)
    return "".join(_block(point, most) for point in seen).rjust(max(0, width), _NO_POINT)


def in_view(points: Sequence[Point], width: int) -> list[Point]:
    """The points that a sparkline of this width shows."""
    return list(islice(points, max(0, len(points) - max(0, width)), None))


def latest(points: Sequence[Point]) -> Point:
    """The newest point that is one; None if there is none."""
    return next((point for point in reversed(points) if point is not None), None)


def largest(points: Sequence[Point]) -> Point:
    """The largest point; None if there is none."""
    return max((point for point in points if point is not None), default=None)


def rate(per_s: float) -> str:
    """How often a second: `0/s`, `0.4/s`, `120/s`, `12.3k/s`."""
    if per_s >= 9999.5:
        return f"{per_s / 1000:.1f}k/s"
    return f"{per_s:.0f}/s" if per_s == 0 or per_s >= 9.95 else f"{per_s:.1f}/s"


def _block(point: Point, most: float) -> str:
    if point is None:
        return _NO_POINT
    if point <= 0 or most <= 0:
        return ZERO
    return BLOCKS[round(point / most * (len(BLOCKS) - 1))]


_NUMBERS = ("LATEST", "LARGEST", "SINCE START")
_LEAST_NUMBER = 8
_LABEL_LEAST, _LABEL_MOST = 17, 24
_POINTS_LEAST, _POINTS_MOST = 8, 60

_HOW = "A point a second; a duration is the mean of what took place in it, a gap where nothing did."
_PUT = "The put latency is what this member's own clients wait."
_NO_PUT = "This etcd does not measure the latency of puts; 3.7 and later do."
_TRIP = "A point is a round trip as etcd notes it, every half minute or so."


class _Row(Struct, frozen=True):
    """One figure: whose it is, its points, how one is said, and what it comes to since the start."""

    label: Piece
    points: Sequence[Point]
    say: Callable[[float], str]
    since: str


def metric_lines(metrics: Metrics | None, history: History, width: int) -> list[Line]:
    """A head, a line for each figure, and how to read them; nothing where nothing is known."""
    figures = [figure for figure in Figure if _is_known(figure, metrics, history)]
    if not figures:
        return []
    lines = _drawn("METRICS", [_figure(figure, metrics, history) for figure in figures], width)
    about_puts = _PUT if Figure.PUT in figures else _NO_PUT
    return [*lines, *_note(_HOW, width), *_note(about_puts, width)]


def peer_lines(
    peers: Sequence[Peer],
    own: str,
    trips: Mapping[str, Totals],
    history: History,
    colours: Mapping[str, str],
    width: int,
) -> list[Line]:
    """A head, and of each peer its round trip, its ID, what it is and where it is reached.

    `own` is the name of the member that was asked. `trips` are the totals since the start, by
    ID; `colours` are by name.
    """
    head, *drawn = _drawn(
        "PEERS: ROUND TRIP", [_peer(peer, own, trips, history, colours) for peer in peers], width
    )
    lines = [head]
    for peer, line in zip(peers, drawn, strict=True):
        facts = [peer.id, "learner" if peer.is_learner else "voter"]
        if peer.peer_urls:
            facts.append(f"peer {' '.join(peer.peer_urls)}")
        if peer.client_urls:
            facts.append(f"client {' '.join(peer.client_urls)}")
        rows = listed(map(printable, facts), width - 2)
        lines += [line, *(((f"  {row}", PLAIN),) for row in rows)]
    return [*lines, *(_note(_TRIP, width) if trips else [])]


def _is_known(figure: Figure, metrics: Metrics | None, history: History) -> bool:
    """Whether this etcd measures it; of one that does not answer, whether anything is known of it."""
    if metrics is None:
        return latest(history.of(figure)) is not None
    return figure.of(metrics) is not None


def _figure(figure: Figure, metrics: Metrics | None, history: History) -> _Row:
    value = None if metrics is None else figure.of(metrics)
    if figure.kind is Kind.DURATION:
        since = _mean(value)
    else:
        since = NOTHING if value is None or figure.kind is Kind.NOW else str(value)
    return _Row((figure.label, PLAIN), history.of(figure), _SAID[figure.kind], since)


def _peer(
    peer: Peer,
    own: str,
    trips: Mapping[str, Totals],
    history: History,
    colours: Mapping[str, str],
) -> _Row:
    name = printable(peer.name) or "(never started)"
    label = (f"{name} itself" if peer.name == own else name, colours.get(peer.name, PLAIN))
    points = history.round_trips.get(peer.id, ())
    return _Row(label, points, latency, _mean(trips.get(peer.id)))


def _drawn(title: str, rows: Sequence[_Row], width: int) -> list[Line]:
    label_width = max(_LABEL_LEAST, *(cell_len(row.label[0]) for row in rows), len(title))
    label_width = min(label_width, _LABEL_MOST)
    numbers = [max(_LEAST_NUMBER, len(head)) for head in _NUMBERS]
    room = width - label_width - sum(numbers) - GAP * (len(numbers) + 1)
    many = max(_POINTS_LEAST, min(_POINTS_MOST, room))
    columns = (
        Column(head=title, least=label_width, squeezed=label_width),
        Column(head="", least=many),
        *(
            Column(head=head, least=least, right=True, wanted=number)
            for number, (head, least) in enumerate(zip(_NUMBERS, numbers, strict=True))
        ),
    )
    head, lines = table(columns, [_cells(row, many) for row in rows], width)
    return [head, *lines]


def _cells(row: _Row, many: int) -> list[Piece]:
    now, most = latest(row.points), largest(in_view(row.points, many))
    return [
        row.label,
        (sparkline(row.points, many), row.label[1]),
        (NOTHING if now is None else row.say(now), PLAIN),
        (NOTHING if most is None else row.say(most), PLAIN),
        (row.since, PLAIN),
    ]


def _mean(totals: Totals | None) -> str:
    average = None if totals is None else mean(totals, Totals())
    return NOTHING if average is None else latency(average)


_SAID: dict[Kind, Callable[[float], str]] = {
    Kind.DURATION: latency,
    Kind.RATE: rate,
    Kind.COUNT: lambda rise: f"+{rise:.0f}" if rise else "0",
    Kind.NOW: lambda number: f"{number:.0f}",
}


def _note(text: str, width: int) -> list[Line]:
    return [((row, FAINT),) for row in wrapped(text, width)]
