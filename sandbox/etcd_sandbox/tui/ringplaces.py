"""Where the members stand in the picture of a cluster: on an ellipse, none covering another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

_FLATNESSES = (3.2, 5.0, math.inf)
"""How many cells a ring may be wide for each that it is high, tried in turn; a circle has 2."""


class Place(Struct, frozen=True):
    """Where a label stands: the cell of its middle, and its first cell."""

    middle: tuple[float, float]
    x: int
    y: int
    width: int


def places_of(widths: Sequence[int], rows: int, width: int, height: int) -> list[Place] | None:
    """The places of labels that are so wide and `rows` high, the first at the top; None without room."""
    for flattest in _FLATNESSES:
        places = _places(widths, rows, width, height, flattest)
        if places is not None and not _overlap(places, rows):
            return places
    return None


def _places(
    widths: Sequence[int], rows: int, width: int, height: int, flattest: float
) -> list[Place] | None:
    across = (width - max(widths)) / 2
    down = (height - rows) / 2
    if across < 0 or down < 0:
        return None
    across = min(across, flattest * max(down, 1.5))
    places = []
    for (right, low), taken in zip(_corners(len(widths)), widths, strict=True):
        x = round((width - taken) / 2 + across * right)
        x, y = max(0, min(width - taken, x)), round((height - rows) / 2 + down * low)
        places.append(Place((x + (taken - 1) / 2, y + (rows - 1) / 2), x, y, taken))
    return places


def _overlap(places: Sequence[Place], rows: int) -> bool:
    """Whether two stand in each other's way; labels of two rows need one free between them."""
    apart = rows + 1 if rows > 1 else rows
    return any(
        abs(one.y - another.y) < apart
        and one.x <= another.x + another.width
        and another.x <= one.x + one.width
        for i, one in enumerate(places)
        for another in places[:i]
    )


def _corners(count: int) -> list[tuple[float, float]]:
    """The members on a circle, the first at the top, stretched so that they reach all four sides."""
    if count == 1:
        return [(0.0, 0.0)]
    if count == 2:
        return [(-1.0, 0.0), (1.0, 0.0)]
    angles = [2 * math.pi * i / count - math.pi / 2 for i in range(count)]
    rights, lows = [math.cos(angle) for angle in angles], [math.sin(angle) for angle in angles]
    return list(zip(_stretched(rights), _stretched(lows), strict=True))


def _stretched(values: Sequence[float]) -> list[float]:
    least, most = min(values), max(values)
    # Rounded, so that members at the same height stand in the same row.
    return [round(2 * (value - least) / (most - least) - 1, 6) for value in values]
