"""Flags of one version in the words of another."""

from __future__ import annotations

import pytest
from etcd_sandbox.etcd.flags import carried_over


def by_name(words: str) -> dict[str, str]:
    pairs = (word.removeprefix("--").partition("=") for word in words.split())
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize(
    ("words", "version", "after"),
    [
        ("--name=a --pre-vote=true", "3.5.1", "--name=a --pre-vote=true"),
        # 3.6 still takes the experimental ones, 3.7 does not.
        ("--experimental-corrupt-check-time=1h", "3.6.16", "--experimental-corrupt-check-time=1h"),
        ("--experimental-corrupt-check-time=1h", "3.7.3", "--corrupt-check-time=1h"),
        (
            "--experimental-initial-corrupt-check=true",
            "3.7.3",
            "--feature-gates=InitialCorruptCheck=true",
        ),
        (
            "--experimental-initial-corrupt-check=1 --feature-gates=LeaseCheckpoint=true "
            "--experimental-enable-lease-checkpoint-persist=false",
            "3.7.3",
            "--feature-gates=LeaseCheckpoint=true,InitialCorruptCheck=true,LeaseCheckpointPersist=false",
        ),
        ("--debug=true", "3.5.1", "--log-level=debug"),
        ("--debug=false --name=a", "3.5.1", "--name=a"),
        ("--log-output=stdout", "3.5.1", "--log-outputs=stdout"),
        ("--enable-v2=false", "3.6.16", ""),
        # And the way back.
        ("--corrupt-check-time=1h", "3.5.1", "--experimental-corrupt-check-time=1h"),
        (
            "--feature-gates=InitialCorruptCheck=true,LeaseCheckpoint=false",
            "3.5.1",
            "--experimental-initial-corrupt-check=true --experimental-enable-lease-checkpoint=false",
        ),
        ("--feature-gates=SetMemberLocalAddr=false", "3.5.1", ""),
        # What the member's data makes superfluous.
        ("--discovery=http://127.0.0.1:1/x --name=a", "3.7.3", "--name=a"),
        ("--discovery-endpoints=127.0.0.1:1 --discovery-token=x", "3.5.1", ""),
        # A value may hold anything.
        (
            "--initial-cluster=a=http://127.0.0.1:1",
            "3.7.3",
            "--initial-cluster=a=http://127.0.0.1:1",
        ),
    ],
)
def test_what_means_the_same_is_carried_over(words: str, version: str, after: str) -> None:
    carried = carried_over(by_name(words), version, has_data=True)
    assert carried.problems == ()
    assert list(carried.flags.items()) == list(by_name(after).items())


@pytest.mark.parametrize(
    ("word", "version", "flag"),
    [
        ("--enable-v2=true", "3.6.16", "enable-v2"),
        ("--proxy=on", "3.6.16", "proxy"),
        ("--max-learners=2", "3.5.1", "max-learners"),
        ("--feature-gates=SetMemberLocalAddr=true", "3.5.1", "feature-gates"),
        ("--max-concurrent-streams=9", "3.5.1", "max-concurrent-streams"),
    ],
)
def test_what_has_no_like_is_a_problem(word: str, version: str, flag: str) -> None:
    assert [each.flag for each in carried_over(by_name(word), version, has_data=True).problems] == [
        flag
    ]


def test_without_data_a_member_needs_its_discovery() -> None:
    carried = carried_over({"discovery": "http://127.0.0.1:1/x"}, "3.7.3", has_data=False)
    assert [problem.flag for problem in carried.problems] == ["discovery"]
