"""Text by the cells that a terminal gives it: Chinese takes two a character, and may break between them."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

JOINT = "\x1f"
"""Where a line may break without a space: no cell wide, and white space to whoever wraps the text."""

_NEVER_FIRST = frozenset("，。、；：？！）」』》〉】〕］｝…—～％ー.,;:?!)]}%")
_NEVER_LAST = frozenset("（「『《〈【〔［｛([{")


def cells(text: str) -> int:
    """How many cells the text is wide."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, width: int) -> str:
    """The text with blanks behind it, up to so many cells."""
    return text + " " * (width - cells(text))


def breakable(text: str, before: str = "") -> str:
    """The text with a `JOINT` wherever a line of Chinese, Japanese or Korean may break.

    `before` is the character in front of it, if there is one.
    """
    if text.isascii():
        return text
    joined = [text[:1]] if not before else []
    for left, right in pairwise(before + text):
        joined += [JOINT, right] if _may_break(left, right) else [right]
    return "".join(joined)


def _may_break(before: str, after: str) -> bool:
    return (
        (_is_wide(before) or _is_wide(after))
        and not (before.isspace() or after.isspace())
        and before not in _NEVER_LAST
        and after not in _NEVER_FIRST
    )


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in ("W", "F")
