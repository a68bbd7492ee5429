from __future__ import annotations

import re

import pytest
from etcd_sandbox.etcd.flags import FlagProblem, compose, unknown_flags, value_problems
from etcd_sandbox.etcd.flagtable import flag_table, takes_value
from etcd_sandbox.etcd.memberflags import read_flags
from etcd_sandbox.etcd.version import parse


def hints(flag: str, version: str) -> list[str]:
    return [problem.hint for problem in unknown_flags([flag], version)]


def test_flags_are_composed_in_their_order_with_booleans_as_go_writes_them() -> None:
    flags: dict[str, str | int | float | bool] = {
        "name": "infra1",
        "pre-vote": True,
        "enable-pprof": False,
        "snapshot-count": 100,
    }
    assert compose("/bin/etcd", flags) == (
        "/bin/etcd",
        "--name=infra1",
        "--pre-vote=true",
        "--enable-pprof=false",
        "--snapshot-count=100",
    )


@pytest.mark.parametrize("version", ["3.4.23", "3.5.1", "3.6.16", "3.7.3", "3.5"])
def test_common_flags_are_known_everywhere(version: str) -> None:
    assert unknown_flags(["name", "--data-dir", "-heartbeat-interval", "pre-vote"], version) == []


@pytest.mark.parametrize(
    ("flag", "version", "hint"),
    [
        ("max-learners", "3.5.1", "known to etcd 3.6 and later"),
        (
            "memory-mlock",
            "3.5.1",
            "known to etcd 3.6 and later; in etcd 3.5.1 it is called 'experimental-memory-mlock'",
        ),
        (
            "experimental-memory-mlock",
            "3.7.3",
            "known to etcd 3.5 to 3.6; since 3.6 it is called 'memory-mlock'",
        ),
        (
            "experimental-initial-corrupt-check",
            "3.7.3",
            "known to etcd 3.4 to 3.6; instead of it: feature-gates = 'InitialCorruptCheck=true'",
        ),
        ("debug", "3.5.1", "known to etcd 3.4 only; instead of it: log-level = 'debug'"),
        (
            "max-concurrent-streams",
            "3.5.1",
            "known to etcd 3.4 from 3.4.20 on and 3.5.5 and later",
        ),
        ("enable-v2", "3.6.16", "known to etcd 3.4 to 3.5"),
        ("hartbeat-interval", "3.5.1", "did you mean 'heartbeat-interval'?"),
        ("max-lerners", "3.5.1", "did you mean 'max-learners'? known to etcd 3.6 and later"),
        ("nonsense", "3.5.1", "no etcd from 3.4 to 3.7 has it"),
    ],
)
def test_an_unknown_flag_comes_with_the_mend(flag: str, version: str, hint: str) -> None:
    assert hints(flag, version) == [hint]


def test_the_problem_names_the_flag_as_it_was_given() -> None:
    assert [problem.flag for problem in unknown_flags(["--nonsense"], "3.5.1")] == ["--nonsense"]


def test_patch_releases_count() -> None:
    assert hints("max-concurrent-streams", "3.5.4")
    assert not hints("max-concurrent-streams", "3.5.5")
    assert not hints("max-concurrent-streams", "3.4.23")
    assert hints("experimental-compaction-sleep-interval", "3.5.15")
    assert not hints("experimental-compaction-sleep-interval", "3.5.33")


def test_of_a_bare_series_its_last_release_is_meant() -> None:
    assert not hints("max-concurrent-streams", "3.5")
    assert hints("max-learners", "3.5")


def test_of_versions_before_the_table_nothing_is_said() -> None:
    assert unknown_flags(["nonsense"], "3.3.10") == []


def test_every_new_name_in_the_table_is_a_flag_of_the_table() -> None:
    table = flag_table()
    for facts in table.values():
        new_name = facts.new_name.partition("=")[0]
        assert not new_name or new_name in table


def test_names_and_spans_of_the_table_are_well_formed() -> None:
    for name, facts in flag_table().items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert facts.takes_value == takes_value(name)
        assert all(
            first >= parse("3.4") and (end is None or first < end) for first, end in facts.spans
        )


def test_only_impossible_timers_are_a_problem() -> None:
    def problems(heartbeat_ms: int, election_ms: int) -> list[FlagProblem]:
        argv = [f"--heartbeat-interval={heartbeat_ms}", f"--election-timeout={election_ms}"]
        return value_problems(read_flags(argv, {}, str))

    assert problems(100, 1000) == []
    assert problems(10, 50) == []
    assert problems(100, 499) == [
        FlagProblem(
            "election-timeout",
            "499 ms is too short: etcd wants at least 5 × heartbeat-interval, 500 ms",
        )
    ]
    assert problems(100, 50_000) == []
    assert problems(100, 50_001) == [
        FlagProblem("election-timeout", "50001 ms is too long: etcd takes up to 50000 ms")
    ]
