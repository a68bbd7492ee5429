"""`env`: the variables that etcdctl reads, as a shell would set them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import SandboxError

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
