"""What is said of a quorum, of alarms, and of members on etcd's list that we do not run."""

from __future__ import annotations

import pytest
from etcd_sandbox.words import shown


@pytest.mark.parametrize(
    ("healthy", "ok", "late", "said"),
    [
        (3, True, 0, "quorum: 3 of 3 healthy, 2 needed"),
        (1, False, 0, "no quorum: 1 of 3 healthy, 2 needed"),
        (1, False, 2, "quorum not known: 1 of 3 healthy, 2 needed, 2 do not answer in time"),
        (1, False, 1, "quorum not known: 1 of 3 healthy, 2 needed, 1 does not answer in time"),
        (0, False, 1, "no quorum: 0 of 3 healthy, 2 needed"),
        (1, True, 2, "quorum: a read was served, though only 1 of 3 answered in time"),
    ],
)
def test_a_quorum_is_said_to_be_there_or_not_only_where_that_is_proved(
    healthy: int, ok: bool, late: int, said: str
) -> None:
    assert shown.quorum(voters=3, needed=2, healthy=healthy, ok=ok, late=late) == said


def test_alarms_name_what_is_refused() -> None:
    up = [("NOSPACE", "infra1"), ("NOSPACE", "infra2"), ("CORRUPT", None)]
    assert shown.alarms(up) == [
        "puts are refused (NOSPACE on infra1, infra2)",
        "writes are refused (CORRUPT of a member that etcd does not name)",
    ]


def test_an_entry_of_etcds_list_says_whether_it_was_ever_started() -> None:
    entry = {
        "id": "bda5ba1474b2927",
        "name": "",
        "peer_urls": ["http://127.0.0.1:42380"],
        "learner": False,
        "started": False,
        "answers": False,
    }
    assert shown.listed(entry) == (
        "on etcd's member list, never started: bda5ba1474b2927, http://127.0.0.1:42380; "
        "counts for the quorum"
    )
    elsewhere = {**entry, "name": "infra4", "started": True, "answers": True, "learner": True}
    assert shown.listed(elsewhere).endswith("; answers, has no vote")
    remnant = {**entry, "name": "infra4", "started": True, "remnant": True}
    assert shown.listed(remnant).endswith("; it has no vote")


def test_a_quorum_of_voters_that_nobody_told_of_is_not_known() -> None:
    said = shown.quorum(voters=0, needed=0, healthy=0, ok=None)
    assert said == "quorum not known: no member with a vote is known here"
