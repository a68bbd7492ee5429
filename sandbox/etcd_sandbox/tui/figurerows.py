"""A member's metrics and its peers as rows of text: sparklines with their figures beside them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from rich.cells import cell_len

from etcd_sandbox.model.state import Metrics, Peer, Totals
from etcd_sandbox.tui.columns import GAP, Column, table
from etcd_sandbox.tui.detailhistory import (
    COUNTS,
    DURATIONS,
    RATES,
    Figure,
    History,
    count_of,
    mean,
    totals_of,
)
from etcd_sandbox.tui.pieces import Line, Piece, printable
from etcd_sandbox.tui.sparkline import Point, in_view, largest, latest, rate, sparkline
from etcd_sandbox.tui.widgets.colours import FAINT, PLAIN
from etcd_sandbox.tui.wrapping import listed, wrapped
from etcd_sandbox.words.shown import NOTHING, latency

_LABELS = {
    Figure.PUTS: "puts",
    Figure.PUT: "put latency",
    Figure.PUT_APPLY: "put apply",
    Figure.FSYNC: "WAL fsync",
    Figure.COMMIT: "backend commit",
    Figure.PROPOSALS: "proposals",
    Figure.PENDING: "proposals pending",
    Figure.FAILED: "proposals failed",
    Figure.LEADER_CHANGES: "leader changes",
}
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
    """A head, a line for each figure, and how to read them; nothing where nothing was ever told."""
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
        told = [peer.id, "learner" if peer.is_learner else "voter"]
        if peer.peer_urls:
            told.append(f"peer {' '.join(peer.peer_urls)}")
        if peer.client_urls:
            told.append(f"client {' '.join(peer.client_urls)}")
        rows = listed(map(printable, told), width - 2)
        lines += [line, *(((f"  {row}", PLAIN),) for row in rows)]
    return [*lines, *(_note(_TRIP, width) if trips else [])]


def _is_known(figure: Figure, metrics: Metrics | None, history: History) -> bool:
    """Whether this etcd measures it; of one that does not answer, whether it has told of it."""
    if metrics is None:
        return latest(history.of(figure)) is not None
    if figure in DURATIONS:
        return totals_of(metrics, figure) is not None
    return count_of(metrics, figure) is not None


def _figure(figure: Figure, metrics: Metrics | None, history: History) -> _Row:
    label, points, since = (_LABELS[figure], PLAIN), history.of(figure), NOTHING
    if figure in DURATIONS:
        if metrics is not None:
            since = _mean(totals_of(metrics, figure))
        return _Row(label, points, latency, since)
    if metrics is not None and figure is not Figure.PENDING:
        since = str(count_of(metrics, figure))
    if figure in RATES:
        return _Row(label, points, rate, since)
    return _Row(label, points, _rise if figure in COUNTS else _number, since)


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


def _number(value: float) -> str:
    return f"{value:.0f}"


def _rise(value: float) -> str:
    return f"+{value:.0f}" if value else "0"


def _note(text: str, width: int) -> list[Line]:
    return [((row, FAINT),) for row in wrapped(text, width)]
