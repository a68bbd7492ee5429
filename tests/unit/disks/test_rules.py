"""What becomes of a call, by the rules in force."""

from __future__ import annotations

import errno

import pytest
from etcd_sandbox.disks.rules import Draws, Rule, meant, place_of

SLOW = Rule(1, "etcd1", "all", "sync", delay_s=0.5)
SLOW_WAL = Rule(2, "etcd1", "wal", "sync", delay_s=0.1)
FAIL_DB = Rule(3, "etcd1", "db", "sync", error=errno.EIO)
WRITES = Rule(4, "etcd1", "all", "write", delay_s=1.0)
TWICE = Rule(5, "etcd1", "wal", "sync", error=errno.ENOSPC, once=2)


@pytest.mark.parametrize(
    ("rules", "call", "place", "used", "found"),
    [
        ((), "fsync", "wal", {}, None),
        ((SLOW,), "fdatasync", "wal", {}, SLOW),
        ((SLOW,), "fsync", "db", {}, SLOW),
        ((SLOW,), "pwrite64", "db", {}, None),
        ((SLOW_WAL,), "fdatasync", "db", {}, None),
        ((WRITES,), "write", "wal", {}, WRITES),
        ((WRITES,), "ftruncate", "db", {}, WRITES),
        ((WRITES,), "fdatasync", "db", {}, None),
        # The later before the earlier, a failure before a delay.
        ((SLOW, SLOW_WAL), "fdatasync", "wal", {}, SLOW_WAL),
        ((FAIL_DB, SLOW._replace(number=9)), "fdatasync", "db", {}, FAIL_DB),
        # For so many calls, and then no more.
        ((TWICE, SLOW), "fdatasync", "wal", {5: 1}, TWICE),
        ((TWICE, SLOW), "fdatasync", "wal", {5: 2}, SLOW),
        ((TWICE,), "fdatasync", "wal", {5: 2}, None),
    ],
)
def test_a_call_falls_under_one_rule(
    rules: tuple[Rule, ...], call: str, place: str, used: dict[int, int], found: Rule | None
) -> None:
    assert meant(rules, call, place, used) == found


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/data/member/wal/0000000000000000-0000000000000000.wal", "wal"),
        ("/data/member/wal", "wal"),
        ("/data/member/snap/db", "db"),
        ("/data/member/wal.broken/x", None),
        ("socket:[12]", None),
        ("/data/member/snap/db (deleted)", "db"),
    ],
)
def test_a_file_is_known_by_its_directory(path: str, place: str | None) -> None:
    assert place_of(path, {"wal": "/data/member/wal", "db": "/data/member/snap"}) == place


def test_delays_are_drawn_within_the_jitter_and_again_by_the_seed() -> None:
    rule = SLOW._replace(jitter_s=0.2, seed=7)
    drawn = Draws()
    first = [drawn.delay_s(rule) for _ in range(200)]
    assert all(0.3 <= delay <= 0.7 for delay in first)
    assert max(first) - min(first) > 0.2
    again = Draws()
    assert [again.delay_s(rule) for _ in range(200)] == first
    assert {Draws().delay_s(SLOW) for _ in range(3)} == {0.5}
