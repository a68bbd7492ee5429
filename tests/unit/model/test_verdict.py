"""Verdicts in words, as tables."""

from __future__ import annotations

from typing import Any

import pytest
from etcd_sandbox.model.service import How, LostWrites, Service
from etcd_sandbox.model.state import Quorum
from etcd_sandbox.model.verdict import Claim, Verdict, sentence
from msgspec.structs import replace

ON = Service(how=How.WENT_ON, gap_s=0.02, wait_s=0.001)


def failed(gap_s: float) -> Service:
    return Service(how=How.FAILED, gap_s=gap_s)


KEPT = Quorum(voters=3, needed=2, healthy=2, ok=True)
LOST = Quorum(voters=3, needed=2, healthy=0, ok=False)

ELECTED = Verdict(
    verb="kill",
    targets=("infra1",),
    leader_before="infra1",
    leader_after="infra3",
    term_before=2,
    term_after=3,
    leader_gap_s=1.1234,
    read_gap_s=1.1351,
    reads=failed(1.1351),
    quorum=KEPT,
    leaders=(Claim(member="infra3", term=3),),
    up=2,
    reach=2,
)
LEADERLESS = replace(
    ELECTED, leader_after=None, leader_gap_s=None, reads=None, quorum=LOST, leaders=()
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "infra1 → infra3 · term 2 → 3 · 1.12 s without a leader · reads failed for 1.14 s",
        ),
        ({"leader_gap_s": 0.0, "reads": ON}, "infra1 → infra3 · term 2 → 3 · reads went on"),
        (
            {"leader_after": "infra1", "term_after": 2, "leader_gap_s": 0.0, "reads": ON},
            "infra1 still leads · term 2 · reads went on",
        ),
        # In which term it leads is not known.
        (
            {"leader_after": "infra1", "term_after": None, "leader_gap_s": 0.0, "reads": ON},
            "infra1 still leads · reads went on",
        ),
        (
            {"leader_after": "infra1", "term_after": 5, "leader_gap_s": 0.5, "reads": failed(0.6)},
            "infra1 leads again · term 2 → 5 · 0.50 s without a leader · reads failed for 0.60 s",
        ),
        (
            {"leader_before": None, "term_before": None, "leader_gap_s": 0.0, "reads": ON},
            "infra3 leads · term 3 · reads went on",
        ),
        (
            {"leader_after": "infra1", "term_after": 2, "leader_gap_s": 0.5, "reads": failed(0.6)},
            "infra1 leads again · term 2 · 0.50 s without a leader · reads failed for 0.60 s",
        ),
        (
            {"leader_before": None, "leader_gap_s": 41.234, "reads": failed(41.3)},
            "there is a leader again, after 41.23 s: infra3 · term 3 · reads failed for 41.30 s",
        ),
        (
            {"leader_gap_s": 0.0, "reads": Service(how=How.WAITED, gap_s=0.3, wait_s=0.29)},
            "infra1 → infra3 · term 2 → 3 · reads waited for up to 0.29 s",
        ),
        (
            {"leader_gap_s": 0.0, "reads": Service(how=How.SLOW, gap_s=0.4, wait_s=0.41)},
            "infra1 → infra3 · term 2 → 3 · reads take up to 0.41 s",
        ),
        (
            {"leader_gap_s": 0.0, "reads": Service(how=How.FAILING, gap_s=9.1)},
            "infra1 → infra3 · term 2 → 3 · reads still fail, after 9.10 s",
        ),
        (
            {"leader_gap_s": 0.0, "reads": Service(how=How.WAITING, gap_s=9.1)},
            "infra1 → infra3 · term 2 → 3 · reads still wait, after 9.10 s",
        ),
        (
            {"leader_gap_s": 0.0, "reads": ON, "lost_writes": LostWrites(count=2, within_s=7.0)},
            "infra1 → infra3 · term 2 → 3 · reads went on · "
            "writes sent meanwhile wait for up to 7 s",
        ),
        (
            {"leader_gap_s": 0.0, "reads": ON, "writes": failed(0.7)},
            "infra1 → infra3 · term 2 → 3 · reads went on · writes failed for 0.70 s",
        ),
        # Not noticeably longer than the reads.
        (
            {"leader_gap_s": 0.0, "reads": failed(0.6), "writes": failed(0.8)},
            "infra1 → infra3 · term 2 → 3 · reads failed for 0.60 s",
        ),
        (
            {
                "leader_gap_s": 0.0,
                "reads": ON,
                "leaders": (Claim(member="infra3", term=3), Claim(member="infra1", term=2)),
            },
            "infra1 → infra3 · term 2 → 3 · reads went on · "
            "infra1 still believes that it leads (term 2)",
        ),
    ],
)
def test_a_leader_at_the_end_is_told_with_the_terms_and_the_gaps(
    changes: dict[str, Any], words: str
) -> None:
    assert sentence(replace(ELECTED, **changes)) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"up": 1, "reach": 1},
            "quorum lost: 1 of 3 up, 2 needed; reads and writes fail until a member returns",
        ),
        (
            {"up": 0, "reach": 0},
            "quorum lost: 0 of 3 up, 2 needed; reads and writes fail until a member returns",
        ),
        (
            {"up": 3, "reach": 1},
            "quorum lost: at most 1 of 3 reach each other, 2 needed; "
            "reads and writes fail until the links are healed",
        ),
        ({"up": 2, "reach": 2}, "no leader yet, though 2 of 3 could elect one"),
        (
            {"up": 3, "reach": 3, "silent": ("infra1", "infra3")},
            "who leads is not known: no answer in time from infra1, infra3",
        ),
        (
            {"up": 1, "reach": 1, "leaders": (Claim(member="infra1", term=2),)},
            "quorum lost: 1 of 3 up, 2 needed; reads and writes fail until a member returns; "
            "infra1 still believes that it leads (term 2)",
        ),
    ],
)
def test_no_leader_at_the_end_is_told_with_what_is_missing(
    changes: dict[str, Any], words: str
) -> None:
    assert sentence(replace(LEADERLESS, **changes)) == words


def test_nothing_is_said_where_nothing_was_measured() -> None:
    assert sentence(Verdict(verb="kill", targets=("infra1",))) == ""
