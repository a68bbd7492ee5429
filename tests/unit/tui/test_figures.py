"""Points as blocks, and figures in words."""

from __future__ import annotations

import pytest
from etcd_sandbox.tui.figures import in_view, largest, latest, rate, sparkline
from hypothesis import given
from hypothesis import strategies as st

POINTS = st.lists(st.none() | st.floats(min_value=0, max_value=1e9), max_size=50)


def test_the_newest_point_is_at_the_right_and_the_left_is_filled_up() -> None:
    assert sparkline([1.0, 2.0], 5) == "   ▅█"


def test_the_oldest_points_are_the_ones_that_are_not_seen() -> None:
    assert sparkline([9.0, 0.0, 3.0], 2) == "▁█"


def test_the_scale_is_of_what_is_in_view() -> None:
    assert sparkline([1000.0, 1.0, 1.0], 2) == "██"


def test_a_gap_is_neither_zero_nor_the_least() -> None:
    assert sparkline([0.0, None, 0.001, 100.0], 4) == "▁ ▂█"


def test_nothing_but_zeros_is_a_line_at_the_bottom() -> None:
    assert sparkline([0.0, 0.0], 2) == "▁▁"


def test_the_largest_block_is_for_the_largest_alone() -> None:
    assert sparkline([90.0, 100.0], 2) == "▇█"


@given(POINTS, st.integers(min_value=0, max_value=60))
def test_it_is_as_wide_as_asked_and_has_a_gap_for_each_gap(
    points: list[float | None], width: int
) -> None:
    drawn = sparkline(points, width)
    assert len(drawn) == width
    seen = in_view(points, width)
    assert [block == " " for block in drawn[width - len(seen) :]] == [
        point is None for point in seen
    ]


def test_latest_and_largest_pass_over_gaps() -> None:
    assert (latest([1.0, 3.0, 2.0, None]), largest([1.0, 3.0, 2.0, None])) == (2.0, 3.0)
    assert (latest([None]), largest([])) == (None, None)


@pytest.mark.parametrize(
    ("per_s", "words"),
    [(0.0, "0/s"), (0.4, "0.4/s"), (9.96, "10/s"), (9999.0, "9999/s"), (12345.0, "12.3k/s")],
)
def test_a_rate_is_told_by_the_second(per_s: float, words: str) -> None:
    assert rate(per_s) == words
