"""What the table says of each member."""

from __future__ import annotations

import pytest
from etcd_sandbox.model.state import (
    ClusterStatus,
    Exit,
    MemberStatus,
    ProcessState,
    ProcessStatus,
    Role,
)
from etcd_sandbox.tui.memberrows import lines, state_words
from etcd_sandbox.tui.text import text_of

from tests.tui.samples import cluster, down, member, process, status

WIDE = 200


def rows(answer: ClusterStatus, width: int = WIDE, *, old: bool = False) -> list[str]:
    return [text_of(row.line).rstrip() for row in lines(answer, width, old=old)]


def test_the_leader_has_a_star_and_the_others_none() -> None:
    assert [row[0] for row in rows(status(member(1, leader=2), member(2, leader=2)))] == [
        " ",
        " ",
        "★",
    ]


def test_of_two_who_claim_to_lead_both_have_a_star_and_the_lower_term_is_stale() -> None:
    shown = rows(cluster(3, "partitioned"))
    assert [row[0] for row in shown[1:]] == ["★", "★", " "]
    assert "leader (stale)" in shown[1]
    assert "leader (stale)" not in shown[2]


def test_the_raft_index_tells_how_far_a_member_is_behind() -> None:
    answer = status(member(1, raft_index=120), member(2, raft_index=117), down(3))
    shown = rows(answer)
    assert " 120 " in shown[1]
    assert "117 -3" in shown[2]


@pytest.mark.parametrize(
    ("one", "links", "words"),
    [
        (member(1), "", "running"),
        (member(1), "cut off", "running · cut off"),
        (member(1, state=ProcessState.PAUSED), "", "paused"),
        (down(1), "", "exited: killed by SIGKILL"),
        (down(1), "cut off", "exited: killed by SIGKILL"),
        (
            process(state=ProcessState.BACKOFF, exit=Exit(code=1, signal=None, ts="")),
            "",
            "backoff: exit status 1",
        ),
        (
            process(
                state=ProcessState.FAILED,
                exit=Exit(code=None, signal=None, ts="", error="no such\nfile"),
            ),
            "",
            "failed: no such␊file",
        ),
        (process(state=ProcessState.RUNNING, exit=Exit(code=1, signal=None, ts="")), "", "running"),
    ],
)
def test_states_ends_and_faults_are_words(
    one: MemberStatus | ProcessStatus, links: str, words: str
) -> None:
    assert state_words(one, links) == words


def test_health_is_told_of_those_that_live() -> None:
    sick = member(2, role=Role.CANDIDATE, healthy=False)
    shown = rows(status(member(1), sick, down(3)))
    assert " healthy " in shown[1]
    assert " unhealthy " in shown[2]
    assert "healthy" not in shown[3]


def test_eighty_columns_keep_the_seven_columns_that_matter() -> None:
    for condition in ("healthy", "partitioned", "all down"):
        assert rows(cluster(3, condition), 79)[0].split()[:5] == [
            "MEMBER",
            "STATE",
            "ROLE",
            "TERM",
            "HEALTH",
        ]
        assert "PID" in rows(cluster(3, condition), 79)[0]


def test_a_very_long_name_leaves_room_for_the_rest() -> None:
    shown = rows(status(member(1, name="n" * 200), member(2)), 79)
    assert "PID" in shown[0]
    assert "…" in shown[1]
    assert shown[1].endswith("4242")


def test_other_processes_stand_below_under_a_head_of_their_own() -> None:
    shown = lines(status(member(1), processes=(process("app"),)), WIDE)
    assert [row.process for row in shown] == [None, "infra1", None, None, "app"]
    assert "COMMAND" in text_of(shown[3].line)


def test_without_members_the_processes_stand_alone() -> None:
    shown = lines(status(processes=(process("app"),)), WIDE)
    assert [row.process for row in shown] == [None, "app"]


def test_rows_are_named_by_their_process() -> None:
    shown = lines(status(member(1, process="etcd1")), WIDE)
    assert shown[1].process == "etcd1"
    assert "infra1" in text_of(shown[1].line)


def test_what_is_old_says_so_in_its_heads() -> None:
    shown = rows(status(member(1), processes=(process(),)), old=True)
    assert "MEMBER (old)" in shown[0]
    assert "PROCESS (old)" in shown[3]


def test_what_a_member_did_not_answer_is_a_dash() -> None:
    silent = down(1)
    assert rows(status(silent))[1].count(" -") >= 8
