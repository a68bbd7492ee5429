"""One log line as rows: cleaned, etcd's in columns, coloured, marked where it matches, wrapped or cut; and which rows are on the screen."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct
from rich.ansi import AnsiDecoder
from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from etcd_sandbox.etcd.logline import LogLine, read_line
from etcd_sandbox.tui.logfilter import Listing
from etcd_sandbox.tui.logring import Line
from etcd_sandbox.tui.text import coloured, padded, visible

_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ](\d\d:\d\d:\d\d(?:[.,]\d+)?)")
_CAPNSLOG_CLOCK = re.compile(rb"\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d\.\d{3})")
_RAFT_CLOCK = re.compile(rb"raft\d{4}/\d\d/\d\d (\d\d:\d\d:\d\d)")

_IN_COLUMNS = frozenset({"level", "ts", "msg"})


class ZapLine(Struct, frozen=True):
    """What a line says. `clock` is HH:MM:SS.mmm as the line tells it, empty where it tells none."""

    clock: str
    level: str
    message: str
    fields: tuple[tuple[str, str], ...] = ()


def zap_line(line: bytes) -> ZapLine | None:
    """The parts of a line in zap's JSON or in 3.4's two shapes; None for any other text."""
    read = read_line(line)
    if read is None:
        return None
    return ZapLine(_clock(line, read), read.level or "", read.message, _fields(read))


def _clock(line: bytes, read: LogLine) -> str:
    if found := _ISO.match(read.text("ts")):
        return f"{found[1]:.12}"
    if isinstance(seconds := read.fields.get("ts"), float) and math.isfinite(seconds):
        # zap's own default, seconds since the epoch; shown in UTC as etcd's other forms are.
        whole, millis = divmod(int(seconds * 1000) % 86_400_000, 1000)
        return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{millis:03}"
    found_bytes = _CAPNSLOG_CLOCK.match(line) or _RAFT_CLOCK.match(line)
    return found_bytes[1].decode() if found_bytes else ""


def _fields(read: LogLine) -> tuple[tuple[str, str], ...]:
    fields = [
        (key, value_text(value)) for key, value in read.fields.items() if key not in _IN_COLUMNS
    ]
    # Where in etcd's code the line was written matters least: at the edge it is cut first.
    fields.sort(key=lambda field: field[0] == "caller")
    if read.package:
        fields.append(("package", read.package))
    return tuple(fields)


def value_text(value: object) -> str:
    """A field's value: text bare where that is clear, everything else as JSON."""
    if isinstance(value, str) and value and not re.search(r'[\s"=\\]', value):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


SHOWN_BYTES = 8192
"""Of a longer line only the beginning is shown; what is saved or copied has all of it."""

MESSAGE_COLUMNS = 44
"""In the pretty view the fields begin behind it, unless the message is longer or lines are wrapped."""

Cells = list[Segment]
"""A row of the screen. Making a Strip of it is left to the painter: each costs more than the row."""

_Run = tuple[str, Style]

_DIM = Style(dim=True)
_BOLD = Style(bold=True)
_ITALIC = Style(italic=True)
_FOUND = Style(reverse=True, bold=True)
_PLAIN = Style()
_TAME = Style(blink=False, blink2=False, conceal=False)
"""What a line may not do to its reader: blink, or hide its text."""

_LEVELS = {
    "debug": Style(dim=True),
    "info": _PLAIN,
    "warn": Style(color="yellow", bold=True),
    "error": Style(color="red", bold=True),
    "panic": Style(color="red", bold=True, reverse=True),
    "fatal": Style(color="red", bold=True, reverse=True),
}


class RowLayout(Struct, frozen=True):
    """How all lines are shown. `left` is the first column shown of lines that are not wrapped."""

    width: int
    ground: Style
    name_columns: int
    wrap: bool = False
    pretty: bool = False
    left: int = 0
    found: re.Pattern[str] | None = None


def rows(line: Line, layout: RowLayout, name_style: Style, *, marked: bool) -> list[Cells]:
    """The rows of a line, each exactly as wide as the screen; never none.

    The bar between name and text becomes ▶ in the first row of a line that is marked.
    """
    if line.skipped:
        text = f"… {line.skipped:,} line{'s' * (line.skipped != 1)} skipped …"
        return [_row([(text[: layout.width], _ITALIC)], layout)]
    name = padded(visible(line.process), layout.name_columns)
    runs = _pretty(line.data, layout) if layout.pretty else None
    if runs is None:
        runs = _raw(line.data)
    if (longer := len(line.data) - SHOWN_BYTES) > 0:
        runs.append((f" … {longer:,} bytes more", _ITALIC))
    if layout.found is not None:
        runs = _highlighted(runs, layout.found)
    first: list[_Run] = [(name, name_style), (" ▶ ", _BOLD) if marked else (" │ ", name_style)]
    columns = max(1, layout.width - layout.name_columns - 3)
    if not layout.wrap:
        return [_row(first + _cut(runs, layout.left, layout.left + columns), layout)]
    rest: list[_Run] = [(" " * layout.name_columns, _PLAIN), (" │ ", name_style)]
    return [
        _row((rest if number else first) + piece, layout)
        for number, piece in enumerate(_wrapped(runs, columns))
    ]


def _cut(runs: list[_Run], start: int, end: int) -> list[_Run]:
    if not all(text.isascii() for text, _ in runs):
        strip = Strip([Segment(*run) for run in runs]).crop(start, end)
        return [(segment.text, segment.style or _PLAIN) for segment in strip]
    cut: list[_Run] = []
    at = 0
    for text, style in runs:
        if at >= end:
            break
        cut.append((text[max(0, start - at) : end - at], style))
        at += len(text)
    return cut


def _raw(data: bytes) -> list[_Run]:
    text = coloured(data[:SHOWN_BYTES])
    if "\x1b" not in text:
        return [(text, _PLAIN)]
    decoded = AnsiDecoder().decode_line(text)
    plain = decoded.plain
    cuts = sorted({0, len(plain), *(at for span in decoded.spans for at in (span.start, span.end))})
    runs: list[_Run] = []
    for start, end in pairwise(cuts):
        style = _PLAIN
        for span in decoded.spans:
            if span.start <= start and end <= span.end and isinstance(span.style, Style):
                style += span.style + _TAME
        runs.append((plain[start:end], style))
    return runs


def _pretty(data: bytes, layout: RowLayout) -> list[_Run] | None:
    if len(data) > SHOWN_BYTES or (zap := zap_line(data)) is None:
        return None
    message = visible(zap.message)
    runs = [
        (f"{zap.clock:<12} ", _DIM),
        (f"{zap.level.upper():<5} ", _LEVELS.get(zap.level, _PLAIN)),
        (message, _PLAIN),
    ]
    if zap.fields:
        column = 0 if layout.wrap else MESSAGE_COLUMNS
        runs.append((" " * max(2, column - cell_len(message)), _PLAIN))
    for number, (key, value) in enumerate(zap.fields):
        runs.append((f"{' ' * bool(number)}{visible(key)}=", _DIM))
        runs.append((visible(value), _PLAIN))
    return runs


def _highlighted(runs: list[_Run], pattern: re.Pattern[str]) -> list[_Run]:
    text = "".join(run[0] for run in runs)
    spans = [found.span() for found in pattern.finditer(text) if found.end() > found.start()]
    if not spans:
        return runs
    marked: list[_Run] = []
    at = 0
    for run, style in runs:
        end = at + len(run)
        inside = {cut for span in spans for cut in span if at < cut < end}
        for start, stop in pairwise(sorted({at, end, *inside})):
            hit = any(left <= start and stop <= right for left, right in spans)
            marked.append((run[start - at : stop - at], style + _FOUND if hit else style))
        at = end
    return marked


def _wrapped(runs: list[_Run], columns: int) -> list[list[_Run]]:
    pieces: list[list[_Run]] = []
    left = list(reversed(runs))
    for text in chop_cells("".join(run[0] for run in runs), columns) or [""]:
        piece: list[_Run] = []
        missing = len(text)
        while missing and left:
            run, style = left.pop()
            if len(run) > missing:
                left.append((run[missing:], style))
                run = run[:missing]
            piece.append((run, style))
            missing -= len(run)
        pieces.append(piece)
    return pieces


def _row(runs: list[_Run], layout: RowLayout) -> Cells:
    used = sum(cell_len(text) for text, _ in runs)
    runs = [*runs, (" " * (layout.width - used), _PLAIN)]
    return [Segment(text, layout.ground + style) for text, style in runs if text]


Drawn = Callable[[int], list[Cells]]
"""The rows of the line of that number."""


class Row(NamedTuple):
    """A row of the screen: the number of its line, which row of the line it is, how it looks."""

    number: int
    part: int
    cells: Cells


class Place(NamedTuple):
    """A row of a line, whether the line is listed, kept, or not any more."""

    number: int
    part: int = 0


class Reader:
    """Where the screen stands among the listed lines. `top` is None while it follows the end."""

    def __init__(self, drawn: Drawn) -> None:
        self._drawn = drawn
        self.top: Place | None = None
        self.left_at = 0
        """The number that the next line would have got when the end was left."""

    def page(self, listing: Listing, height: int) -> list[Row]:
        """The rows that are seen; fewer than `height` only when there are no more."""
        if self.top is None:
            return self._last(listing, height)
        page: list[Row] = []
        for number in listing.from_(self.top.number, height + 1):
            skip = self.top.part if number == self.top.number else 0
            page += [Row(number, part, cells) for part, cells in self._rows(number) if part >= skip]
            if len(page) >= height:
                return page[:height]
        return self._last(listing, height)

    def leave_end(self, page: list[Row], end: int) -> None:
        """Stay with the rows that are seen. `end` is the number that the next line gets."""
        if self.top is None and page:
            self.top = Place(page[0].number, page[0].part)
            self.left_at = end

    def follow(self) -> None:
        self.top = None

    def go(self, listing: Listing, number: int, above: int) -> None:
        """Show that line, with about `above` rows above it."""
        before = listing.before(number, above)
        self.top = Place(before[0] if before else number)

    def restart_line(self) -> None:
        """Stay with the line, from its first row on: its rows have changed."""
        if self.top is not None:
            self.top = Place(self.top.number)

    def walk(self, listing: Listing, rows: int, height: int) -> None:
        """So many rows down, or up if negative; at the last row the end is followed again."""
        if self.top is None:
            return
        number, part = self._nearest(listing, self.top)
        while rows < 0:
            if part:
                step = min(part, -rows)
                part, rows = part - step, rows + step
            elif before := listing.before(number, 1):
                number = before[0]
                part, rows = len(self._drawn(number)) - 1, rows + 1
            else:
                break
        while rows > 0:
            rest = len(self._drawn(number)) - 1 - part
            if rest:
                step = min(rest, rows)
                part, rows = part + step, rows - step
            elif after := listing.from_(number + 1, 1):
                number, part, rows = after[0], 0, rows - 1
            else:
                break
            if rows == 0 and self._ends(listing, Place(number, part), height):
                self.top = None
                return
        self.top = Place(number, part)

    def _ends(self, listing: Listing, top: Place, height: int) -> bool:
        rows = -top.part
        for number in listing.from_(top.number, height + 1):
            rows += len(self._drawn(number))
            if rows > height:
                return False
        return True

    def _nearest(self, listing: Listing, place: Place) -> Place:
        listed = listing.from_(place.number, 1) or listing.before(place.number, 1)
        if not listed:
            return place
        return place if listed[0] == place.number else Place(listed[0])

    def _last(self, listing: Listing, height: int) -> list[Row]:
        page: list[Row] = []
        for number in reversed(listing.before(listing.ring.end, height)):
            page[:0] = [Row(number, part, cells) for part, cells in self._rows(number)]
            if len(page) >= height:
                return page[-height:]
        return page

    def _rows(self, number: int) -> enumerate[Cells]:
        return enumerate(self._drawn(number))
