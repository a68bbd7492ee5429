"""The options that say what a cluster is to be made of, shared by `up`, `run` and `check`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sandbox.cli.params import BASE_PORT

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from sandbox.cli.inputs import Caller, Options

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _profiles(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from sandbox.cli import completion

    return completion.profiles(context, param, incomplete)


_WHICH = [
    click.option("-n", "--members", type=int, metavar="N", help="So many members, 1 to 25."),
    click.option(
        "-f", "--procfile", metavar="FILE", help="A Procfile, with goreman's meaning of it."
    ),
    click.option(
        "-p",
        "--profile",
        metavar="NAME|FILE",
        shell_complete=_profiles,
        help="A built-in profile by name, or a profile's file.",
    ),
]

_HOW = [
    click.option(
        "--etcd",
        metavar="PATH|VERSION",
        help="Which etcd: a program, 3.5.1, or 3.5 for the newest of that series.",
    ),
    click.option(
        "--base-port",
        type=BASE_PORT,
        metavar="P|auto",
        help="The first member's client port; auto finds free ones. Not for a Procfile.",
    ),
    click.option(
        "--set-ports/--no-set-ports",
        default=True,
        show_default=True,
        help="Set PORT for each entry of a Procfile.",
    ),
    click.option(
        "-b",
        "--port-base",
        type=click.IntRange(1, 65535),
        default=5000,
        show_default=True,
        metavar="PORT",
        help="The first PORT; each further entry of a Procfile gets 100 more.",
    ),
    click.option(
        "--env",
        "env_files",
        multiple=True,
        metavar="FILE",
        help="Load variables from this file instead of ./.env; repeatable. The environment wins.",
    ),
    click.option(
        "--basedir",
        metavar="DIR",
        help="Run commands in this directory; a Procfile is looked for there.",
    ),
]


def input_options(*, with_sources: bool = True) -> Callable[[Decorated], Decorated]:
    """Adds the options; without `-n`, `-f`, `-p` where the source is an argument."""

    def decorate(command: Decorated) -> Decorated:
        for option in reversed([*(_WHICH if with_sources else []), *_HOW]):
            command = option(command)
        return command

    return decorate


def collect(
    *,
    members: int | None = None,
    procfile: str | None = None,
    profile: str | None = None,
    etcd: str | None = None,
    base_port: int | str | None = None,
    set_ports: bool = True,
    port_base: int = 5000,
    env_files: tuple[str, ...] = (),
    basedir: str | None = None,
    **more: Any,
) -> Options:
    """The options as `sandbox.cli.inputs` takes them."""
    from sandbox.cli.inputs import Options

    return Options(
        members=members,
        procfile=procfile,
        profile=profile,
        etcd=etcd,
        base_port=base_port,
        set_ports=set_ports,
        port_base=port_base,
        env_files=env_files,
        basedir=basedir,
        **more,
    )


def here() -> Caller:
    """The caller of this command."""
    from sandbox.cli.inputs import Caller

    return Caller(cwd=Path.cwd(), env=dict(os.environ))
