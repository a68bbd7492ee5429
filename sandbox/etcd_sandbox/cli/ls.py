"""`ls`: every cluster that has a state directory, running or not; and the options of `status` and `dashboard`."""

from __future__ import annotations

from typing import Any

import click

from etcd_sandbox.cli import diagnostics, output
from etcd_sandbox.cli.output import FAINT, GOOD, ODD, Painted
from etcd_sandbox.cli.params import WHOLE, Parsed, WholeRange, parse_port
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import EXIT_DONE, EXIT_FAILED, InputError, SandboxError
from etcd_sandbox.paths import ClusterPaths, is_there

VIEWERS_AT_ONCE = 10


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


def _web_port(text: str) -> int:
    """A port; 0 and `auto` are any free one, 0."""
    port = 0 if text == "0" else parse_port(text)
    return 0 if isinstance(port, str) else port


@click.command("dashboard")
@click.option("--web", is_flag=True, help="Serve it to browsers, at a secret URL that is printed.")
@click.option(
    "--bind",
    metavar="ADDRESS",
    help="With --web: where to listen, instead of on 127.0.0.1 for this machine alone.",
)
@click.option(
    "--port",
    type=Parsed("port", _web_port),
    metavar="PORT",
    help="With --web: the port, or 'auto' for a free one; 8379, if it is free, when not given.",
)
@click.option(
    "--viewers",
    type=WholeRange(1, 1000),
    metavar="N",
    help=f"With --web: how many browsers may show it at once, {VIEWERS_AT_ONCE} when not given; each costs some 45 MiB.",
)
@click.option(
    "--owned", is_flag=True, hidden=True, help="Ask at the end what becomes of the cluster."
)
@click.option("--notices", type=WHOLE, hidden=True, help="Where lines to be shown come from.")
@common()
def dashboard(
    web: bool,
    bind: str | None,
    port: int | None,
    viewers: int | None,
    owned: bool,
    notices: int | None,
) -> int:
    """Watch a running cluster and act on it: members, elections, outages, logs.

    Leaving it, or its end in whatever way, changes nothing of the cluster.
    """
    from etcd_sandbox.cli import dashboard as its

    given = (("--bind", bind), ("--port", port), ("--viewers", viewers))
    of_web = next((name for name, value in given if value is not None), None)
    if not web and of_web is not None:
        raise InputError(
            f"{of_web} is for the dashboard in a browser",
            hint="etcd-sandbox dashboard --web",
        )
    if web:
        from etcd_sandbox.cli.choice import running

        return its.serve_web(running().paths, bind, port, viewers or VIEWERS_AT_ONCE)
    return its.look(owned=owned, notices=notices)


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
    output.table([_row(cluster) for cluster in found])
    return EXIT_FAILED if refused else EXIT_DONE


def described(paths: ClusterPaths) -> dict[str, Any] | None:
    """One cluster by its files; None for a directory that never held a plan."""
    from etcd_sandbox.host.clusterlock import is_running
    from etcd_sandbox.host.planfile import recorded_plan
    from etcd_sandbox.model.spec import members_of

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
        "ports": [port for member in members if (port := member.client_url.port) is not None],
        "source": "" if plan is None else plan.source.path or f"-n {len(members)}",
        "etcd": list(versions),
        "directory": str(paths.root),
    }


def _row(cluster: dict[str, Any]) -> dict[str, output.Cell]:
    colours = {"running": GOOD, "died": ODD, "stopped": FAINT}
    return {
        "CLUSTER": cluster["name"],
        "STATE": Painted(cluster["state"], colours[cluster["state"]]),
        "MEMBERS": str(len(cluster["members"])),
        "PROCESSES": str(len(cluster["processes"])),
        "PORTS": ",".join(map(str, cluster["ports"])) or "-",
        "SOURCE": cluster["source"] or "-",
        "ETCD": ",".join(cluster["etcd"]) or "-",
    }
