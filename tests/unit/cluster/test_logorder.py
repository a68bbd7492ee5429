"""Lines of several logs in the order in which they were written: who was read first does not matter."""

from __future__ import annotations

from itertools import permutations

import pytest
from etcd_sandbox.cluster.raft import Heard, in_order
from etcd_sandbox.etcd.raftlog import Sign, SignKind

STANDS, LEADS, ELECTED = SignKind.BECAME_CANDIDATE, SignKind.BECAME_LEADER, SignKind.ELECTED
READ_US = 1_795_332_502_900_000


def heard(process: str, kind: SignKind, term: int, ms: int | None, *, pre: bool = False) -> Heard:
    """Written so many milliseconds before it was read; None: the line does not say when."""
    time_us = None if ms is None else READ_US - ms * 1000
    sign = Sign(kind=kind, member_id=process, term=term, pre_vote=pre, time_us=time_us)
    return Heard(process, sign, READ_US)


def story(found: list[Heard]) -> list[str]:
    return [
        f"{each.process} {'pre-' * each.sign.pre_vote}{each.sign.kind} {each.sign.term}"
        for each in found
    ]


A = [
    heard("a", STANDS, 1, 40, pre=True),
    heard("a", STANDS, 2, 39),
    heard("a", STANDS, 3, 10),
    heard("a", LEADS, 3, 8),
]
B = [heard("b", STANDS, 2, 38), heard("b", ELECTED, 3, 7)]
C = [heard("c", ELECTED, 3, 8)]


@pytest.mark.parametrize("logs", list(permutations([A, B, C])))
def test_whichever_log_is_read_first_the_story_is_the_same(logs: list[list[Heard]]) -> None:
    assert story(in_order([line for log in logs for line in log])) == [
        "a pre-became-candidate 1",
        "a became-candidate 2",
        "b became-candidate 2",
        "a became-candidate 3",
        "a became-leader 3",
        "c elected 3",
        "b elected 3",
    ]


@pytest.mark.parametrize("first", ["a", "b"])
def test_where_only_the_second_is_known_who_stands_comes_before_who_is_elected(first: str) -> None:
    logs = {
        "a": [heard("a", STANDS, 2, None), heard("a", LEADS, 2, None)],
        "b": [heard("b", ELECTED, 2, None)],
    }
    order = ["a", "b"] if first == "a" else ["b", "a"]
    assert story(in_order([line for name in order for line in logs[name]])) == [
        "a became-candidate 2",
        "a became-leader 2",
        "b elected 2",
    ]


def test_the_lines_of_one_log_keep_their_order_whatever_their_times() -> None:
    backwards = [heard("a", STANDS, 2, 5), heard("a", LEADS, 2, 9)]
    assert in_order(backwards) == backwards


def test_a_time_that_cannot_be_is_taken_for_that_of_the_reading() -> None:
    assert heard("a", STANDS, 2, 3_600_000).at_us == READ_US
    assert heard("a", STANDS, 2, -3_600_000).at_us == READ_US
    assert heard("a", STANDS, 2, 7).at_us == READ_US - 7000
