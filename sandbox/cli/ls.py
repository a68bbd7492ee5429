"""`ls`: every cluster that has a state directory, running or not."""

from __future__ import annotations

import json
from typing import Any

import click

from sandbox.cli import output
from sandbox.cli.output import FAINT, GOOD, ODD, Painted
from sandbox.cli.settings import common, settings
from sandbox.paths import ClusterPaths


@click.command("ls")
@common(data=True)
def ls() -> None:
    """List running and stopped clusters: members, ports, what they were made from, etcd."""
    from sandbox.paths import known_clusters

    found = [cluster for paths in known_clusters() if (cluster := described(paths)) is not None]
    if settings().json:
        output.document({"schema": 1, "clusters": found})
        return
    if not found:
        output.line("no clusters yet")
        output.next_step("up")
        return
    output.table(
        ["CLUSTER", "STATE", "MEMBERS", "PROCESSES", "PORTS", "SOURCE", "ETCD"],
        [_row(cluster) for cluster in found],
        {"MEMBERS", "PROCESSES"},
    )


def described(paths: ClusterPaths) -> dict[str, Any] | None:
    """One cluster by its files; None for a directory that never held a plan."""
    from sandbox.clusterlock import is_running

    state = "running" if is_running(paths) else "died" if paths.supervisor.exists() else "stopped"
    try:
        plan = json.loads(paths.plan.read_bytes())
    except (OSError, ValueError):
        if state != "running":
            return None
        plan = {"processes": [], "source": {}}
    members = [process["member"] for process in plan["processes"] if process.get("member")]
    versions = dict.fromkeys(
        member["etcd"]["version"] for member in members if member.get("etcd") is not None
    )
    return {
        "name": paths.name,
        "state": state,
        "members": [member["name"] for member in members],
        "processes": [p["name"] for p in plan["processes"] if not p.get("member")],
        "ports": [port for member in members if (port := _port(member["client_url"])) is not None],
        "source": _source(plan["source"], len(members)),
        "etcd": list(versions),
        "directory": str(paths.root),
    }


def _row(cluster: dict[str, Any]) -> list[output.Cell]:
    colours = {"running": GOOD, "died": ODD, "stopped": FAINT}
    return [
        cluster["name"],
        Painted(cluster["state"], colours[cluster["state"]]),
        str(len(cluster["members"])),
        str(len(cluster["processes"])),
        ",".join(map(str, cluster["ports"])) or "-",
        cluster["source"] or "-",
        ",".join(cluster["etcd"]) or "-",
    ]


def _source(source: dict[str, Any], members: int) -> str:
    if source.get("kind") == "members":
        return f"-n {members}"
    return str(source.get("path", ""))


def _port(url: str) -> int | None:
    from urllib.parse import urlsplit

    try:
        return urlsplit(url).port
    except ValueError:
        return None
