"""What etcd's versions ask of the voters before they take one more member."""

from __future__ import annotations

import pytest
from etcd_sandbox.etcd.reconfiguration import bears_absence, voters_needed


@pytest.mark.parametrize(
    ("version", "bears"),
    [
        ("3.4.23", False),
        ("3.5.1", False),
        ("3.5.29", False),
        ("3.5.30", True),
        ("3.6.0", False),
        ("3.6.10", False),
        ("3.6.11", True),
        ("3.7.0", True),
    ],
)
def test_one_place_knows_which_etcds_take_a_member_beside_a_dead_one(
    version: str, bears: bool
) -> None:
    assert bears_absence(version) is bears


@pytest.mark.parametrize(
    ("version", "voters", "needed"),
    [
        ("3.5.1", 3, 3),
        ("3.5.1", 5, 5),
        ("3.6.16", 2, 2),
        ("3.6.16", 3, 3),  # of four voters three have to be up, and the new one is not yet
        ("3.6.16", 4, 3),
        ("3.6.16", 5, 4),
        ("3.5.1", 1, 1),
        ("3.6.16", 1, 1),
    ],
)
def test_the_new_member_counts_as_a_voter_that_is_away(
    version: str, voters: int, needed: int
) -> None:
    assert voters_needed(version, voters) == needed
