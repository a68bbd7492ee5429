"""How long something was missing: histories as tables."""

from __future__ import annotations

import pytest

from sandbox.cluster.gaps import leaderless_s, longest_gap_s


@pytest.mark.parametrize(
    ("changes", "ended", "seconds"),
    [
        ([(0.0, "a")], 5.0, 0.0),
        ([(0.0, "a"), (1.0, None), (2.5, "b")], 5.0, 1.5),
        # Straight from one to the next, as at a transfer.
        ([(0.0, "a"), (1.0, "b")], 5.0, 0.0),
        # Two gaps add up.
        ([(0.0, "a"), (1.0, None), (2.0, "b"), (3.0, None), (3.5, "a")], 5.0, 1.5),
        # Told twice that there is none: it counts from the first.
        ([(0.0, "a"), (1.0, None), (1.2, None), (2.0, "b")], 5.0, 1.0),
        # Nobody led at the beginning: from then on.
        ([(0.0, None), (2.0, "b")], 5.0, 2.0),
        # It has not ended.
        ([(0.0, "a"), (1.0, None)], 5.0, None),
        ([(0.0, None)], 5.0, None),
        ([], 5.0, None),
    ],
)
def test_time_without_a_leader_is_summed_until_there_is_one(
    changes: list[tuple[float, str | None]], ended: float, seconds: float | None
) -> None:
    assert leaderless_s(changes, ended) == seconds


@pytest.mark.parametrize(
    ("successes", "began", "seconds"),
    [
        ([1.0, 1.5, 4.0, 4.5], 1.2, 2.5),
        # The gap that the verb makes begins at the last success before it.
        ([1.0, 4.0], 2.0, 3.0),
        # Gaps before the verb do not count.
        ([1.0, 9.0, 9.5, 10.0], 9.25, 0.5),
        # Without a success before, from the beginning.
        ([4.0, 4.5], 1.0, 3.0),
        # The longest of several.
        ([1.0, 2.0, 4.0, 5.0], 1.0, 2.0),
        # Nothing succeeded any more.
        ([1.0, 1.5], 2.0, None),
        ([], 2.0, None),
    ],
)
def test_the_read_gap_is_the_longest_time_between_two_successes(
    successes: list[float], began: float, seconds: float | None
) -> None:
    assert longest_gap_s(successes, began) == seconds
