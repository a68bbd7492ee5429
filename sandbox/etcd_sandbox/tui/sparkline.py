"""A series of points as a row of blocks, and its figures in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

Point = float | None
"""A value; None where nothing was measured."""

ZERO, BLOCKS = "▁", "▂▃▄▅▆▇█"
"""Nothing at all has a sign of its own, so that it differs from the smallest something."""

GAP = " "


def sparkline(points: Sequence[Point], width: int) -> str:
    """The last `width` points, the newest at the right, each a block up to the largest in view.

    The scale begins at zero. It is `width` cells wide, filled up at the left.
    """
    seen = in_view(points, width)
    most = max((point for point in seen if point is not None), default=0.0)
    return "".join(_block(point, most) for point in seen).rjust(max(0, width), GAP)


def in_view(points: Sequence[Point], width: int) -> list[Point]:
    """The points that a sparkline of this width shows."""
    return list(islice(points, max(0, len(points) - max(0, width)), None))


def latest(points: Sequence[Point]) -> Point:
    """The newest point that is one; None if there is none."""
    return next((point for point in reversed(points) if point is not None), None)


def largest(points: Sequence[Point]) -> Point:
    """The largest point; None if there is none."""
    return max((point for point in points if point is not None), default=None)


def rate(per_s: float) -> str:
    """How often a second: `0/s`, `0.4/s`, `120/s`, `12.3k/s`."""
    if per_s >= 9999.5:
        return f"{per_s / 1000:.1f}k/s"
    return f"{per_s:.0f}/s" if per_s == 0 or per_s >= 9.95 else f"{per_s:.1f}/s"


def _block(point: Point, most: float) -> str:
    if point is None:
        return GAP
    if point <= 0 or most <= 0:
        return ZERO
    return BLOCKS[round(point / most * (len(BLOCKS) - 1))]
