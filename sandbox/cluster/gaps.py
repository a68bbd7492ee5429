"""How long something was missing: pure sums over moments in monotonic seconds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def leaderless_s(changes: Sequence[tuple[float, str | None]], ended: float) -> float | None:
    """Seconds without a leader, over changes (moment, who leads from then on) in order.

    None when nobody led at the end. The first change says who led at the beginning.
    """
    if not changes or changes[-1][1] is None:
        return None
    total = 0.0
    for (began, leader), (until, _) in zip(changes, [*changes[1:], (ended, None)], strict=True):
        if leader is None:
            total += until - began
    return total


def longest_gap_s(successes: Sequence[float], began: float) -> float | None:
    """The longest time between neighbours among `successes`, from the last before `began` on.

    Without one before, `began` takes its place. None when nothing succeeded after `began`.
    """
    before = [moment for moment in successes if moment <= began]
    after = [moment for moment in successes if moment > began]
    if not after:
        return None
    points = [before[-1] if before else began, *after]
    return max(later - earlier for earlier, later in itertools.pairwise(points))
