"""`ctl` and `env`: etcdctl with the endpoints set, and the variables that one of the reader's own reads."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
from collections.abc import Iterable
from typing import Any

import click

from etcd_sandbox.cli import diagnostics, output
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
    diagnostics.note(*misleading_words(left_out))
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


SHELLS = ("bash", "zsh", "fish")


@click.command("env")
@click.option(
    "--shell",
    type=click.Choice(SHELLS),
    help="For which shell; found from $SHELL if it is not given.",
)
@common(data=True)
def env(shell: str | None) -> None:
    """Print the variables that etcdctl reads: eval "$(etcd-sandbox env)", in fish: etcd-sandbox env | source

    Variables of yours that are meant for another cluster, such as ETCDCTL_CACERT, are unset by it.
    """
    from etcd_sandbox.cli.choice import running
    from etcd_sandbox.host.etcdctl import etcdctl_variables, members_of, misleading

    client = running()
    members = members_of(client.plan())
    if not members:
        raise SandboxError(f"cluster {client.paths.name!r} has no etcd member")
    # For the etcdctl of a shell, which may be an old one.
    variables = {"ETCDCTL_API": "3", **etcdctl_variables(members)}
    if settings().json:
        output.document(variables)
    else:
        shell = shell or detected()
        unset = removals(misleading(os.environ, members), shell)
        output.line(unset + assignments(variables, shell))


def detected() -> str:
    """The shell that $SHELL names, if it is one that we know, else bash (which sh understands)."""
    name = os.path.basename(os.environ.get("SHELL", ""))  # noqa: PTH119 - a name, not a file
    return name if name in SHELLS else "bash"


def removals(names: Iterable[str], shell: str) -> str:
    """A command of that shell that forgets these variables, and what joins another one to it."""
    words = " ".join(names)
    if not words:
        return ""
    return f"set -e {words}; " if shell == "fish" else f"unset {words}; "


def assignments(variables: dict[str, str], shell: str) -> str:
    """The variables as a command of that shell."""
    if shell == "fish":
        return "; ".join(f"set -gx {name} {_fish(value)}" for name, value in variables.items())
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())


def _fish(value: str) -> str:
    if shlex.quote(value) == value:
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
