"""`down`: stop everything, the supervisor last; with --purge, keep nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import click

from sandbox.cli import output
from sandbox.cli.settings import common
from sandbox.errors import NotRunning, SandboxError

if TYPE_CHECKING:
    from sandbox.paths import ClusterPaths

MARGIN_S = 10.0
"""Beyond the longest stop timeout: for the supervisor itself and for the followers-first order."""


@click.command("down")
@click.option(
    "--purge", is_flag=True, help="Delete data, logs and the plan; also of a stopped one."
)
@click.option("--kill", is_flag=True, help="SIGKILL at once instead of SIGTERM.")
@common()
def down(purge: bool, kill: bool) -> None:
    """Stop everything, in parallel, and the supervisor.

    The data stays, so that etcd-sandbox up goes on with it, unless --purge is given.
    """
    from sandbox.cli.choice import running

    if purge:
        _purge(kill)
        return
    client = running()
    plan = client.plan()
    client.shutdown(kill=kill)
    _wait(client.paths, plan)
    output.line(f"stopped {client.paths.name}")
    output.next_step("up")


def _purge(kill: bool) -> None:
    import msgspec

    from sandbox.cli import choice
    from sandbox.cli.inputs import recorded_plan, refuse_foreign_data
    from sandbox.model.spec import ClusterSpec
    from sandbox.paths import cluster_paths

    try:
        client = choice.running()
    except NotRunning:
        paths = cluster_paths(choice.named() or choice.DEFAULT)
        if not paths.root.is_dir():
            raise
        if (recorded := recorded_plan(paths)) is not None:
            refuse_foreign_data(recorded, "--purge")
    else:
        paths = client.paths
        plan = client.plan()
        refuse_foreign_data(msgspec.convert(plan, ClusterSpec), "--purge")
        client.shutdown(kill=kill, purge=True)
        _wait(paths, plan)
    try:
        shutil.rmtree(paths.root)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise SandboxError(
            f"not everything could be deleted ({error.strerror})", str(error.filename or paths.root)
        ) from error
    output.line(f"purged {paths.name}: no data, logs or plan are left")
    output.next_step("up")


def _wait(paths: ClusterPaths, plan: dict[str, Any]) -> None:
    from sandbox.launch import wait_until_gone

    longest_s = max((process["stop_timeout_s"] for process in plan["processes"]), default=0.0)
    # Followers go first, then the leader: two stop timeouts at worst.
    wait_until_gone(paths, 2 * longest_s + MARGIN_S)
