"""A plan in words: what it has, with which etcd, and where PORT is another than was asked for."""

from __future__ import annotations

from collections.abc import Mapping

from etcd_sandbox.inputs.caller import Caller
from etcd_sandbox.model.spec import ClusterSpec, Runtime

MOST_NAMED = 25
"""So many processes are named; hundreds would hide what else is said."""


def contents(spec: ClusterSpec) -> str:
    etcds = [process.member for process in spec.members]
    members = [member.name for member in etcds if not member.proxy]
    proxies = [member.name for member in etcds if member.proxy]
    others = [process.name for process in spec.processes if process.is_beside]
    parts = []
    if members:
        parts.append(f"{len(members)} member{'s' * (len(members) > 1)}: {', '.join(members)}")
    if proxies:
        kind = "proxy" if len(proxies) == 1 else "proxies"
        parts.append(f"{len(proxies)} {kind}: {', '.join(proxies)}")
    if others:
        kind = "process" if len(others) == 1 else "processes"
        parts.append(f"{len(others)} {kind}: {_named(others)}")
    if not spec.bootstrap.is_list:
        parts.append(f"bootstrapped by {spec.bootstrap.value}")
    if spec.runtime is not Runtime.PROCESS:
        parts.append(f"in {spec.runtime.value} containers")
    return "; ".join(parts)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def port_words(spec: ClusterSpec, overlay: Mapping[str, str], caller: Caller) -> str:
    """That PORT is not what a file or the caller says, where it is not."""
    whose = "the environment" if "PORT" in caller.env else "the file of variables"
    asked = {**overlay, **caller.env}.get("PORT")
    ports = [process.env["PORT"] for process in spec.processes if "PORT" in process.env]
    if asked is None or not ports or set(ports) == {asked}:
        return ""
    span = ports[0] if len(ports) == 1 else f"{ports[0]} to {ports[-1]}"
    return f"; PORT is {span}, not {asked} as {whose} says (--no-set-ports leaves it so)"


def etcd_words(spec: ClusterSpec) -> str:
    used = {
        f"etcd {process.member.etcd.version} ({process.member.etcd.origin})": None
        for process in spec.members
        if process.member.etcd is not None
    }
    return f", {' and '.join(used)}" if used else ""
