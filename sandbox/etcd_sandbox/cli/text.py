"""Text for a terminal: its width in cells, its lines wrapped (also Chinese, which has no spaces), Markdown."""

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


WIDEST = 96
"""Longer lines are hard to read."""


def text_width() -> int:
    """How wide text is set now."""
    import shutil

    return max(20, min(WIDEST, shutil.get_terminal_size().columns - 2))


def markdown(text: str, *, colour: bool) -> str:
    """Markdown as text, wrapped, its last line ended."""
    import io

    from rich.console import Console
    from rich.markdown import Markdown
    from rich.theme import Theme

    # The library's own colours are made for dark screens.
    theme = Theme({"markdown.code": "cyan", "markdown.item.bullet": "", "markdown.link_url": ""})
    shown = io.StringIO()
    console = Console(
        file=shown,
        width=text_width(),
        theme=theme,
        color_system="standard" if colour else None,
        force_terminal=colour,
        highlight=False,
        legacy_windows=False,
    )
    page = Markdown(text, hyperlinks=False, code_theme="ansi_light")
    for token in page.parsed:
        before = ""
        for piece in token.children or ():
            if piece.type == "text":
                piece.content = breakable(piece.content, before)
            before = piece.content[-1:] or before
    console.print(page)
    lines = [line.rstrip() for line in shown.getvalue().replace(JOINT, "").splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def wrapped(text: str, mark: str = "") -> list[str]:
    """Plain text in lines, the first behind `mark`, the others under it; a long word stays whole."""
    from rich.console import Console
    from rich.text import Text

    first = f"{mark} " if mark else ""
    room = text_width() - cells(first)
    lines = Text(breakable(text), overflow="ignore").wrap(Console(width=room), room)
    under = " " * cells(first)
    return [
        f"{under if at else first}{line.plain.replace(JOINT, '').rstrip()}"
        for at, line in enumerate(lines)
    ]
