"""`down`: stop everything, the supervisor last; with --purge, keep nothing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.settings import common
from etcd_sandbox.errors import NotRunning, SandboxError, TimedOut

if TYPE_CHECKING:
    from etcd_sandbox.control.client import ControlClient
    from etcd_sandbox.model.spec import ClusterSpec

ENDED_BY_OTHERS_WITHIN_S = 30.0


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
    from etcd_sandbox.cli.choice import end_silent, running

    if purge:
        _purge(kill)
        return
    try:
        client = running()
        paths = client.paths
        _stop(client, kill=kill)
    except TimedOut:
        if not kill:
            raise
        paths = end_silent()
    output.line(f"stopped {paths.name}")
    output.next_step("up")


def _stop(client: ControlClient, *, kill: bool, purge: bool = False) -> None:
    from etcd_sandbox.cli.waiting import named_when_late
    from etcd_sandbox.host.start import left_running, stop
    from etcd_sandbox.words.story import left_words

    hint = f"etcd-sandbox -c {client.paths.name} down --kill ends them at once"
    with named_when_late(client, hint):
        stop(client.paths, kill=kill, purge=purge)
    if left := left_running(client.paths):
        raise SandboxError(
            f"cluster {client.paths.name} has ended, but {left_words(left)} may not be signalled by you",
            hint=f"sudo kill {' '.join(map(str, left.values()))} ends what another user runs there",
        )


def _purge(kill: bool) -> None:
    from etcd_sandbox.cli import choice
    from etcd_sandbox.host.clusterlock import purge
    from etcd_sandbox.host.planfile import recorded_plan
    from etcd_sandbox.inputs.olddata import logs_elsewhere, refuse_foreign_data
    from etcd_sandbox.plan.recorded import UnreadablePlan

    spec = None
    try:
        client = choice.running()
    except NotRunning:
        paths = choice.paths_to_start()
        if not paths.root.is_dir():
            raise
        # A plan that cannot be read says of no data elsewhere, and nothing elsewhere is deleted.
        with contextlib.suppress(UnreadablePlan):
            if (spec := recorded_plan(paths)) is not None:
                refuse_foreign_data(spec, "--purge")
    except TimedOut:
        if not kill:
            raise
        paths = choice.end_silent()
    else:
        paths = client.paths
        try:
            spec = _end(client, kill=kill)
        except TimedOut:
            if not kill:
                raise
            choice.end_silent()
    purge(paths)
    if spec is not None and (kept := logs_elsewhere(spec, paths.root)):
        output.line(f"purged {paths.name}: no data or plan is left; {kept}")
    else:
        output.line(f"purged {paths.name}: no data, logs or plan are left")
    output.next_step("up")


def _end(client: ControlClient, *, kill: bool) -> ClusterSpec | None:
    """End it with its data; its plan, where it told that."""
    from etcd_sandbox.host.launch import run_of, wait_until_gone
    from etcd_sandbox.inputs.olddata import refuse_foreign_data
    from etcd_sandbox.plan.recorded import of_running

    run = run_of(client.paths)
    spec = None
    try:
        spec = of_running(client.plan())
        refuse_foreign_data(spec, "--purge")
        _stop(client, kill=kill, purge=True)
    except NotRunning:  # another command is ending it
        wait_until_gone(client.paths, ENDED_BY_OTHERS_WITHIN_S, run)
    return spec
