"""What a process wrote, fit for a terminal that others write to as well: colours stay, the rest of what acts does not."""

from __future__ import annotations

import re

_ACTS = bytes({*range(0x20), 0x7F} - {*b"\t\n"})
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
_LONE = re.compile(rb"\r(?=\n)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]")


def harmless(lines: bytes) -> bytes:
    """Whole lines without what moves the cursor, clears the screen, sets a title or a mode.

    Control characters become the pictures of themselves (`␍`, `␈`), as in the dashboard; a carriage
    return before a newline goes. Bytes that do nothing to a terminal stay as they are.
    """
    # Nothing but colours is in most lines, and finding that out costs little.
    if not _acts(lines) or (b"\x1b" in lines and not _acts(_COLOURS.sub(b"", lines))):
        return lines
    # What is left of two broken sequences may be a whole one.
    return harmless(_LONE.sub(_picture, _SEQUENCES.sub(_kept, lines)))


def _acts(lines: bytes) -> bool:
    return len(lines.translate(None, _ACTS)) != len(lines) or (
        b"\xc2" in lines and _C1.search(lines) is not None
    )


def _kept(found: re.Match[bytes]) -> bytes:
    return found[1] or b""


def _picture(found: re.Match[bytes]) -> bytes:
    code = found[0][0]
    if found[0] == b"\r" and found.string[found.end() : found.end() + 1] == b"\n":
        return b""
    return chr(0x2421 if code == 0x7F else 0x2400 + code).encode()
