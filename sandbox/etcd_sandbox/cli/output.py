"""The only place that writes to stdout: lines, tables, JSON, the bytes of logs; and how text fits a terminal."""

from __future__ import annotations

import _thread
import io
import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, NoReturn, TextIO

from etcd_sandbox.cli.settings import settings

PALETTE = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
"""SGR colours of the processes, by their index in the cluster. Red is left to what is wrong."""

GOOD, BAD, ODD, FAINT, STRONG = "32", "31", "33", "2", "1"

_NUMBERS = {"TERM", "PID", "REVISION", "DB", "CPU", "MEMORY", "RESTARTS", "UPTIME"}
_NUMBERS |= {"MEMBERS", "PROCESSES", "LESSON", "MINUTES"}
"""The columns that are aligned to the right."""

WIDEST = 96
"""Longer lines are hard to read."""

JOINT = "\x1f"
"""Where a line may break without a space: no cell wide, and white space to whoever wraps the text."""

_NEVER_FIRST = frozenset("，。、；：？！）」』》〉】〕］｝…—～％ー.,;:?!)]}%")
_NEVER_LAST = frozenset("（「『《〈【〔［｛([{")

_pieces = _thread.allocate_lock()


class Unwritable(OSError):
    """Standard output takes nothing; not raised where its reader is gone (BrokenPipeError)."""


class _Stdout(io.FileIO):
    """Standard output, whose errors can be told from those of other files."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Unwritable(error.errno, error.strerror) from error


def own_stdout() -> None:
    """From now on what `sys.stdout` cannot write is told apart from what other files cannot take."""
    stream = io.BufferedWriter(_Stdout(1, "wb", closefd=False))
    sys.stdout = io.TextIOWrapper(
        stream,
        encoding=sys.stdout.encoding,
        errors="backslashreplace",
        line_buffering=stream.isatty(),
    )


class Painted(NamedTuple):
    """Text with a colour (an SGR number) that only a terminal shows."""

    text: str
    sgr: str = ""


Cell = str | Painted


def colour(stream: TextIO | None = None) -> bool:
    """Whether stdout, or the stream, takes colours: a terminal, unless --no-color, $NO_COLOR or TERM=dumb says no."""
    return (
        not settings().no_color
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
        and (stream or sys.stdout).isatty()
    )


def of_process(name: str, index: int) -> Painted:
    """A process's or member's name in the colour that it has everywhere."""
    return Painted(name, PALETTE[index % len(PALETTE)])


def line(text: Cell = "") -> None:
    """One line."""
    sys.stdout.write(_paint(text, colour()) + "\n")


def lines(texts: Iterable[Cell]) -> None:
    """A line each."""
    for each in texts:
        line(each)


def text(whole: str) -> None:
    """Text of several lines, as it is."""
    sys.stdout.write(whole)


def pieces(*texts: Cell) -> None:
    """One line of several pieces, each with its own colour."""
    paint = colour()
    sys.stdout.write("".join(_paint(text, paint) for text in texts) + "\n")


def next_step(command: str) -> None:
    """The next useful command, as a closing line; silent with -q."""
    chosen = settings()
    if not chosen.quiet:
        name = f"-c {chosen.cluster} " if chosen.cluster else ""
        line(f"next: etcd-sandbox {name}{command}")


def document(value: Any) -> None:
    """A JSON document, for a reader as well."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def record(value: Any) -> None:
    """A JSON object on one line; written at once, since more may follow much later."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def flush() -> None:
    """Show now what was printed."""
    sys.stdout.flush()


def screen(lines: Sequence[str]) -> None:
    """Replace what a terminal shows by `lines`."""
    sys.stdout.write("\x1b[H\x1b[2J" + "\n".join(lines) + "\n")
    sys.stdout.flush()


def is_terminal() -> bool:
    """Whether somebody looks at stdout."""
    return sys.stdout.isatty()


def table(rows: Sequence[Mapping[str, Cell]]) -> None:
    """Rows of cells by the heads of their columns, aligned."""
    lines(table_lines(rows))


def table_lines(rows: Sequence[Mapping[str, Cell]]) -> list[str]:
    """The lines of `table`, coloured if stdout takes colours."""
    paint, head = colour(), list(rows[0]) if rows else []
    shown = [[Painted(name, STRONG) for name in head]] if rows else []
    shown += [
        [cell if isinstance(cell, Painted) else Painted(cell) for cell in row.values()]
        for row in rows
    ]
    widths = [max(cells(row[column].text) for row in shown) for column in range(len(head))]
    lines = []
    for row in shown:
        parts = []
        for name, cell, width in zip(head, row, widths, strict=True):
            room = " " * (width - cells(cell.text))
            text = _paint(cell, paint)
            parts.append(room + text if name in _NUMBERS else text + room)
        lines.append("  ".join(parts).rstrip())
    return lines


def raw(data: bytes) -> None:
    """Bytes as they are, all of them, and never between the bytes of another thread.

    Blocks as long as nobody reads stdout; raises OSError when nobody can any more, Unwritable
    where it takes nothing.
    """
    with _pieces:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(1, view) :]
            except BrokenPipeError:
                raise
            except OSError as error:
                raise Unwritable(error.errno, error.strerror) from error


def leave(code: int) -> NoReturn:
    """End this process at once, though a thread may still be blocked on stdout."""
    # What was printed is flushed by then; flushing here could block for ever.
    os._exit(code)


def _paint(text: Cell, wanted: bool) -> str:
    if isinstance(text, str):
        return text
    return f"\x1b[{text.sgr}m{text.text}\x1b[0m" if wanted and text.sgr else text.text


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


def text_width() -> int:
    """How wide text is set now."""
    import shutil

    return max(20, min(WIDEST, shutil.get_terminal_size().columns - 2))


def markdown(text: str) -> str:
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
        color_system="standard" if colour() else None,
        force_terminal=colour(),
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
