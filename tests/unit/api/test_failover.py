"""Rounds against a supervisor that answers from a table; what the rounds come to."""

from __future__ import annotations

from typing import Any, cast

import pytest
from etcd_sandbox import verbs
from etcd_sandbox.api.failover import histogram, rounds, spread
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.verbs import Verb

WELL = {"name": "infra1", "state": "running", "healthy": True}


class Client:
    """Notes what it was told; `breaks` is the verb at which it raises."""

    def __init__(self, breaks: tuple[Verb, BaseException] | None = None, **status: Any) -> None:
        self.told: list[tuple[str, ...]] = []
        self.breaks = breaks
        self.answer = {
            "members": [WELL] * 3,
            "faults": [],
            "quorum": {"voters": 3},
            **status,
        }

    def status(self) -> dict[str, Any]:
        return self.answer

    def act(self, verb: Verb, select: tuple[str, ...] = (), **how: Any) -> dict[str, Any]:
        self.told.append((verb.name, *select))
        if self.breaks is not None and verb is self.breaks[0]:
            raise self.breaks[1]
        return {"verb": verb.name, "targets": ["infra2"]}

    def heal(self, **how: Any) -> dict[str, Any]:
        return self.act(verbs.HEAL, **how)

    def start(self, select: tuple[str, ...], **how: Any) -> dict[str, Any]:
        return self.act(verbs.START, select, **how)


def done(client: Client, how: Verb, count: int) -> int:
    return len(list(rounds(cast(ControlClient, client), how, count, timeout_s=1.0)))


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (verbs.KILL, [("kill", "leader"), ("start", "infra2")]),
        (verbs.STOP, [("stop", "leader"), ("start", "infra2")]),
        (verbs.PAUSE, [("pause", "leader"), ("resume", "infra2")]),
        (verbs.PARTITION, [("partition", "leader"), ("heal",)]),
    ],
)
def test_each_round_breaks_the_leader_and_mends_what_it_broke(
    how: Verb, told: list[tuple[str, ...]]
) -> None:
    client = Client()
    assert done(client, how, 2) == 2
    assert client.told == told * 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SandboxError("failed")])
@pytest.mark.parametrize("verb", [verbs.KILL, verbs.START])
def test_a_round_that_is_broken_off_mends_everything(verb: Verb, error: BaseException) -> None:
    client = Client(breaks=(verb, error))
    with pytest.raises(type(error)):
        done(client, verbs.KILL, 3)
    assert client.told[-2:] == [("heal",), ("start", "members")]


@pytest.mark.parametrize(
    ("status", "what"),
    [
        ({"members": []}, "has no members"),
        ({"members": [WELL, {**WELL, "healthy": False}]}, "not whole: infra1 is unhealthy"),
        (
            {"members": [WELL, {**WELL, "state": "exited", "healthy": False}]},
            "not whole: infra1 is exited",
        ),
        ({"faults": [{"kind": "slow"}]}, "it has faults"),
        ({"quorum": {"voters": 2}}, "nothing is left"),
    ],
)
def test_a_cluster_that_is_not_whole_is_left_alone(status: dict[str, Any], what: str) -> None:
    client = Client(**status)
    with pytest.raises(SandboxError, match=what):
        done(client, verbs.KILL, 1)
    assert client.told == []


def test_a_spread_is_median_least_and_most() -> None:
    found = spread([1.0, 3.0, 1.5])
    assert found is not None
    assert (found.median, found.least, found.most) == (1.5, 1.0, 3.0)
    assert spread([]) is None


@pytest.mark.parametrize(
    ("seconds", "classes"),
    [
        ([], []),
        ([1.2], [(1.2, 1.4, 1)]),
        ([0.0, 0.0], [(0.0, 0.01, 2)]),
        ([1.0, 1.05, 1.9], None),
        ([0.01, 30.0], None),
    ],
)
def test_a_histogram_counts_every_value_once_in_few_classes(
    seconds: list[float], classes: list[tuple[float, float, int]] | None
) -> None:
    found = histogram(seconds)
    if classes is not None:
        assert found == classes
    assert sum(count for _, _, count in found) == len(seconds)
    assert len(found) <= 8
    for low, high, count in found:
        assert sum(low <= value < high for value in seconds) == count
