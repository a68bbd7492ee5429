"""What the clusters of the Python API have in common: whether arguments can be meant, answers as values, facts of the plan."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.control.wire import Frame, LinesFrame
from etcd_sandbox.errors import InputError, TimedOut
from etcd_sandbox.etcd.datadir import is_of_proxy
from etcd_sandbox.inputs.options import DECLARED, Kind
from etcd_sandbox.model.order import signal_name
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.model.state import ClusterStatus
from etcd_sandbox.model.verdict import NotSettled, Verdict
from etcd_sandbox.verbs import LOSE_A_LEADER, Verb

LONGEST_S = 1e6
"""Eleven days: longer than anything that is waited for, shorter than what a socket takes."""

_PYTHON: dict[Kind, tuple[type, ...]] = {
    Kind.WHOLE: (int,),
    Kind.PORT_OR_AUTO: (int, str),
    Kind.TEXT: (str,),
    Kind.PATH_OR_NAME: (str, Path),
    Kind.SWITCH: (bool,),
}

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    name: (_PYTHON[option.kind], option.python)
    for name, option in DECLARED.items()
    if option.python
} | {
    "name": ((str,), "text"),
    "user": ((str,), "text"),
    "restore": ((str, Path), "a path"),
    "keep_data": ((bool,), "True or False"),
}


def check_arguments(given: Mapping[str, object]) -> None:
    """Raises InputError for a value of a kind that the argument of `Cluster` does not take."""
    for name, (kinds, words) in _KINDS.items():
        value = given.get(name)
        fits = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        if value is not None and not fits:
            raise InputError(f"{name} is {words}, not {value!r}")
    check_seconds("timeout_s", given["timeout_s"])


def check_seconds(name: str, value: object) -> None:
    """Raises InputError for what is no span of time in seconds."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 <= number <= LONGEST_S:
        raise InputError(
            f"{name} is a number of seconds, 0 to {LONGEST_S:,.0f}, not {value!r}",
            hint="0.2 is 200 ms",
        )


def check_count(name: str, value: object, least: int) -> None:
    """Raises InputError for what is no whole number, or too small a one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} is a whole number from {least} on, not {value!r}")


def check_words(method: str, words: Iterable[object]) -> None:
    """Raises InputError where a selector, or a word for etcdctl, is no text."""
    for word in words:
        if not isinstance(word, str):
            hint = f"{method}(*names) takes several" if isinstance(word, Iterable) else ""
            raise InputError(f"{method} takes text, not {word!r}", hint=hint)


def check_order(verb: str, select: Iterable[object], how: Mapping[str, object]) -> None:
    """Raises InputError for selectors and options that no verb takes."""
    check_words(verb, select)
    for name in ("timeout_s", "delay_s", "jitter_s"):
        if name in how:
            check_seconds(name, how[name])
    seed = how.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise InputError(f"seed is a whole number, not {seed!r}")


def check_reading(select: Iterable[object], tail: int | None) -> None:
    """Raises InputError for what no log and no story is read by."""
    check_words("logs", select)
    if tail is not None:
        check_count("tail", tail, 0)


def signal_meant(signal: str | int) -> str:
    """The name of a signal given by name, by number, or as one of the module `signal`. Raises InputError."""
    return signal_name(str(int(signal)) if isinstance(signal, int) else signal)


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


def settled(answer: Mapping[str, Any], timeout_s: float) -> Verdict:
    """The verdict in the answer to a verb. Raises NotSettled where the time was over before."""
    verdict = msgspec.convert(answer, Verdict)
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


def way_of(how: str) -> Verb:
    """The way to lose a leader; raises InputError for a word that is none."""
    for verb in LOSE_A_LEADER:
        if verb.name == how:
            return verb
    ways = ", ".join(verb.name for verb in LOSE_A_LEADER)
    raise InputError(f"{how!r} is no way to lose a leader", hint=f"ways: {ways}")


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
