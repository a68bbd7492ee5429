"""etcd's flags, composed for a member, judged for a version, and carried over to another version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from etcd_sandbox.errors import nearest
from etcd_sandbox.etcd.flagtable import OLDEST, FlagFacts, flag_table, takes_value
from etcd_sandbox.etcd.memberflags import MemberFlags, read_bool
from etcd_sandbox.etcd.version import Version, parse

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
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in flags.items()
    }


def unknown_flags(flags: Iterable[str], version: str) -> list[FlagProblem]:
    """The names in `flags` (with or without dashes) that etcd `version` does not have.

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


GATES = "feature-gates"
"""One flag for many switches: `--feature-gates=LeaseCheckpoint=true,…`."""

_HEEDED_ONCE = frozenset(
    name
    for name in flag_table()
    if name == "discovery"
    or (name.startswith("discovery-") and not name.startswith(("discovery-srv", "discovery-fall")))
)
"""Flags of a discovery service: a member that has its data passes them over."""


class CarriedOver(Struct, frozen=True):
    """The flags as the other version takes them; `problems` are those for which there is no way."""

    flags: dict[str, str]
    problems: tuple[FlagProblem, ...] = ()


def carried_over(flags: Mapping[str, str], version: str, *, has_data: bool) -> CarriedOver:
    """`flags`, by name, for etcd `version`.

    A flag that this version calls by another name is written so, one that only had the meaning of
    its absence is left out, as is one that a member with data passes over. All others stay.
    """
    number, table = parse(version), flag_table()
    kept: dict[str, str] = {}
    gates: list[str] = []
    problems: list[FlagProblem] = []
    for name, value in flags.items():
        facts = table.get(name)
        if facts is None or facts.in_version(number):
            if name == GATES:
                gates = [*value.split(","), *gates]
            else:
                kept[name] = value
            continue
        changed = _changed(facts, value, number)
        if changed is None and not (has_data and name in _HEEDED_ONCE):
            problems += unknown_flags([name], version)
        for new_name, new_value in changed or ():
            if new_name == GATES:
                gates.append(new_value)
            else:
                kept.setdefault(new_name, new_value)
    if gates:
        kept[GATES] = ",".join(gates)
    return CarriedOver(kept, tuple(problems))


def _changed(facts: FlagFacts, value: str, version: Version) -> list[tuple[str, str]] | None:
    """The flag's names and values in that version; None when the version has nothing like it."""
    table = flag_table()
    on = read_bool(value)
    if facts.name == GATES:
        return _without_gates(value, version)
    new_name, _, fixed = facts.new_name.partition("=")
    if facts.new_name and table[new_name].in_version(version):
        if not fixed:
            return [(new_name, value)]
        if new_name == GATES:
            return None if on is None else [(GATES, f"{_gate(fixed)}={str(on).lower()}")]
        return [(new_name, fixed)] if on else []
    for older in table.values():
        if older.new_name == facts.name and older.in_version(version):
            return [(older.name, value)]
    if not takes_value(facts.name) and on is False:
        return []  # every switch that went was off without its flag
    return None


def _without_gates(value: str, version: Version) -> list[tuple[str, str]] | None:
    """The switches of a version that has no feature gates."""
    older = {
        _gate(facts.new_name.partition("=")[2]): facts
        for facts in flag_table().values()
        if facts.new_name.startswith(f"{GATES}=") and facts.in_version(version)
    }
    found = []
    for gate in filter(None, value.split(",")):
        name, _, on = gate.partition("=")
        if name in older:
            found.append((older[name].name, on))
        elif read_bool(on) is not False:
            return None
    return found


def _gate(text: str) -> str:
    """`LeaseCheckpoint=true` → `LeaseCheckpoint`."""
    return text.partition("=")[0]
