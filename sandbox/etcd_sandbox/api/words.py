"""What the clusters of the Python API have in common: answers as values, and facts of the plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.api.checks import check_seconds
from etcd_sandbox.control.wire import Frame, LinesFrame
from etcd_sandbox.errors import InputError, TimedOut
from etcd_sandbox.etcd.datadir import is_of_proxy
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.model.state import ClusterStatus
from etcd_sandbox.model.verdict import NotSettled, Verdict
from etcd_sandbox.verbs import LOSE_A_LEADER, Verb

HEALTH_EVERY_S = 0.05
"""How often the members are asked while their health is awaited."""

USUAL_WAY = LOSE_A_LEADER[0].name
"""How a leader is lost where nobody says how: by a crash."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LogLine(Struct, frozen=True, kw_only=True):
    """One line of a process's output, without its newline. `arrived` is in UTC."""

    process: str
    arrived: datetime
    text: str


def verdict_of(answer: Mapping[str, Any]) -> Verdict:
    """The verdict in the answer to a verb."""
    return msgspec.convert(answer, Verdict)


def settled(answer: Mapping[str, Any], timeout_s: float) -> Verdict:
    """The verdict in the answer to a verb. Raises NotSettled where the time was over before."""
    verdict = verdict_of(answer)
    if not verdict.settled:
        raise NotSettled(verdict, timeout_s)
    return verdict


def status_of(answer: Mapping[str, Any]) -> ClusterStatus:
    """The status in an answer."""
    return msgspec.convert(answer, ClusterStatus)


def lines_of(frame: Frame) -> list[LogLine]:
    """The lines of a frame; what is not UTF-8 in them is replaced."""
    if not isinstance(frame, LinesFrame):
        return []
    arrived = _EPOCH + timedelta(microseconds=frame.time_us)
    texts = frame.data.decode(errors="replace").removesuffix("\n").split("\n")
    return [LogLine(process=frame.process, arrived=arrived, text=text) for text in texts]


def one_or_more(selectors: str | Iterable[str]) -> tuple[str, ...]:
    """A single selector is as good as a list of one."""
    return (selectors,) if isinstance(selectors, str) else tuple(selectors)


def way_of(how: str) -> Verb:
    """The way to lose a leader; raises InputError for a word that is none."""
    for verb in LOSE_A_LEADER:
        if verb.name == how:
            return verb
    ways = ", ".join(verb.name for verb in LOSE_A_LEADER)
    raise InputError(f"{how!r} is no way to lose a leader", hint=f"ways: {ways}")


def members_in(spec: ClusterSpec) -> tuple[str, ...]:
    """The members' names, in the order of the plan."""
    return tuple(process.member.name for process in spec.members)


def endpoints_in(spec: ClusterSpec) -> list[str]:
    """Where clients are served, in the order of the plan: not by a member that has become a proxy."""
    served = tuple(
        each
        for each in spec.processes
        if each.member is None or not is_of_proxy(each.member.data_dir)
    )
    return list(replace(spec, processes=served).client_urls)


def members_told(spec: ClusterSpec) -> tuple[object, ...]:
    """What has to be the same of all members for the cluster to be the one that began."""
    return tuple(
        (member.name, member.id, member.learner, member.etcd, member.client_url, member.peer_url)
        for member in (process.member for process in spec.members)
    )


def health_within(timeout_s: float) -> Callable[[ClusterStatus], bool]:
    """Whether every member that was not removed answers, all follow one leader, and no alarm is up.

    Asked of one status after another; raises TimedOut for one that says no when the time is over.
    """
    check_seconds("timeout_s", timeout_s)
    deadline = time.monotonic() + timeout_s

    def is_healthy(status: ClusterStatus) -> bool:
        if (ailing := _ailing(status)) and time.monotonic() > deadline:
            raise not_healthy(status, timeout_s)
        return not ailing

    return is_healthy


def not_healthy(status: ClusterStatus, timeout_s: float) -> TimedOut:
    """The error for members that did not become healthy in time."""
    return TimedOut(
        f"not all members of cluster {status.cluster!r} were healthy within {timeout_s:g} s: "
        f"{', '.join(_ailing(status))}",
        hint="start what does not run, resume what is paused, heal what is cut off, disarm alarms",
    )


def _ailing(status: ClusterStatus) -> list[str]:
    ailing = [
        f"{member.name} is {member.state}"
        if member.state != "running"
        else f"{member.name} {member.why or 'is not healthy'}"
        for member in status.members
        if member.state != "removed" and not member.healthy
    ]
    followed = {member.follows for member in status.members if member.follows is not None}
    if len(followed) > 1:
        ailing.append(f"some follow {' and some '.join(sorted(followed))}")
    return [
        *ailing,
        *(f"{up.member or 'a member'} has the alarm {up.alarm}" for up in status.alarms),
        *(
            f"{entry.name or entry.id} is on etcd's member list and does not answer"
            for entry in status.elsewhere
            if not (entry.learner or entry.answers or entry.remnant)
        ),
    ]
