"""What was measured, beside the bar it is held to, and how both are printed."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What a row's values are counted in."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    PERCENT = "% of a core"
    MEGABYTES = "MB"
    LINES_PER_SECOND = "lines/s"
    PUTS_PER_SECOND = "puts/s"
    RATIO = "×"


@dataclass(frozen=True, slots=True)
class Bar:
    """What the median or the worst round must reach: at most `limit`, or at least."""

    limit: float
    of_worst: bool = False
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a value per round. No values means that it could not be measured."""

    benchmark: str
    what: str
    unit: Unit
    values: tuple[float, ...]
    bars: tuple[Bar, ...] = ()
    note: str = ""
    more_is_better: bool = False

    @property
    def median(self) -> float:
        """The median round."""
        return statistics.median(self.values)

    @property
    def worst(self) -> float:
        """The worst round."""
        return min(self.values) if self.more_is_better else max(self.values)

    def verdict(self) -> str:
        """`met`, or by how much each bar was missed; empty without a bar."""
        if not self.bars or not self.values:
            return ""
        misses = [miss for bar in self.bars if (miss := self._miss(bar))]
        return "; ".join(misses) or "met"

    def to_json(self) -> dict[str, object]:
        """The row as one object, with every round."""
        there = bool(self.values)
        return {
            "benchmark": self.benchmark,
            "what": self.what,
            "unit": self.unit.value,
            "median": self.median if there else None,
            "worst": self.worst if there else None,
            "rounds": list(self.values),
            "bars": [
                {
                    "of": "worst" if bar.of_worst else "median",
                    "at_least" if bar.at_least else "at_most": bar.limit,
                }
                for bar in self.bars
            ],
            "verdict": self.verdict(),
            "note": self.note,
        }

    def _miss(self, bar: Bar) -> str:
        value = self.worst if bar.of_worst else self.median
        if value >= bar.limit if bar.at_least else value <= bar.limit:
            return ""
        which = "worst " if bar.of_worst else ""
        by = spell(abs(value - bar.limit), self.unit)
        return f"**{which}missed by {by}**"


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> tuple[float, ...]:
    """Round by round: both were measured one right after the other."""
    return tuple(n / d for n, d in zip(numerators, denominators, strict=True))


def spell(value: float, unit: Unit) -> str:
    """A value with its unit, as precise as it is worth."""
    match unit:
        case Unit.SECONDS:
            return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
        case Unit.MILLISECONDS:
            return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"
        case Unit.PERCENT:
            return f"{value:.2f} %"
        case Unit.MEGABYTES:
            return f"{value:.1f} MB"
        case Unit.LINES_PER_SECOND:
            return f"{round(value, -3):,.0f}"
        case Unit.PUTS_PER_SECOND:
            return f"{value:,.0f}"
        case Unit.RATIO:
            return f"{value:.2f} ×"


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table that also reads well as plain text."""
    head = ("what", "median", "worst", "rounds", "bar", "")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    rule = tuple("-" * width for width in widths)
    lines = [cells[0], rule, *cells[1:]]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    what = row.what
    bars = ", ".join(_bar(bar, row.unit) for bar in row.bars)
    if not row.values:
        return (what, row.note, "", "", bars, "")
    remark = "; ".join(filter(None, (row.verdict(), row.note)))
    return (
        what,
        spell(row.median, row.unit),
        spell(row.worst, row.unit) if len(row.values) > 1 else "",
        str(len(row.values)),
        bars,
        remark,
    )


def _bar(bar: Bar, unit: Unit) -> str:
    which = "worst " if bar.of_worst else ""
    sign = "≥" if bar.at_least else "≤"
    return f"{which}{sign} {spell(bar.limit, unit)}"
