"""Shows a lesson's Markdown as text for the terminal: wrapped, with colours where it takes them."""

from __future__ import annotations

import shutil

from etcd_sandbox.cli import output
from etcd_sandbox.cli.cells import JOINT, breakable, cells

WIDEST = 96
"""Longer lines are hard to read."""


def width() -> int:
    """How wide text is set now."""
    return max(20, min(WIDEST, shutil.get_terminal_size().columns - 2))


def markdown(text: str) -> str:
    """The text as it is shown, its last line ended."""
    import io

    from rich.console import Console
    from rich.markdown import Markdown
    from rich.theme import Theme

    # The library's own colours are made for dark screens.
    theme = Theme({"markdown.code": "cyan", "markdown.item.bullet": "", "markdown.link_url": ""})
    shown = io.StringIO()
    console = Console(
        file=shown,
        width=width(),
        theme=theme,
        color_system="standard" if output.colour() else None,
        force_terminal=output.colour(),
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
    room = width() - cells(first)
    lines = Text(breakable(text), overflow="ignore").wrap(Console(width=room), room)
    under = " " * cells(first)
    return [
        f"{under if at else first}{line.plain.replace(JOINT, '').rstrip()}"
        for at, line in enumerate(lines)
    ]
