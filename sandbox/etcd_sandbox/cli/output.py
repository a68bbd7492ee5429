"""The only place that writes to stdout: lines, tables, JSON, and the bytes of logs."""

from __future__ import annotations

import _thread
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from etcd_sandbox.cli.settings import settings
from etcd_sandbox.cli.text import cells as cells_of

PALETTE = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
"""SGR colours of the processes, by their index in the cluster. Red is left to what is wrong."""

GOOD, BAD, ODD, FAINT, STRONG = "32", "31", "33", "2", "1"

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


def colour() -> bool:
    """Whether stdout takes colours: a terminal, unless --no-color, $NO_COLOR or TERM=dumb says no."""
    return (
        not settings().no_color
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
        and sys.stdout.isatty()
    )


def of_process(name: str, index: int) -> Painted:
    """A process's or member's name in the colour that it has everywhere."""
    return Painted(name, PALETTE[index % len(PALETTE)])


def line(text: Cell = "") -> None:
    """One line."""
    sys.stdout.write(_paint(text, colour()) + "\n")


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


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    right: frozenset[str] | set[str] = frozenset(),
) -> None:
    """Aligned columns under their heads; those named in `right` are aligned to the right."""
    for text in table_lines(head, rows, right):
        line(text)


def table_lines(
    head: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    right: frozenset[str] | set[str] = frozenset(),
) -> list[str]:
    """The lines of `table`, coloured if stdout takes colours."""
    paint = colour()
    cells = [[Painted(name, STRONG) for name in head]]
    cells += [
        [cell if isinstance(cell, Painted) else Painted(cell) for cell in row] for row in rows
    ]
    widths = [max(cells_of(row[column].text) for row in cells) for column in range(len(head))]
    lines = []
    for row in cells:
        parts = []
        for name, cell, width in zip(head, row, widths, strict=True):
            room = " " * (width - cells_of(cell.text))
            text = _paint(cell, paint)
            parts.append(room + text if name in right else text + room)
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
