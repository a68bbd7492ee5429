"""Tables as lines: aligned columns, of which the least wanted go first when the room is short."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len

from etcd_sandbox.tui.pieces import Line, Piece, joined, padded
from etcd_sandbox.tui.widgets.colours import STRONG

GAP = 2


class Column(Struct, frozen=True, kw_only=True):
    """One column. `wanted` is 0 for one that always stays; of the others the highest goes first.

    `least` is the width that it keeps when its texts are shorter, so that the table does not
    jump; `squeezed` is how narrow a column that stays may be made when there is no other way.
    """

    head: str
    least: int = 0
    right: bool = False
    wanted: int = 0
    squeezed: int | None = None


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Piece]], width: int
) -> tuple[Line, list[Line]]:
    """The head and the rows, each at most `width` cells wide."""
    widths = [
        max(column.least, cell_len(column.head), *(cell_len(row[i][0]) for row in rows), 0)
        for i, column in enumerate(columns)
    ]
    kept = _kept(columns, widths, width)
    _squeeze(columns, widths, kept, width)
    head = _line([(column.head, STRONG) for column in columns], columns, widths, kept, width)
    return head, [_line(row, columns, widths, kept, width) for row in rows]


def _kept(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    kept = {i for i, column in enumerate(columns) if column.wanted == 0}
    room = width - sum(widths[i] + GAP for i in kept) + GAP
    for i in sorted(range(len(columns)), key=lambda i: columns[i].wanted):
        if i in kept:
            continue
        room -= widths[i] + GAP
        if room < 0:
            break
        kept.add(i)
    return sorted(kept)


def _squeeze(columns: Sequence[Column], widths: list[int], kept: Sequence[int], width: int) -> None:
    over = sum(widths[i] + GAP for i in kept) - GAP - width
    for i in sorted(kept, key=lambda i: -widths[i]):
        least = columns[i].squeezed
        if over <= 0 or least is None:
            continue
        less = max(0, min(over, widths[i] - least))
        widths[i] -= less
        over -= less


def _line(
    row: Sequence[Piece],
    columns: Sequence[Column],
    widths: Sequence[int],
    kept: Sequence[int],
    width: int,
) -> Line:
    pieces: list[Piece] = []
    room = width
    for i in kept:
        text, style = row[i]
        if pieces:
            pieces.append((" " * min(GAP, room), ""))
            room -= min(GAP, room)
        take = min(widths[i], room)
        pieces.append((padded(text, take, right=columns[i].right), style))
        room -= take
    return joined(pieces)
