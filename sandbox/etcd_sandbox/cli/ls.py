"""`ls`: every cluster that has a state directory, running or not; and the options of `status`."""

from __future__ import annotations

from typing import Any

import click

from etcd_sandbox.cli import diagnostics, output
from etcd_sandbox.cli.output import FAINT, GOOD, ODD, Painted
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import EXIT_DONE, EXIT_FAILED, SandboxError
from etcd_sandbox.model.spec import members_of
from etcd_sandbox.paths import ClusterPaths, is_there


@click.command("status")
@click.option("-w", "--watch", is_flag=True, help="Show it again every second until Ctrl-C.")
@click.option("--hash", "with_hash", is_flag=True, help="Ask each member for the hash of its data.")
@common(data=True)
def status(watch: bool, with_hash: bool) -> None:
    """Show the members: state, role, term, health, pid, version, sizes, restarts, addresses.

    Everything is asked at once and now; what a member did not answer is shown as '-'.
    """
    from etcd_sandbox.cli.status import show

    show(watch=watch, with_hash=with_hash)


@click.command("ls")
@common(data=True)
def ls() -> int:
    """List running and stopped clusters: members, ports, what they were made from, etcd."""
    from etcd_sandbox.host.obstacle import obstacle
    from etcd_sandbox.paths import known_clusters
    from etcd_sandbox.plan.recorded import UnreadablePlan

    found, refused = [], False
    for paths in known_clusters():
        try:
            cluster = described(paths)
        except (OSError, SandboxError) as error:
            # What is left of one `sudo` does not hide the others.
            why = obstacle(error) or error
            mend = f"; {why.hint}" if isinstance(why, UnreadablePlan) else ""
            diagnostics.warn(f"cluster {paths.name!r} cannot be looked at: {why}{mend}")
            refused = True
            continue
        if cluster is not None:
            found.append(cluster)
    if settings().json:
        output.document({"schema": 1, "clusters": found})
        return EXIT_FAILED if refused else EXIT_DONE
    if not found:
        if refused:
            return EXIT_FAILED
        output.line("no clusters yet")
        output.next_step("up")
        return EXIT_DONE
    output.table(
        ["CLUSTER", "STATE", "MEMBERS", "PROCESSES", "PORTS", "SOURCE", "ETCD"],
        [_row(cluster) for cluster in found],
        {"MEMBERS", "PROCESSES"},
    )
    return EXIT_FAILED if refused else EXIT_DONE


def described(paths: ClusterPaths) -> dict[str, Any] | None:
    """One cluster by its files; None for a directory that never held a plan."""
    from etcd_sandbox.host.clusterlock import is_running
    from etcd_sandbox.host.planfile import recorded_plan

    begun = is_there(paths.supervisor)
    state = "running" if is_running(paths) else "died" if begun else "stopped"
    plan = recorded_plan(paths)
    if plan is None and state != "running":
        return None
    processes = () if plan is None else plan.processes
    members = [process.member for process in members_of(processes)]
    versions = dict.fromkeys(member.etcd.version for member in members if member.etcd is not None)
    return {
        "name": paths.name,
        "state": state,
        "members": [member.name for member in members],
        "processes": [process.name for process in processes if process.member is None],
        "ports": [port for member in members if (port := _port(member.client_url)) is not None],
        "source": "" if plan is None else plan.source.path or f"-n {len(members)}",
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


def _port(url: str) -> int | None:
    from urllib.parse import urlsplit

    try:
        return urlsplit(url).port
    except ValueError:
        return None
