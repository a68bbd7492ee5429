"""etcd's command line both ways: composed for a member of ours, read from a command of the user's, judged per version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from etcd_sandbox.etcd.flagtable import OLDEST, FlagFacts, flag_table
from etcd_sandbox.etcd.memberflags import (
    Discovery,
    DiscoveryKind,
    MemberFlags,
    log_files,
    read_flags,
)
from etcd_sandbox.etcd.version import Version, parse
from etcd_sandbox.model.suggest import nearest

__all__ = [
    "Discovery",
    "DiscoveryKind",
    "FlagProblem",
    "MemberFlags",
    "compose",
    "log_files",
    "read_flags",
    "unknown_flags",
    "value_problems",
]

_LONGEST_ELECTION_MS = 50_000


class FlagProblem(Struct, frozen=True):
    """A flag, as it was given, that etcd will not take, and what to do about it."""

    flag: str
    hint: str


def compose(program: str, flags: Mapping[str, str | int | float | bool]) -> tuple[str, ...]:
    """The argv of `program` with `flags`, in their order, as `--name=value`."""
    return (program, *(f"--{name}={value}" for name, value in spelled(flags).items()))


def spelled(flags: Mapping[str, str | int | float | bool]) -> dict[str, str]:
    """The values as etcd reads them."""
    return {name: _spelled(value) for name, value in flags.items()}


def unknown_flags(flags: Iterable[str], version: str) -> list[FlagProblem]:
    """Those of `flags` (names, with or without dashes) that etcd `version` does not have.

    Empty for versions before 3.4, of which nothing is known.
    """
    number = parse(version)
    if number < OLDEST:
        return []
    table = flag_table()
    problems: list[FlagProblem] = []
    for flag in flags:
        name = flag.lstrip("-")
        facts = table.get(name)
        if facts is None:
            problems.append(FlagProblem(flag, _nearest(name, number)))
        elif not facts.in_version(number):
            problems.append(FlagProblem(flag, _instead(facts, number)))
    return problems


def value_problems(flags: MemberFlags) -> list[FlagProblem]:
    """The timer values for which every etcd ends at once (`embed.Config.Validate`)."""
    heartbeat_ms, election_ms = flags.heartbeat_interval_ms, flags.election_timeout_ms
    if 5 * heartbeat_ms > election_ms:
        return [
            FlagProblem(
                "election-timeout",
                f"{election_ms} ms is too short: etcd wants at least 5 × heartbeat-interval, {5 * heartbeat_ms} ms",
            )
        ]
    if election_ms > _LONGEST_ELECTION_MS:
        return [
            FlagProblem(
                "election-timeout",
                f"{election_ms} ms is too long: etcd takes up to {_LONGEST_ELECTION_MS} ms",
            )
        ]
    return []


def _spelled(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _nearest(name: str, version: Version) -> str:
    known = flag_table()
    here = [flag for flag, facts in known.items() if facts.in_version(version)]
    if near := nearest(name, here):
        return f"did you mean {near!r}?"
    if near := nearest(name, known):
        facts = known[near]
        return f"did you mean {near!r}? {_instead(facts, version)}"
    return "no etcd from 3.4 to 3.7 has it"


def _instead(facts: FlagFacts, version: Version) -> str:
    """Which versions have the flag, and what it is called in this one."""
    where = f"known to etcd {' and '.join(_span_text(*span) for span in facts.spans)}"
    table = flag_table()
    new_name, _, new_value = facts.new_name.partition("=")
    if facts.new_name and table[new_name].in_version(version):
        since = _text(table[new_name].spans[0][0])
        if new_value:
            return f"{where}; instead of it: {new_name} = {new_value!r}"
        return f"{where}; since {since} it is called {new_name!r}"
    for older in table.values():
        if older.new_name == facts.name and older.in_version(version):
            return f"{where}; in etcd {_text(version)} it is called {older.name!r}"
    return where


def _span_text(first: Version, end: Version | None) -> str:
    if end is None:
        return f"{_text(first)} and later"
    last = (end[0], end[1] - 1)
    if first == last:
        return f"{_text(first)} only"
    if first[:2] == last:
        return f"{_text(last)} from {_text(first)} on"
    return f"{_text(first)} to {_text(last)}"


def _text(version: Version) -> str:
    return ".".join(str(part) for part in version)
