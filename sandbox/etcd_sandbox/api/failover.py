"""Rounds of losing the leader: break it, measure, mend, again; and what the rounds come to."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from etcd_sandbox import verbs
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.verbs import Verb

if TYPE_CHECKING:
    from etcd_sandbox.control.client import ControlClient

WHOLE_POLL_S = 0.05


class Round(Struct, frozen=True, kw_only=True):
    """One round, counted from 1: what losing the leader did, and how long mending took."""

    number: int
    verdict: Verdict
    mended_s: float


class Spread(Struct, frozen=True, kw_only=True, rename={"least": "min", "most": "max"}):
    """Median, least and most of some seconds."""

    median: float
    least: float
    most: float


def rounds(client: ControlClient, how: Verb, count: int, *, timeout_s: float) -> Iterator[Round]:
    """So many rounds, each told when the cluster is whole again; `timeout_s` is for each step.

    However it ends, what it broke is mended: a generator that is closed, or interrupted, heals.
    Raises SandboxError for a cluster that is not whole to begin with, and when a round fails.
    """
    _check_whole(client)
    for number in range(1, count + 1):
        try:
            verdict = _act(client, how, ["leader"], timeout_s)
            began = time.monotonic()
            _mend(client, how, verdict.targets, timeout_s)
        except BaseException:
            with suppress(SandboxError):
                client.heal(wait=False, timeout_s=timeout_s)
                client.start(["members"], timeout_s=timeout_s)
            raise
        yield Round(number=number, verdict=verdict, mended_s=round(time.monotonic() - began, 3))


def spread(seconds: Sequence[float]) -> Spread | None:
    """What they come to; None of none."""
    if not seconds:
        return None
    median = round(statistics.median(seconds), 3)
    return Spread(median=median, least=min(seconds), most=max(seconds))


def histogram(seconds: Sequence[float], rows: int = 8) -> list[tuple[float, float, int]]:
    """At most `rows` classes of equal width, as (from, to, how many), without empty ones at the ends.

    The width is 1, 2 or 5 times a power of ten.
    """
    if not seconds:
        return []
    least, most = min(seconds), max(seconds)
    width = _round_width((most - least) / rows or most / rows or 0.01)
    while _place(most, width) - _place(least, width) >= rows:
        width = _round_width(width * 1.01)
    first = _place(least, width)
    counts = [0] * (_place(most, width) - first + 1)
    for value in seconds:
        counts[_place(value, width) - first] += 1
    return [
        (round((first + index) * width, 6), round((first + index + 1) * width, 6), count)
        for index, count in enumerate(counts)
    ]


def _place(value: float, width: float) -> int:
    # 1.2 / 0.2 is a little less than 6.
    return math.floor(round(value / width, 9))


def _round_width(width: float) -> float:
    power: float = 10 ** math.floor(math.log10(width))
    return next((step * power for step in (1, 2, 5) if step * power >= width), 10 * power)


def _check_whole(client: ControlClient) -> None:
    status = client.status()
    if not status["members"]:
        raise SandboxError("this cluster has no members", hint="etcd-sandbox up -n 3 makes one")
    bad = [
        f"{member['name']} is {member['state'] if member['state'] != 'running' else 'unhealthy'}"
        for member in status["members"]
        if not _is_well(member)
    ]
    if bad or status["faults"]:
        raise SandboxError(
            f"the cluster is not whole: {', '.join(bad) or 'it has faults'}",
            hint="etcd-sandbox heal, then etcd-sandbox start all",
        )
    if status["quorum"]["voters"] < 3:
        raise SandboxError(
            "without its leader nothing is left that could elect another",
            hint="a failover takes three members: etcd-sandbox up -n 3",
        )


def _mend(client: ControlClient, how: Verb, broken: Sequence[str], timeout_s: float) -> None:
    undo = verbs.named(how.undone_by)
    _act(client, undo, broken if undo.targets.selected else (), timeout_s)
    deadline = time.monotonic() + timeout_s
    while not all(_is_well(member) for member in client.status()["members"]):
        if time.monotonic() > deadline:
            raise TimedOut(f"the cluster is not whole again within {timeout_s:g} s")
        time.sleep(WHOLE_POLL_S)


def _act(client: ControlClient, verb: Verb, select: Sequence[str], timeout_s: float) -> Verdict:
    verdict = msgspec.convert(client.act(verb, select, timeout_s=timeout_s), Verdict)
    if not verdict.settled:
        raise TimedOut(f"the cluster has not settled within {timeout_s:g} s after {verb}")
    return verdict


def _is_well(member: dict[str, Any]) -> bool:
    return member["state"] == "removed" or bool(member["healthy"])
