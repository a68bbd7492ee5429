"""Where the figures go: the terminal, a JSON file, the page in `docs/`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from figures import Row, markdown

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- table -->", "<!-- /table -->"


def text(machine: dict[str, str], rows: Iterable[Row]) -> str:
    """The machine in one line, and the table."""
    return f"{'; '.join(f'{what}: {value}' for what, value in machine.items())}\n\n{markdown(rows)}"


def write_json(file: Path, machine: dict[str, str], rows: Iterable[Row]) -> None:
    """Everything that was measured, every round of it."""
    answer = {"schema": 1, "machine": machine, "rows": [row.to_json() for row in rows]}
    file.write_text(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")


def write_page(table: str) -> None:
    """Replace what stands between the page's markers."""
    page = PAGE.read_text()
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has lost its markers {BEGIN} and {END}")
    PAGE.write_text(f"{before}{begin}\n{table}\n{end}{after}")
