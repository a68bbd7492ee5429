"""`ctl`: etcdctl with the endpoints set; everything behind is etcdctl's own."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
from typing import Any

import click

from etcd_sandbox.cli import diagnostics
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import SandboxError


@click.command(
    "ctl", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.option(
    "--on",
    "on",
    multiple=True,
    metavar="SEL",
    help="Talk to these members only; repeatable.",
)
@click.argument("args", metavar="ARGS...", nargs=-1, type=click.UNPROCESSED)
@common()
def ctl(on: tuple[str, ...], args: tuple[str, ...]) -> None:
    """Run etcdctl with the endpoints of the cluster set: the one beside its etcd, else the newest.

    Our own options come first; from the first word that is none of them on, all is etcdctl's.
    """
    from etcd_sandbox.cli.choice import running
    from etcd_sandbox.host.etcdctl import (
        command_line,
        inherited,
        members_of,
        misleading,
        misleading_words,
        overlooks_records,
    )

    client = running()
    plan = client.plan()
    members = members_of(plan)
    if not members:
        raise SandboxError(f"cluster {client.paths.name!r} has no etcd member to talk to")
    chosen = _selected(client, members, on) if on else members
    argv, variables = command_line(plan, chosen, args)
    left_out = misleading(os.environ, chosen, args)
    for text in misleading_words(left_out):
        diagnostics.note(text)
    if overlooks_records(args):
        diagnostics.note(
            "etcdctl's endpoint commands look at --discovery-srv only with --cluster: "
            "the members are asked at their own client URLs"
        )
    user = client.user or plan.get("user")
    if user and client.status().get("authentication"):
        # Where it is off, etcdctl would fail for naming a user.
        variables.setdefault("ETCDCTL_USER", user)
    if settings().verbose:
        words = [f"{name}={_told(name, value)}" for name, value in variables.items()] + argv
        diagnostics.note(shlex.join(words))
    # Go takes a broken pipe for fatal only where SIGPIPE has its default meaning.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execve(
            shutil.which(argv[0]) or argv[0],
            argv,
            {**inherited(os.environ, left_out, args), **variables},
        )
    except OSError as error:
        raise SandboxError(f"etcdctl cannot be executed ({error.strerror})", argv[0]) from error


def _selected(
    client: ControlClient, members: list[dict[str, Any]], words: tuple[str, ...]
) -> list[dict[str, Any]]:
    from etcd_sandbox.model.selector import candidates_of, resolve

    names = resolve(words, candidates_of(client.status()["members"]))
    return [member for member in members if member["process"] in names]


def _told(name: str, value: str) -> str:
    """A variable's value for the terminal, without a password."""
    return f"{value.partition(':')[0]}:..." if name == "ETCDCTL_USER" else value
