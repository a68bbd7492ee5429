"""What would run, in full: for `check` and `up --dry-run`."""

from __future__ import annotations

from typing import Any

from etcd_sandbox.cli import output
from etcd_sandbox.cli.settings import settings
from etcd_sandbox.model.spec import ClusterSpec, MemberSpec, ProcessSpec


def show(spec: ClusterSpec) -> None:
    """Print the plan, as JSON if that was asked for."""
    if settings().json:
        output.document(as_json(spec))
        return
    for index, process in enumerate(spec.processes):
        if index:
            output.line()
        output.line(output.of_process(process.name, index))
        for label, value in _facts(spec, process):
            output.line(f"  {label:<8} {value}")


def as_json(spec: ClusterSpec) -> dict[str, Any]:
    """The plan as JSON."""
    import msgspec

    found = msgspec.to_builtins(spec)
    assert isinstance(found, dict)
    return found


def _facts(spec: ClusterSpec, process: ProcessSpec) -> list[tuple[str, str]]:
    facts = [] if process.member is None else _member_facts(process.member)
    facts += [("command", process.shown), ("cwd", process.cwd)]
    if process.env:
        facts.append(("env", " ".join(f"{name}={value}" for name, value in process.env.items())))
    if process.restart != "never":
        facts.append(("restart", process.restart))
    if process.after != "start":
        facts.append(("after", process.after))
    if spec.wanted and process.name not in spec.wanted:
        facts.append(("start", "no: it was not asked for"))
    return facts


def _member_facts(member: MemberSpec) -> list[tuple[str, str]]:
    facts = [
        ("member", member.name),
        ("id", member.id or "known once it runs"),
        ("client", member.client_url),
        *([] if member.proxy else [("peer", member.peer_url)]),
        ("data", member.data_dir),
    ]
    if member.etcd is not None:
        etcd = member.etcd
        facts.append(("etcd", f"{etcd.version} ({etcd.origin}), {etcd.path}"))
    return facts
