"""What a process wrote, fit for a terminal that others write to as well: colours stay, the rest of what acts does not."""

from __future__ import annotations

import re

_ACTS = tuple(bytes([code]) for code in b"\x1b\r\x08\x07\x05\x0b\x0c\x0e\x0f")
"""Each is looked for by itself: that is four times as fast as one pass over them all (measured)."""

_C1 = re.compile(rb"\xc2[\x80-\x9f]")
_COLOURS = re.compile(rb"\x1b\[[0-9;:]{0,64}m")
_SEQUENCES = re.compile(
    rb"""(\x1b\[[0-9;:]{0,64}m)                            # a colour or weight: it may stay
      | (?:\x1b\]|\xc2\x9d)[^\x07\x1b\n]*(?:\x07|\x1b\\)?     # titles, links, the clipboard
      | (?:\x1b[PX^_]|\xc2[\x90\x98\x9e\x9f])[^\x1b\n]*(?:\x1b\\)?  # strings for devices
      | (?:\x1b\[|\xc2\x9b)[0-?]*[ -/]*[@-~]?                 # cursor, screen, modes
      | \x1b[ -/]+[0-~]?                                      # character sets
      | \x1b[0-~]?                                            # two characters
      | \xc2[\x80-\x9f]
    """,
    re.VERBOSE,
)
_LONE = re.compile(rb"\r(?=\n)|[\x05\x07\x08\x0b-\x0f]")


def harmless(lines: bytes) -> bytes:
    """Whole lines without what moves the cursor, clears the screen, sets a title or a mode.

    Control characters that act become the pictures of themselves (`␍`, `␈`), as in the dashboard; a
    carriage return before a newline goes. Bytes that do nothing to a terminal stay as they are.
    """
    # Nothing but colours is in most lines, and finding that out costs little.
    if not _acts(lines) or (b"\x1b" in lines and not _acts(_COLOURS.sub(b"", lines))):
        return lines
    # What is left of two broken sequences may be a whole one.
    return harmless(_LONE.sub(_picture, _SEQUENCES.sub(_kept, lines)))


def _acts(lines: bytes) -> bool:
    if any(code in lines for code in _ACTS):
        return True
    return not lines.isascii() and _C1.search(lines) is not None


def _kept(found: re.Match[bytes]) -> bytes:
    return found[1] or b""


def _picture(found: re.Match[bytes]) -> bytes:
    if found[0] == b"\r" and found.string[found.end() : found.end() + 1] == b"\n":
        return b""
    return chr(0x2400 + found[0][0]).encode()
