"""What a process wrote, fit for a terminal that others write to as well: colours stay, the rest of what acts does not."""

from __future__ import annotations

import re

_ACTS = tuple(bytes([code]) for code in b"\x1b\x08\x07\x05\x0b\x0c\x0e\x0f")
"""Each is looked for by itself: that is four times as fast as one pass over them all (measured)."""

_COLOURS = re.compile(rb"\x1b\[[0-9;:]{0,64}m")
_RETURN = re.compile(rb"\r(?!\r*\n)")
"""At the end of a line it changes nothing."""

_C1 = re.compile(rb"\xc2([\x80-\x9f])")
"""Control characters of one byte in Latin-1, as UTF-8 has them: each is short for ESC and a letter."""

_SEQUENCES = re.compile(
    rb"""\x1b(?:
        (\[[0-9;:]{0,64}m)                      # a colour or weight: it may stay
      | \][^\x07\x1b\n]*(?:\x07|\x1b\\)?        # titles, links, the clipboard
      | [PX^_][^\x1b\n]*(?:\x1b\\)?             # strings for devices
      | \[[0-?]*[ -/]*[@-~]?                    # cursor, screen, modes
      | [ -/]+[0-~]?                            # character sets
      | [0-~]?                                  # two characters
    )""",
    re.VERBOSE,
)
_LONE = re.compile(rb"[\x05\x07\x08\x0b\x0c\x0e\x0f]|\r(?!\r*\n)")


def harmless(lines: bytes) -> bytes:
    """Whole lines without what moves the cursor, clears the screen, sets a title or a mode.

    Control characters that act become the pictures of themselves (`␍`, `␈`), as in the dashboard.
    Bytes that do nothing to a terminal stay as they are.
    """
    # Nothing but colours is in most lines, and finding that out costs little.
    if not _acts(lines) or (b"\x1b" in lines and not _acts(_COLOURS.sub(b"", lines))):
        return lines
    spelt = lines if lines.isascii() else _C1.sub(_in_two, lines)
    # What is left of two broken sequences may be a whole one.
    return harmless(_LONE.sub(_picture, _SEQUENCES.sub(_kept, spelt)))


def _acts(lines: bytes) -> bool:
    if any(code in lines for code in _ACTS) or (b"\r" in lines and _RETURN.search(lines)):
        return True
    return not lines.isascii() and _C1.search(lines) is not None


def _in_two(found: re.Match[bytes]) -> bytes:
    return b"\x1b%c" % (found[1][0] - 0x40)


def _kept(found: re.Match[bytes]) -> bytes:
    return found[0] if found[1] else b""


def _picture(found: re.Match[bytes]) -> bytes:
    return chr(0x2400 + found[0][0]).encode()
