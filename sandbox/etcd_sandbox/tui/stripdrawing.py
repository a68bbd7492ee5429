"""The time line of availability as text: the newest tenth of a second at the right; and the sign of each kind of event. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec import Struct
from rich.cells import cell_len

from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.service import BUCKET_S, Bucket, Served, with_hindsight
from etcd_sandbox.tui.colours import BAD, FAINT, GOOD, ODD, PLAIN, STRONG
from etcd_sandbox.tui.store import Outage
from etcd_sandbox.tui.text import Line, Piece, joined, text_of
from etcd_sandbox.verbs import fault_of


class Mark(Struct, frozen=True):
    """A sign of one cell, what it means in one word, and its style.

    Where two fall on one cell of the time line, the one with the higher `weight` stands.
    """

    sign: str
    word: str
    style: str
    weight: int = 0


_MARKS = {
    Kind.LEADER_ELECTED: Mark("★", "leader", GOOD, 6),
    Kind.LEADER_TRANSFERRED: Mark("★", "leader", GOOD, 6),
    Kind.LEADER_LOST: Mark("☆", "leader lost", BAD),
    Kind.CANDIDATE: Mark("◇", "candidate", ODD),
    Kind.SPLIT_VOTE: Mark("◇", "split vote", ODD),
    Kind.QUORUM_LOST: Mark("▼", "quorum lost", BAD, 5),
    Kind.QUORUM_REGAINED: Mark("▲", "quorum back", GOOD, 4),
    Kind.PROCESS_EXITED: Mark("†", "exit", BAD, 3),
    Kind.PROCESS_STARTED: Mark("▸", "started", PLAIN),
    Kind.PROCESS_READY: Mark("●", "ready", GOOD),
    Kind.PROCESS_RESTARTING: Mark("↻", "restarting", ODD),
    Kind.FAULT_PASSED: Mark("↯", "short fault", ODD, 2),
    Kind.ALARM_RAISED: Mark("!", "alarm", BAD),
    Kind.CLUSTER_READY: Mark("●", "ready", GOOD),
}
_OTHER = Mark("·", "", FAINT)


def mark_of(event: Event) -> Mark:
    match event.kind:
        case Kind.FAULT_APPLIED:
            return Mark(*fault_of(event.fields.get("fault")).marks[0], ODD, 2)
        case Kind.FAULT_HEALED:
            return Mark(*fault_of(event.fields.get("fault")).marks[1], GOOD, 1)
    return _MARKS.get(event.kind, _OTHER)


SHOWN_S = 60
"""About so many seconds are in view."""

GUTTER = 8
"""The cells before the line, for what the row is about."""

_BUCKET_US = round(BUCKET_S * 1_000_000)
_TICK_S = 10


_NOTHING = Served(0)
_PARTLY: Piece = ("▄", ODD)
_CELLS: dict[Served, Piece] = {
    _NOTHING: (" ", ""),
    Served.YES: ("█", GOOD),
    Served.NO: ("╳", f"{STRONG} {BAD}"),
    Served.LATE: ("▒", ODD),
    Served.YES | Served.LATE: ("▒", ODD),
    Served.OPEN: ("┄", ODD),
}
"""What stands for a cell, by what became of its requests; what is not here is partly."""

LEGEND = "█ served  ▄ partly  ╳ failed"
_RARE = (("▒", "late"), ("┄", "waiting"))
"""Explained only when they are seen."""


def buckets_per_cell(width: int) -> int:
    return max(1, round(SHOWN_S / BUCKET_S / max(1, width - GUTTER)))


def in_view(width: int) -> int:
    """How many buckets a line of `width` cells shows."""
    return max(0, width - GUTTER) * buckets_per_cell(width)


def draw(
    buckets: Sequence[Bucket],
    marks: Iterable[tuple[int, Event]],
    outages: Iterable[Outage],
    width: int,
    height: int,
) -> list[Line]:
    """The rows that fit into `height`: reads first, then lengths, marks, writes, and the scale.

    `buckets` are in the order of time. Cells begin at whole multiples of their length, so that
    a cell keeps what it stands for while the line moves.
    """
    cells = width - GUTTER
    if cells < 1 or height < 1 or not buckets:
        return []
    scale = _Scale(buckets[-1].time_us, cells, buckets_per_cell(width))
    reads = _cells(scale, buckets, [bucket.read for bucket in buckets])
    writes = _cells(scale, buckets, [bucket.written for bucket in buckets])
    shown = [
        (scale.cell(time_us), mark_of(event))
        for time_us, event in marks
        if time_us >= scale.begins_us
    ]
    rows: list[tuple[int, Line]] = [
        (2, _marks(shown, cells)),
        (1, _lengths(outages, scale)),
        (0, read := _served("reads", reads)),
    ]
    written = _served("writes", writes)
    if any(writes):
        rows.append((3, written))
    signs = text_of(read) + text_of(written)
    rows.append((4, _axis(scale, _legend(shown, cells, signs))))
    kept = sorted(range(len(rows)), key=lambda i: rows[i][0])[:height]
    return [rows[i][1] for i in sorted(kept)]


class _Scale:
    """Which cell a moment falls into; the last cell holds the newest bucket."""

    def __init__(self, newest_us: int, cells: int, buckets: int) -> None:
        self.cells = cells
        self.cell_us = buckets * _BUCKET_US
        self._first = newest_us // self.cell_us - cells + 1
        self.begins_us = self._first * self.cell_us

    def cell(self, time_us: int) -> int:
        return time_us // self.cell_us - self._first


def _cells(
    scale: _Scale, buckets: Sequence[Bucket], fared: Sequence[Served | None]
) -> list[Served]:
    """What became of the requests of each cell."""
    row = [_NOTHING] * scale.cells
    for bucket, each in zip(buckets, with_hindsight(fared), strict=True):
        at = scale.cell(bucket.time_us)
        if 0 <= at < scale.cells and each is not None:
            row[at] |= each
    return row


def _served(name: str, row: Sequence[Served]) -> Line:
    pieces: list[Piece] = [(f"{name:<{GUTTER}}", FAINT)]
    for served, run in groupby(row):
        sign, style = _CELLS.get(served, _PARTLY)
        pieces.append((sign * len(list(run)), style))
    return tuple(pieces)


def _marks(marks: Sequence[tuple[int, Mark]], cells: int) -> Line:
    """A sign that finds its cell taken by a weightier one goes where there is room beside it."""
    row: list[Mark | None] = [None] * cells
    for at, mark in sorted(marks, key=lambda entry: -entry[1].weight):
        if not 0 <= at < cells:
            continue
        for place in (at, at + 1, at - 1):
            if 0 <= place < cells and row[place] is None:
                row[place] = mark
                break
            if 0 <= place < cells and row[place] == mark:
                break
    head: Piece = (" " * GUTTER, "")
    signs: list[Piece] = [(" ", "") if mark is None else (mark.sign, mark.style) for mark in row]
    return joined([head, *signs])


def _lengths(outages: Iterable[Outage], scale: _Scale) -> Line:
    """The length of each outage, beginning over its first cell; the newest has the right of way."""
    text = [" "] * scale.cells
    taken = scale.cells + 1
    for outage in sorted(outages, key=lambda outage: -outage.began_us):
        going_on = outage.ended_us is None
        begin = max(0, scale.cell(outage.began_us))
        end = scale.cells if outage.ended_us is None else scale.cell(outage.ended_us)
        words = f"{outage.seconds:.1f} s" + ("…" if going_on else "")
        begin = min(begin, scale.cells - len(words))
        if end < 0 or begin < 0 or begin + len(words) >= taken:
            continue
        text[begin : begin + len(words)] = words
        taken = begin
    return joined([(f"{'outage':<{GUTTER}}", FAINT), ("".join(text), f"{STRONG} {BAD}")])


def _legend(marks: Sequence[tuple[int, Mark]], cells: int, drawn: str) -> str:
    rare = {sign: word for sign, word in _RARE if sign in drawn}
    seen = rare | {mark.sign: mark.word for at, mark in marks if 0 <= at < cells}
    return "  ".join([LEGEND, *(f"{sign} {word}" for sign, word in seen.items())])


def _axis(scale: _Scale, legend: str) -> Line:
    """What the signs mean, and how long ago the cells are: `-20s`, `-10s`, `now`."""
    row = [" "] * scale.cells
    free = scale.cells - 3
    row[max(0, free) :] = "now"[: scale.cells]
    ago = _TICK_S
    ticks_from = cell_len(legend) - GUTTER + 2
    while True:
        words = f"-{ago}s"
        at = scale.cells - 1 - round(ago * 1_000_000 / scale.cell_us)
        if at <= ticks_from or at + len(words) >= free:
            break
        row[at : at + len(words)] = words
        free, ago = at, ago + _TICK_S
    text = " " * GUTTER + "".join(row)
    room = len(text.rstrip()) - len(text.strip())
    return ((legend + text[len(legend) :], FAINT),) if len(legend) < room else ((text, FAINT),)
