"""One direction between two members: what is drawn, and how much passes in a second."""

from __future__ import annotations

from itertools import pairwise

import pytest
from etcd_sandbox.links.lane import RETRANSMITTED_AFTER_S, Lane
from etcd_sandbox.model.fault import Rule

STALLS = Rule(stall=0.05, seed=7)


@pytest.mark.parametrize(
    ("rule", "clear"),
    [
        (Rule(), True),
        (Rule(seed=3), True),
        (Rule(cut=True), False),
        (Rule(delay_s=0.1), False),
        (Rule(bytes_per_s=1.0), False),
        (Rule(stall=0.1), False),
        (Rule(reset=0.1), False),
    ],
)
def test_only_without_any_trouble_bytes_pass_by_themselves(rule: Rule, clear: bool) -> None:
    assert Lane(rule).is_clear is clear


def test_a_share_of_the_pieces_is_late_by_a_retransmission_or_several() -> None:
    lane = Lane(STALLS)
    late = [lane.late_s() for _ in range(20_000)]
    again = [each for each in late if each]
    assert 0.045 < len(again) / len(late) < 0.055
    assert min(again) == RETRANSMITTED_AFTER_S
    twice = [each for each in again if each > RETRANSMITTED_AFTER_S]
    assert min(twice) == pytest.approx(3 * RETRANSMITTED_AFTER_S)
    assert 0.03 < len(twice) / len(again) < 0.07


def test_a_share_of_the_pieces_breaks_the_connection() -> None:
    lane = Lane(Rule(reset=0.01, seed=7))
    assert 150 < sum(lane.breaks() for _ in range(20_000)) < 250
    assert not any(Lane(STALLS).breaks() for _ in range(1000))


def test_a_seed_draws_the_same_again_and_another_pair_something_else() -> None:
    def drawn(seed: int | None, pair: tuple[str, str]) -> list[float]:
        lane = Lane(Rule(stall=0.5, jitter_s=0.1, delay_s=0.1, seed=seed), pair)
        return [lane.late_s() for _ in range(50)]

    assert drawn(7, ("a", "b")) == drawn(7, ("a", "b"))
    assert drawn(7, ("a", "b")) != drawn(7, ("b", "a"))
    assert drawn(7, ("a", "b")) != drawn(8, ("a", "b"))
    assert drawn(None, ("a", "b")) != drawn(None, ("a", "b"))


def test_all_connections_of_a_pair_share_what_may_pass_in_a_second() -> None:
    lane = Lane(Rule(bytes_per_s=1000.0))
    slots = [lane.slot(100, 50.0) for _ in range(20)]
    # What was not used for a moment is made up for, and no more than that.
    assert slots[0] == pytest.approx(50.0)
    assert [later - earlier for earlier, later in pairwise(slots)] == pytest.approx([0.1] * 19)


def test_a_limited_connection_holds_little_and_more_where_it_is_also_late() -> None:
    assert Lane(Rule()).most_held == 4 << 20
    assert Lane(Rule(bytes_per_s=1e6)).most_held == 64 << 10
    assert Lane(Rule(bytes_per_s=1e6, delay_s=1.0)).most_held == 1_000_000 + (64 << 10)
    assert Lane(Rule(bytes_per_s=1e9, delay_s=1.0)).most_held == 4 << 20
