"""What a browser may send over its websocket: parsed at the door, so that nothing else gets further. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Struct

MOST_COLUMNS, MOST_ROWS = 1000, 500
"""A larger screen is nobody's, and would cost the dashboard its memory."""


class Typed(Struct, frozen=True):
    """Keys, or what was pasted."""

    text: str


class Resized(Struct, frozen=True):
    """How large the terminal in the page is now."""

    columns: int
    rows: int


class Pinged(Struct, frozen=True):
    """To be sent back."""

    word: str | int | float


class Looked(Struct, frozen=True):
    """The page has the keyboard now, or has not."""

    here: bool


Message = Typed | Resized | Pinged | Looked


def message_of(text: str) -> Message | None:
    """What the page says; None for what a newer page might say. Raises ValueError for anything else."""
    try:
        said = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
    match said:
        case ["stdin", str(keys)]:
            return Typed(keys)
        case ["resize", {"width": int(width), "height": int(height)}]:
            return Resized(*within(width, height))
        case ["ping", str(word) | int(word) | float(word)]:
            return Pinged(word)
        case ["blur", *_]:
            return Looked(here=False)
        case ["focus", *_]:
            return Looked(here=True)
        case [str(kind), *_] if kind not in ("stdin", "resize", "ping"):
            return None
    raise ValueError(f"no message of the page: {text[:80]!r}")


def within(columns: int, rows: int) -> tuple[int, int]:
    """The size of a screen that there can be."""
    return min(max(columns, 1), MOST_COLUMNS), min(max(rows, 1), MOST_ROWS)
