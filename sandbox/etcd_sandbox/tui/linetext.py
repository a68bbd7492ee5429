"""The text of a log line as it may be shown: decoded, without escape sequences, nothing that acts."""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

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


def shortened(text: str, columns: int) -> str:
    """At most that many columns of the text, with `…` where something is missing."""
    return text if cell_len(text) <= columns else set_cell_size(text, columns - 1).rstrip() + "…"
