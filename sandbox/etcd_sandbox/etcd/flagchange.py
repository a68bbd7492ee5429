"""The flags of an etcd carried over to another version: flags that it calls otherwise, or no longer needs."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from etcd_sandbox.etcd.flags import FlagProblem, unknown_flags
from etcd_sandbox.etcd.flagtable import FlagFacts, flag_table, takes_value
from etcd_sandbox.etcd.goflags import read_bool
from etcd_sandbox.etcd.version import Version, parse

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
    """What the flag is in that version, as names and values; None when it has nothing like it."""
    table = flag_table()
    on = read_bool(value)
    if facts.name == GATES:
        return _without_gates(value, version)
    new_name, _, fixed = facts.new_name.partition("=")
    if facts.new_name and table[new_name].in_version(version):
        if not fixed:
            return [(new_name, value)]
        if new_name == GATES:
            return None if on is None else [(GATES, f"{_gate(fixed)}={_spelled(on)}")]
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


def _spelled(on: bool) -> str:
    return str(on).lower()
