"""Text in cells of a terminal: made safe, cut, wrapped, styled, in columns. No Textual here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from msgspec import Struct
from rich.cells import cell_len, set_cell_size

from etcd_sandbox.tui.colours import STRONG

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


SGR = re.compile(r"\x1b\[[0-9;]{0,64}m")
"""A change of colour or weight; the one kind of escape sequence that may be obeyed."""

_ESCAPES = re.compile(
    r"""\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?   # titles, links, the clipboard
      | \x1b[PX^_][^\x1b]*(?:\x1b\\)?        # strings for devices
      | \x1b\[[0-?]*[ -/]*[@-~]              # cursor, colours, modes
      | \x1b[ -/]+[0-~]                      # character sets
      | \x1b[0-Z\\^-~]                       # two characters
    """,
    re.VERBOSE,
)

_TURNING = (
    "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
"""They would change the direction, or end the line, of what stands around them."""

_PICTURES = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    **dict.fromkeys(map(ord, _TURNING), 0xFFFD),
    **dict.fromkeys(range(0xD800, 0xE000), 0xFFFD),
}


def decoded(line: bytes) -> str:
    """The text of the line; bytes that are not UTF-8 become U+FFFD, escape sequences nothing."""
    text = line.decode("utf-8", "replace").rstrip("\r")
    return _ESCAPES.sub("", text) if "\x1b" in text else text


def coloured(line: bytes) -> str:
    """As `visible`, with the sequences that change colours left in."""
    text = line.decode("utf-8", "replace").rstrip("\r")
    if "\x1b" not in text:
        return visible(text)
    pieces, start = [], 0
    for found in SGR.finditer(text):
        pieces += [visible(_ESCAPES.sub("", text[start : found.start()])), found[0]]
        start = found.end()
    pieces.append(visible(_ESCAPES.sub("", text[start:])))
    return "".join(pieces)


def visible(text: str) -> str:
    """Control characters as the pictures of themselves, tabs as spaces; the rest as it is."""
    if text.isascii() and text.isprintable():
        return text
    return text.expandtabs(8).translate(_PICTURES)


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
