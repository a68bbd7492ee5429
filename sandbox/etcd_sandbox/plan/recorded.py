"""A plan as JSON, on disk or as a running supervisor answers it: older shapes are read as today's.

A recorded plan tells what etcd's data is bound to, and so whether another plan can go on with that data.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.access import as_text, as_value
from etcd_sandbox.model.spec import (
    PLAN_SCHEMA,
    RECORDS_FILE,
    VARIABLES_FILE,
    ClusterSpec,
    MemberSpec,
    Service,
)
from etcd_sandbox.plan.memberoptions import MEMBERS_OWN

Plan = dict[str, Any]


class UnreadablePlan(SandboxError):
    """A plan that is there and cannot be read, which is not the same as no plan."""


def as_builtins(spec: ClusterSpec) -> Plan:
    """The plan as JSON has it, addresses as text."""
    return cast(Plan, msgspec.to_builtins(spec, enc_hook=as_text))


def encoded(spec: ClusterSpec) -> bytes:
    """The plan for its file."""
    return msgspec.json.format(msgspec.json.encode(as_builtins(spec)), indent=2)


def decoded(content: bytes, name: str, where: str) -> ClusterSpec:
    """The plan of cluster `name` from its file at `where`; raises UnreadablePlan."""
    try:
        return _converted(msgspec.json.decode(content))
    except (msgspec.MsgspecError, ValueError) as error:
        raise UnreadablePlan(
            f"the recorded plan of cluster {name!r} cannot be read ({error})",
            where,
            "move that file away and name the input again (-n, -f or -p) to go on with the data; or "
            f"etcd-sandbox -c {name} down --purge deletes the plan, the data and the logs",
        ) from error


def of_running(plan: Mapping[str, Any]) -> ClusterSpec:
    """The plan that a supervisor answered with, which may be of another version; raises UnreadablePlan."""
    try:
        return _converted(plan)
    except (msgspec.MsgspecError, ValueError) as error:
        name = plan.get("name", "default")
        raise UnreadablePlan(
            f"the plan of the running cluster {name!r} cannot be read ({error})",
            hint="use the etcd-sandbox that started it; "
            f"or etcd-sandbox -c {name} down ends the cluster",
        ) from error


def mismatch(recorded: ClusterSpec, wanted: ClusterSpec) -> str | None:
    """What differs, in one clause; None when the data of `recorded` fits `wanted`.

    Compared are the members' names, peer URLs and cluster tokens; flags may change.
    """
    before, after = _members(recorded), _members(wanted)
    if before.keys() != after.keys():
        return f"the data is of {_named(before)}, the input has {_named(after)}"
    for name, member in after.items():
        if before[name].peer_url != member.peer_url:
            return (
                f"the data of {name} is bound to the peer URL {before[name].peer_url}, "
                f"the input has {member.peer_url}"
            )
        if before[name].token != member.token:
            return (
                f"the data of {name} is bound to the token {before[name].token!r}, "
                f"the input has {member.token!r}"
            )
    return None


def _members(spec: ClusterSpec) -> dict[str, MemberSpec]:
    return {process.member.name: process.member for process in spec.members}


def _named(members: dict[str, MemberSpec]) -> str:
    if not members:
        return "no member"
    return f"the member{'s' * (len(members) > 1)} {', '.join(members)}"


def _converted(plan: object) -> ClusterSpec:
    if not isinstance(plan, Mapping):
        raise ValueError("it is no JSON object")
    number = plan.get("schema", 0)
    if type(number) is not int or number < 0:
        raise ValueError(f"its schema number is {number!r}")
    if number > PLAN_SCHEMA:
        raise ValueError(
            f"a newer etcd-sandbox wrote it: its schema is {number}, and this one reads up to {PLAN_SCHEMA}"
        )
    today = dict(plan)
    try:
        # A supervisor of schema 2 that was given a plan of today's kept the number and lost the kinds.
        for step in (*_STEPS[number:], _with_kinds):
            today = step(today)
    except KeyError as error:
        raise ValueError(f"{error} is missing") from error
    except (TypeError, AttributeError) as error:
        raise ValueError("its processes or its source are not those of a plan") from error
    return msgspec.convert({**today, "schema": PLAN_SCHEMA}, ClusterSpec, dec_hook=as_value)


def _with_renamed_package(plan: Plan) -> Plan:
    """Before plans had a number the package was called `sandbox`, and services are executed out of it."""

    def renamed(word: str, before: str) -> str:
        ours = before == "-m" and word.startswith("sandbox.")
        return f"etcd_{word}" if ours else word

    def with_new_name(process: Plan) -> Plan:
        argv = process["argv"]
        words = [renamed(word, before) for before, word in zip(["", *argv], argv, strict=False)]
        return {**process, "argv": words}

    processes = [with_new_name(each) if each.get("service") else each for each in plan["processes"]]
    return {**plan, "processes": processes}


def _with_flags(plan: Plan) -> Plan:
    """Schema 1 had what is executed only as text: the flags of a composed etcd are read out of that.

    Its wrapper (a container engine, a private mount) may have options of its own, `--name` too: etcd's
    begin where its name is followed by its data directory.
    """

    def with_flags(process: Plan) -> Plan:
        member, argv = process.get("member") or {}, process["argv"]
        ours = member.get("data_owned") or process.get("service") == Service.DISCOVERY
        begin = next(
            (
                index
                for index, (word, after) in enumerate(itertools.pairwise(argv))
                if word.startswith("--name=") and after.startswith("--data-dir=")
            ),
            0,
        )
        if not ours or not begin:
            return process
        # In a container that has a network of its own etcd listens elsewhere than is shown.
        pairs = (
            word.removeprefix("--").partition("=") for word in shlex.split(process["shown"])[1:]
        )
        flags = {name: value for name, _, value in pairs}
        return {**process, "flags": flags, "wrapper": argv[: begin - 1]}

    return {**plan, "processes": [with_flags(each) for each in plan["processes"]]}


def _with_kinds_of_texts(plan: Plan) -> Plan:
    """Plans of before had the text of a file of variables that came through a pipe by its path alone."""
    source = plan["source"]

    def key(path: str) -> str:
        known = path == source.get("path") or path.startswith((VARIABLES_FILE, RECORDS_FILE))
        return path if known else f"{VARIABLES_FILE} {path}"

    texts = {key(path): text for path, text in source.get("texts", {}).items()}
    return {**plan, "source": {**source, "texts": texts}}


def _with_kinds(plan: Plan) -> Plan:
    """Schema 2 told a member's process from others only by the member in it."""
    processes = [
        {"kind": "member" if each.get("member") else "process", **each}
        for each in plan["processes"]
    ]
    return {**plan, "processes": processes}


def _with_addresses_once(plan: Plan) -> Plan:
    """Schema 3 had a member's addresses among its flags as well, and its list of members as NAME=URL."""

    def once(process: Plan) -> Plan:
        member = process.get("member")
        if not member:
            return process
        listed: dict[str, list[str]] = {}
        for name, _, url in (each.partition("=") for each in member.get("initial_cluster", ())):
            listed.setdefault(name, []).append(url)
        flags = process.get("flags", {})
        flags = {name: value for name, value in flags.items() if name not in MEMBERS_OWN}
        return {**process, "flags": flags, "member": {**member, "initial_cluster": listed}}

    return {**plan, "processes": [once(each) for each in plan["processes"]]}


_STEPS: tuple[Callable[[Plan], Plan], ...] = (
    _with_renamed_package,
    lambda plan: _with_kinds_of_texts(_with_flags(plan)),
    _with_kinds,
    _with_addresses_once,
)
"""By the number of the schema that each begins at: what makes a plan one of the next schema."""
