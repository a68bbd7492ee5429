"""The options that say what a cluster is to be made of, shared by `up`, `run` and `check`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcd_sandbox.cli.params import BASE_PORT, WHOLE, WholeRange
from etcd_sandbox.model.spec import Bootstrap, ContainerNetwork, Runtime, Stdin

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from etcd_sandbox.inputs.plan import Caller, Options

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _profiles(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from etcd_sandbox.cli import completion

    return completion.profiles(context, param, incomplete)


_COUNT = click.option("-n", "--members", type=WHOLE, metavar="N", help="So many members, 1 to 25.")

_PROFILE = click.option(
    "-p",
    "--profile",
    metavar="NAME|FILE",
    shell_complete=_profiles,
    help="A built-in profile by name, or a profile's file.",
)

_ETCD = click.option(
    "--etcd",
    metavar="PATH|VERSION",
    help="Which etcd: a program, 3.5.1, or 3.5 for the newest of that series.",
)

_PORTS = click.option(
    "--base-port",
    type=BASE_PORT,
    metavar="P|auto",
    help="The first member's client port; auto finds free ones. Not for a Procfile.",
)

_LINKS = click.option(
    "--links/--direct",
    default=None,
    help="Peers reach each other through links that can be cut and slowed, or directly. "
    "Links are on, but for a Procfile's members.",
)

_WHICH = [
    _COUNT,
    click.option(
        "-f", "--procfile", metavar="FILE", help="A Procfile, with goreman's meaning of it."
    ),
    _PROFILE,
]

_HOW = [
    _ETCD,
    _PORTS,
    _LINKS,
    click.option(
        "--bootstrap",
        type=click.Choice([word.value for word in Bootstrap]),
        help="How the members are told of each other: a list, a discovery service, DNS SRV records.",
    ),
    click.option(
        "--discovery",
        metavar="URL",
        help="An existing discovery service, or a token's URL there, instead of one of our own.",
    ),
    click.option(
        "--discovery-token",
        metavar="TOKEN",
        help="A token that is registered at the discovery service, instead of a fresh one.",
    ),
    click.option(
        "--discovery-size",
        type=WholeRange(min=1),
        metavar="N",
        help="Register the token for so many members instead of for all; one more becomes what "
        "its etcd makes of it.",
    ),
    click.option(
        "--dns-records",
        metavar="FILE",
        help="DNS records in dnsmasq's words instead of our own (see export dnsmasq).",
    ),
    click.option(
        "--runtime",
        type=click.Choice([word.value for word in Runtime]),
        help="What the members are: processes, or containers of podman or docker.",
    ),
    click.option(
        "--image",
        metavar="IMAGE",
        help="The image of the containers; the default is etcd's official one of the version.",
    ),
    click.option(
        "--image-from-binary",
        is_flag=True,
        help="Build the image from the etcd on this machine instead of pulling one.",
    ),
    click.option(
        "--container-network",
        type=click.Choice([word.value for word in ContainerNetwork]),
        help="Containers have the host's network, or one of their own with published ports; the "
        "default is what the engine can.",
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
        type=WholeRange(1, 65535),
        default=5000,
        show_default=True,
        metavar="PORT",
        help="The first PORT; each further entry of a Procfile gets 100 more.",
    ),
    click.option(
        "--stdin",
        type=click.Choice([word.value for word in Stdin]),
        help="What the processes of a Procfile read from: nothing (the default, as with goreman), or "
        "a pipe or a terminal that stays open, for watchers that end with their stdin.",
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


def restore_options() -> Callable[[Decorated], Decorated]:
    """Adds those that say what a cluster from a snapshot is to be: its members know each other."""

    def decorate(command: Decorated) -> Decorated:
        for option in reversed([_COUNT, _PROFILE, _ETCD, _PORTS, _LINKS]):
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
    links: bool | None = None,
    stdin: str | None = None,
    bootstrap: str | None = None,
    discovery: str | None = None,
    discovery_token: str | None = None,
    discovery_size: int | None = None,
    dns_records: str | None = None,
    runtime: str | None = None,
    image: str | None = None,
    image_from_binary: bool = False,
    container_network: str | None = None,
    **more: Any,
) -> Options:
    """The options as `etcd_sandbox.inputs.plan` takes them."""
    from etcd_sandbox.inputs.plan import Options

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
        links=links,
        stdin=stdin,
        bootstrap=bootstrap,
        discovery=discovery,
        discovery_token=discovery_token,
        discovery_size=discovery_size,
        dns_records=dns_records,
        runtime=runtime,
        image=image,
        image_from_binary=image_from_binary,
        container_network=container_network,
        **more,
    )


def here() -> Caller:
    """The caller of this command."""
    from etcd_sandbox.inputs.plan import Caller
    from etcd_sandbox.paths import working_directory

    return Caller(cwd=working_directory(), env=dict(os.environ))
