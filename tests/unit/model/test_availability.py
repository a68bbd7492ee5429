"""What a tenth of a second says, and what hindsight makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from etcd_sandbox.model.service import Bucket, Served, with_hindsight

SIGNS = {"y": Served.YES, "n": Served.NO, "l": Served.LATE, "?": Served.OPEN, " ": None}


@pytest.mark.parametrize(
    ("counts", "fared"),
    [
        ({"reads": 3, "asked": 3}, Served.YES),
        ({"reads": 3, "reads_failed": 2, "asked": 3}, Served.YES),
        ({"reads": 3, "reads_late": 1, "asked": 3}, Served.YES),
        # Late is not failed.
        ({"reads": 3, "reads_late": 3, "asked": 3}, Served.LATE),
        ({"reads_failed": 1, "reads_waiting": 2, "asked": 3}, Served.NO),
        ({"reads_waiting": 3, "asked": 3}, Served.OPEN),
        # Nobody leads, so what waits is not served.
        ({"reads_waiting": 3, "asked": 3, "leaderless": True}, Served.NO),
        ({"reads": 1, "asked": 3, "leaderless": True}, Served.YES),
        # With no member running none can be.
        ({}, Served.NO),
    ],
)
def test_a_tenth_is_what_its_requests_came_to(counts: dict[str, Any], fared: Served) -> None:
    assert Bucket(time_us=0, **counts).read is fared


def test_writes_are_told_only_where_some_are_tried() -> None:
    assert Bucket(time_us=0, reads=3, asked=3).written is None
    assert Bucket(time_us=0, writes=1).written is Served.YES
    assert Bucket(time_us=0, writes_failed=1).written is Served.NO
    assert Bucket(time_us=0, writes_waiting=1).written is Served.OPEN


@pytest.mark.parametrize(
    ("fared", "known"),
    [
        ("yyny", "yyny"),
        # What waited and was served was late; beside a failure nobody was served.
        ("y???l", "yllll"),
        ("y???n?y", "ynnnnny"),
        ("n???y", "nnnny"),
        # Requests come in their own rhythm.
        ("y?y?y", "yyyyy"),
        ("y??", "yyy"),
        # At the end it stays open.
        ("y????", "y????"),
        ("n????", "nnnnn"),
        ("???", "???"),
        (" ?y", " yy"),
        ("", ""),
    ],
)
def test_hindsight_tells_what_an_open_time_was(fared: str, known: str) -> None:
    found = with_hindsight([SIGNS[sign] for sign in fared])
    assert found == [SIGNS[sign] for sign in known]
