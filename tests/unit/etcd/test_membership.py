"""The IDs of members and clusters, and what etcd's versions ask of the voters before they take one more member."""

from __future__ import annotations

import pytest
from etcd_sandbox.etcd.version import bears_absence, cluster_id, hex_id, member_id, voters_needed

KNOWN = ["8211f1d0f64f3269", "91bc3c398fb3c146", "fd422379fda50e48"]


def test_the_ids_of_the_well_known_cluster_come_out() -> None:
    urls = [f"http://127.0.0.1:{port}" for port in (12380, 22380, 32380)]
    assert [member_id([url], "etcd-cluster-1") for url in urls] == KNOWN


def test_the_cluster_id_does_not_depend_on_the_order_of_its_members() -> None:
    assert cluster_id(KNOWN) == cluster_id(reversed(KNOWN)) == "ef37ad9dc622a7c4"


def test_the_order_of_a_members_urls_does_not_matter() -> None:
    assert member_id(["http://a:1", "http://b:1"], "t") == member_id(
        ["http://b:1", "http://a:1"], "t"
    )


def test_hex_has_no_leading_zeros() -> None:
    assert hex_id("61975869722018820") == "dc2eb9a36d4404"
    assert hex_id(3517084396909456240) == "30cf319feadb6b70"


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
