"""The options that say what a cluster is made of, each declared once. Not given is None.

A field of `Options` is an option: its name is that of the parameter, its type that of the value.
The command line (`cli.check`), the checks of what `Cluster` is given (`api.checks`), what
takes the place of a profile's key (`inputs.ways`), what is recorded with a plan and replayed, and what
contradicts what are made from the declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

from msgspec import Struct
from msgspec.structs import fields, replace

from etcd_sandbox.errors import InputError
from etcd_sandbox.model.bootstrap import NEEDED_BY, Bootstrap
from etcd_sandbox.model.spec import (
    CONTAINER_OPTIONS,
    ContainerNetwork,
    Runtime,
    Source,
    SourceKind,
    Stdin,
)

DEFAULT_MEMBERS = 3
DEFAULT_PORT_BASE = 5000


class Kind(Enum):
    """What a value is."""

    WHOLE = auto()
    PORT_OR_AUTO = auto()
    TEXT = auto()
    PATH_OR_NAME = auto()
    SWITCH = auto()
    FILES = auto()


class Misfit(Struct, frozen=True):
    """The kinds of input that an option says nothing to: what is told after the flag, and the mend."""

    kinds: tuple[SourceKind, ...]
    what: str
    hint: str


class Option(Struct, frozen=True, kw_only=True):
    """One option. `flag` is how it is typed; empty where only programs give it.

    `short` is another flag, `off` the flag for False, `words` are the values that there are, `least` and
    `most` their bounds. `default` is what stands for None; None where that depends. `python` says what
    `Cluster` takes, empty where it has no such argument. `names_source`: it says which input is meant,
    instead of taking part in what is made of it. `bootstrap` and `contained` tell the only members
    that it says something to: without it, what the profile says of it counts. `rival` is the option
    that contradicts it: of the two, the one that is given now counts, and not the one that was recorded.
    """

    name: str = ""
    kind: Kind = Kind.TEXT
    flag: str = ""
    short: str = ""
    off: str = ""
    metavar: str = ""
    help: str = ""
    words: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    default: int | bool | None = None
    python: str = ""
    names_source: bool = False
    misfit: Misfit | None = None
    rival: str = ""

    @property
    def bootstrap(self) -> Bootstrap | None:
        """The only way to start whose members it says something to; None where it is for all."""
        return NEEDED_BY.get(self.name)

    @property
    def contained(self) -> bool:
        """Whether it says nothing to members that are processes."""
        return self.name in CONTAINER_OPTIONS

    @property
    def typed(self) -> str:
        """How a reader of errors knows it: by its short flag, where it has one."""
        return self.short or self.flag


_ITSELF = Misfit(
    (SourceKind.PROCFILE,),
    "does not apply to a Procfile: its commands say themselves how members find each other and what "
    "runs them",
    "use -n or -p for members that etcd-sandbox composes",
)
_OTHER_PORTS = Misfit(
    (SourceKind.PROCFILE,),
    "does not apply to a Procfile: its commands name their ports",
    "use -n or -p for members on other ports",
)
_PORT_VARIABLE = Misfit(
    (SourceKind.MEMBERS, SourceKind.PROFILE),
    "is for the variable PORT of a Procfile's processes",
    "--base-port says at which port the members' ports begin",
)
_CLIENTS = Misfit(
    (SourceKind.PROCFILE,),
    "does not apply to a Procfile: its commands name where clients are served",
    "use -n or -p for members that etcd-sandbox composes",
)
_STDIN = Misfit(
    (SourceKind.MEMBERS, SourceKind.PROFILE),
    "is for the processes of a Procfile",
    'in a profile write stdin = "pipe" or "terminal" in a [[process]]',
)

_CONTRADICTIONS = (
    ("members", "procfile", ": a Procfile lists its members itself"),
    ("procfile", "profile", ""),
)


_options: list[Option] = []


def _option(kind: Kind = Kind.TEXT, flag: str = "", **more: Any) -> Any:
    """Declare the next option; its default, which is that it is not given."""
    _options.append(Option(kind=kind, flag=flag, **more))


class Options(Struct, frozen=True, kw_only=True):
    """What `up` was asked for. `base_port` is a port or `auto`; no `env_files` means `.env`.

    `links`: whether peers reach each other through links. None means that members that we
    compose do and those of a Procfile do not. `discovery` is the URL of an existing service.
    `token` is the initial cluster token of members that were restored from a snapshot.
    `fresh`: the data of an earlier cluster is wiped, and with it goes its discovery token.
    """

    members: int | None = _option(
        Kind.WHOLE,
        "--members",
        short="-n",
        metavar="N",
        help="So many members, 1 to 25.",
        python="a whole number",
    )
    procfile: str | None = _option(
        Kind.PATH_OR_NAME,
        "--procfile",
        short="-f",
        metavar="FILE",
        help="A Procfile, with goreman's meaning of it.",
        python="a path",
        names_source=True,
    )
    profile: str | None = _option(
        Kind.PATH_OR_NAME,
        "--profile",
        short="-p",
        metavar="NAME|FILE",
        help="A built-in profile by name, or a profile's file.",
        python="a name or a path",
        names_source=True,
    )
    etcd: str | None = _option(
        Kind.PATH_OR_NAME,
        "--etcd",
        metavar="PATH|VERSION",
        help="Which etcd: a program, 3.5.1, or 3.5 for the newest of that series.",
        python="a version or a path, both as text",
    )
    base_port: int | str | None = _option(
        Kind.PORT_OR_AUTO,
        "--base-port",
        metavar="P|auto",
        help="The first member's client port; auto finds free ones. Not for a Procfile.",
        python="a port or 'auto'",
        misfit=_OTHER_PORTS,
    )
    links: bool | None = _option(
        Kind.SWITCH,
        "--links",
        off="--direct",
        help="Peers reach each other through links that can be cut and slowed, or directly. "
        "Links are on, but for a Procfile's members.",
        python="True or False",
    )
    client_links: bool | None = _option(
        Kind.SWITCH,
        "--client-links",
        off="--no-client-links",
        help="Clients reach the members through links, too, which can be cut, slowed and reset: see partition.",
        python="True or False",
        misfit=_CLIENTS,
    )
    disk_faults: bool | None = _option(
        Kind.SWITCH,
        "--disk-faults",
        off="--no-disk-faults",
        help="Start the members so that their disks can be slowed and broken without a restart: see slow-disk.",
        python="True or False",
    )
    bootstrap: str | None = _option(
        flag="--bootstrap",
        words=tuple(Bootstrap),
        help="How the members are told of each other: a list, a discovery service, DNS SRV records.",
        python="text",
        misfit=_ITSELF,
    )
    discovery: str | None = _option(
        flag="--discovery",
        metavar="URL",
        help="An existing discovery service, or a token's URL there, instead of one of our own.",
        python="text",
        misfit=_ITSELF,
    )
    discovery_token: str | None = _option(
        flag="--discovery-token",
        metavar="TOKEN",
        help="A token that is registered at the discovery service, instead of a fresh one.",
        misfit=_ITSELF,
    )
    discovery_size: int | None = _option(
        Kind.WHOLE,
        "--discovery-size",
        least=1,
        metavar="N",
        help="Register the token for so many members instead of for all; one more becomes what "
        "its etcd makes of it.",
        misfit=_ITSELF,
    )
    dns_records: str | None = _option(
        flag="--dns-records",
        metavar="FILE",
        help="DNS records in dnsmasq's words instead of our own (see export dnsmasq).",
        misfit=_ITSELF,
    )
    runtime: str | None = _option(
        flag="--runtime",
        words=tuple(Runtime),
        help="What the members are: processes, or containers of podman or docker.",
        python="text",
        misfit=_ITSELF,
    )
    image: str | None = _option(
        flag="--image",
        metavar="IMAGE",
        help="The image of the containers; the default is etcd's official one of the version.",
        python="text",
        misfit=_ITSELF,
        rival="image_from_binary",
    )
    image_from_binary: bool | None = _option(
        Kind.SWITCH,
        "--image-from-binary",
        help="Build the image from the etcd on this machine instead of pulling one.",
        python="True or False",
        misfit=_ITSELF,
        rival="image",
    )
    container_network: str | None = _option(
        flag="--container-network",
        words=tuple(ContainerNetwork),
        help="Containers have the host's network, or one of their own with published ports; the "
        "default is what the engine can.",
        misfit=_ITSELF,
    )
    set_ports: bool | None = _option(
        Kind.SWITCH,
        "--set-ports",
        off="--no-set-ports",
        default=True,
        help="Set PORT for each entry of a Procfile.",
        misfit=_PORT_VARIABLE,
    )
    port_base: int | None = _option(
        Kind.WHOLE,
        "--port-base",
        short="-b",
        least=1,
        most=65535,
        default=DEFAULT_PORT_BASE,
        metavar="PORT",
        help="The first PORT; each further entry of a Procfile gets 100 more.",
        misfit=_PORT_VARIABLE,
    )
    stdin: str | None = _option(
        flag="--stdin",
        words=tuple(Stdin),
        help="What the processes of a Procfile read from: nothing (the default, as with goreman), or "
        "a pipe or a terminal that stays open, for watchers that end with their stdin.",
        misfit=_STDIN,
    )
    env_files: tuple[str, ...] | None = _option(
        Kind.FILES,
        "--env",
        metavar="FILE",
        help="Load variables from this file instead of ./.env; repeatable. The environment wins.",
    )
    basedir: str | None = _option(
        flag="--basedir",
        metavar="DIR",
        help="Run commands in this directory; a Procfile is looked for there.",
    )
    port_step: int | None = _option(Kind.WHOLE)
    token: str | None = _option()

    # How this start is meant, and not what the cluster is made of: never recorded.
    wanted: tuple[str, ...] = ()
    ephemeral: bool = False
    exit_on_error: bool = False
    fresh: bool = False

    @property
    def kind(self) -> SourceKind:
        """The kind of input that is named; members where none is."""
        if self.procfile is not None:
            return SourceKind.PROCFILE
        return SourceKind.PROFILE if self.profile is not None else SourceKind.MEMBERS

    def given(self) -> dict[str, Any]:
        """The options that were given, by name."""
        pairs = ((name, getattr(self, name)) for name in DECLARED)
        return {name: value for name, value in pairs if value is not None}

    def to_record(self) -> dict[str, Any]:
        """The options that take part in making the plan again, as JSON has them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self.given().items()
            if not DECLARED[name].names_source
        }

    def over(self, source: Source) -> Options:
        """These options, and for each that was not given the one that `source` was made with."""
        rivals = {option.rival for option in _wanted(self)}
        recorded: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in source.options.items()
            if name in DECLARED and name not in rivals
        }
        if source.kind is not SourceKind.MEMBERS:
            recorded[source.kind.value] = source.path
        return replace(self, **(recorded | self.given()))


DECLARED: Mapping[str, Option] = {
    each.name: replace(option, name=each.name)
    for each, option in zip(fields(Options), _options, strict=False)
}
"""Each option by its name, in the order in which `--help` has them."""


def check_together(options: Options, called: Callable[[Option], str]) -> None:
    """Raises InputError for options that contradict each other; `called` is what the reader calls one."""
    given = options.given()
    for one, other, why in _CONTRADICTIONS:
        if one in given and other in given:
            names = " and ".join(called(DECLARED[name]) for name in (one, other))
            raise InputError(f"{names} contradict each other{why}", hint="leave out one of them")


def check_fits(options: Options, kind: SourceKind) -> None:
    """Raises InputError for an option that says nothing to this kind of input."""
    for option in _wanted(options):
        misfit = option.misfit
        if misfit is not None and kind in misfit.kinds:
            raise InputError(f"{option.typed} {misfit.what}", hint=misfit.hint)


def check_way(options: Options, bootstrap: Bootstrap, runtime: Runtime) -> None:
    """Raises InputError for an option that says nothing to members that are told of each other, or run, so."""
    for option in _wanted(options):
        if option.bootstrap not in (None, bootstrap):
            raise InputError(
                f"{option.typed} says nothing to members whose bootstrap is {bootstrap.value!r}",
                hint=f"leave it out, or use --bootstrap {option.bootstrap}",
            )
        if option.contained and runtime is Runtime.PROCESS:
            raise InputError(
                f"{option.typed} is for containers, and the members are processes",
                hint="add --runtime podman or --runtime docker",
            )


def _wanted(options: Options) -> list[Option]:
    # What is not to be, as a program may say, contradicts nothing.
    return [DECLARED[name] for name, value in options.given().items() if value is not False]
