"""Long text on several rows, broken where it reads well. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size

_PART = re.compile(r"[^ ,]*(?:, ?| |$)")
_JOINT = re.compile(r"=|(?<!:)(?<!:/)/+(?!/)")
_BETWEEN = " · "


def wrapped(text: str, width: int, *, indent: int = 0) -> list[str]:
    """Rows of at most `width` cells, broken after spaces and commas, else inside a word.

    Rows after the first are to be indented by so many cells.
    """
    rows: list[str] = []
    row, room = "", max(1, width)
    for found in _PART.findall(text):
        part = found
        if row and cell_len(row + part.rstrip()) > room:
            rows.append(row.rstrip())
            row, room = "", max(1, width - indent)
        while cell_len(part.rstrip()) > room:
            full, part = _cut(part, room)
            rows.append(full)
            room = max(1, width - indent)
        row += part
    return [*rows, row.rstrip()] if row or not rows else rows


def listed(items: Iterable[str], width: int) -> list[str]:
    """The items with dots between them, on rows that end between two items where that is possible."""
    rows: list[str] = []
    for item in items:
        if rows and cell_len(rows[-1] + _BETWEEN + item) <= width:
            rows[-1] += _BETWEEN + item
        else:
            rows += wrapped(item, width)
    return rows


def _cut(text: str, width: int) -> tuple[str, str]:
    """What fits, as far as its last slash or equals sign if it has one late enough, and the rest."""
    # A wide character that does not fit makes a space, which is none of the text's.
    fits = len(set_cell_size(text, width).rstrip())
    while fits > 1 and cell_len(text[:fits]) > width:
        fits -= 1
    at = max((found.end() for found in _JOINT.finditer(text, 0, fits)), default=0)
    end = at if at > fits // 3 else max(1, fits)
    return text[:end], text[end:]
