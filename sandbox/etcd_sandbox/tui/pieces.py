"""Lines of text with styles, as the drawings make them and the widgets paint them. No Textual here."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size

Piece = tuple[str, str]
"""Text, and its style in words (`bold cyan`); text is never read as markup."""

Line = tuple[Piece, ...]

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    """Text from outside with what would act on a terminal made visible: `\\x1b` becomes `␛`."""
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return "�" if unicodedata.category(character) in _HIDDEN else character


def fit(text: str, width: int) -> str:
    """`text` cut to `width` cells, with an ellipsis where something is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def padded(text: str, width: int, *, right: bool = False) -> str:
    """`text` as exactly `width` cells: cut, or filled up with spaces on the side that is free."""
    shown = fit(text, width)
    room = " " * (width - cell_len(shown))
    return room + shown if right else shown + room


def joined(pieces: Iterable[Piece]) -> Line:
    """The pieces with neighbours of one style made one, so that there is less to paint."""
    line: list[Piece] = []
    for text, style in pieces:
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + text, style)
        else:
            line.append((text, style))
    return tuple(line)


def width_of(line: Line) -> int:
    """How many cells a line takes."""
    return sum(cell_len(text) for text, _ in line)


def text_of(line: Line) -> str:
    """A line without its styles."""
    return "".join(text for text, _ in line)
