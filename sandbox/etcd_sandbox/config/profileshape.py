"""A profile: its tables, as msgspec reads them, and the checks of what is well formed but cannot be run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from msgspec import Struct, field

from etcd_sandbox.config.profileflags import Flag, refusal_of
from etcd_sandbox.config.tomlplace import place_in
from etcd_sandbox.errors import InputError, did_you_mean
from etcd_sandbox.model.access import Credentials
from etcd_sandbox.model.bootstrap import DEFAULT_BOOTSTRAP, NEEDED_BY, Bootstrap
from etcd_sandbox.model.selector import check_name, process_name
from etcd_sandbox.model.spec import (
    CONTAINER_OPTIONS,
    DEFAULT_RUNTIME,
    After,
    ContainerNetwork,
    Restart,
    Runtime,
    Stdin,
)

MEMBERS_LIMIT = 25
DEFAULT_MEMBERS = 3
_PORT_LIMIT = 65535
_STOP_TIMEOUT_LIMIT_S = 3600


class ClusterTable(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[cluster]`. `members` None: the `[[member]]` entries are the membership, else 3.

    `discovery` is the URL of an existing service, `discovery_size` the number of members that
    the token is for, `dns_records` a file of records in dnsmasq's words, `image` the containers', `user` is
    `NAME:PASSWORD` of the user of etcd to ask the members as. With `client_links` clients reach members through links; with
    `disk_faults` members are executed so that their disks can be slowed and broken.
    """

    members: int | None = None
    etcd: str = ""
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
    runtime: Runtime = DEFAULT_RUNTIME
    discovery: str = ""
    discovery_token: str = ""
    discovery_size: int | None = None
    dns_records: str = ""
    image: str = ""
    image_from_binary: bool = False
    container_network: ContainerNetwork | None = None
    base_port: int = 12379
    port_step: int | None = None
    client_links: bool = False
    disk_faults: bool = False
    token: str | None = None
    user: str = ""


class MemberTable(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[member]]`: what one member has of its own. A `learner` has no vote, and joins the others."""

    name: str
    etcd: str = ""
    client_port: int | None = None
    learner: bool = False
    flags: dict[str, Flag] = {}


class ProcessTable(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[process]]`: what runs beside the cluster; `stdin` is what it reads from."""

    name: str
    command: str
    after: After = After.START
    restart: Restart = Restart.NEVER
    stdin: Stdin = Stdin.NULL


class SuperviseTable(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[supervise]`: the restart policy of members, and the seconds from SIGTERM to SIGKILL."""

    restart: Restart = Restart.NEVER
    stop_timeout_s: float = 10.0


class Document(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole profile as TOML has it."""

    description: str = ""
    cluster: ClusterTable = ClusterTable()
    etcd: dict[str, Flag] = {}
    member: tuple[MemberTable, ...] = ()
    process: tuple[ProcessTable, ...] = ()
    supervise: SuperviseTable = SuperviseTable()


class Profile(Struct, frozen=True, kw_only=True):
    """A cluster as a profile describes it; without arguments, etcd's own defaults.

    `where` is the file as a reader knows it and `text` its content, for places in errors.
    """

    where: str = ""
    text: str = ""
    description: str = ""
    cluster: ClusterTable = field(default_factory=ClusterTable)
    etcd: dict[str, Flag] = field(default_factory=dict)
    members: tuple[MemberTable, ...] = ()
    processes: tuple[ProcessTable, ...] = ()
    supervise: SuperviseTable = field(default_factory=SuperviseTable)

    def place(self, *key: str | int) -> str:
        """`FILE:LINE` of a key or of the nearest table around it."""
        return place_in(self.text, self.where, key)

    @property
    def lists_members(self) -> bool:
        """The `[[member]]` entries are the membership, rather than overrides."""
        return self.cluster.members is None and bool(self.members)

    @property
    def member_names(self) -> tuple[str, ...]:
        """The names of the members, in order."""
        if self.lists_members:
            return tuple(member.name for member in self.members)
        return generated_names(self.cluster.members or DEFAULT_MEMBERS)

    def own(self, member: str) -> tuple[int, MemberTable]:
        """A member's own entry and its index; an empty entry and -1 where there is none."""
        for index, table in enumerate(self.members):
            if table.name == member:
                return index, table
        return -1, MemberTable(name=member)


def generated_names(count: int) -> tuple[str, ...]:
    """`infra1`, `infra2`, … as etcd's documentation calls members."""
    return tuple(f"infra{number}" for number in range(1, count + 1))


def check_profile(profile: Profile) -> None:
    """Raises InputError for the first thing that keeps `profile` from running."""
    for check in _CHECKS:
        check(profile)


def _check_cluster(profile: Profile) -> None:
    cluster = profile.cluster
    if cluster.members is not None:
        _in_range(profile, cluster.members, 1, MEMBERS_LIMIT, "cluster", "members")
    _in_range(profile, cluster.base_port, 1, _PORT_LIMIT, "cluster", "base_port")
    if cluster.port_step is not None:
        _in_range(profile, cluster.port_step, 1, _PORT_LIMIT, "cluster", "port_step")
    if cluster.discovery_size is not None:
        _in_range(profile, cluster.discovery_size, 1, MEMBERS_LIMIT, "cluster", "discovery_size")
    for key, fits, needed in (
        *(
            (key, cluster.bootstrap is way, f'bootstrap = "{way}"')
            for key, way in NEEDED_BY.items()
        ),
        *(
            (key, bool(cluster.runtime.containers), 'runtime = "podman"')
            for key in CONTAINER_OPTIONS
        ),
    ):
        if getattr(cluster, key) and not fits:
            raise InputError(
                f"{key!r} needs {needed}", profile.place("cluster", key), "add it to [cluster]"
            )
    if cluster.user:
        Credentials.parse(cluster.user, profile.place("cluster", "user"))
    if cluster.token == "":
        raise InputError(
            "'token' is empty", profile.place("cluster", "token"), "leave it out for the default"
        )


def _in_range(profile: Profile, value: int, low: int, high: int, *key: str | int) -> None:
    if not low <= value <= high:
        raise InputError(f"{key[-1]!r} must be {low} to {high}, not {value}", profile.place(*key))


def _check_flags(profile: Profile) -> None:
    keys: list[tuple[str | int, ...]] = [("etcd", flag) for flag in profile.etcd]
    for index, member in enumerate(profile.members):
        keys += [("member", index, "flags", flag) for flag in member.flags]
    for key in keys:
        flag, place = str(key[-1]), profile.place(*key)
        given = profile.etcd if key[0] == "etcd" else profile.members[int(key[1])].flags
        if refusal := refusal_of(flag, given[flag], shared=key[0] == "etcd"):
            raise InputError(refusal[0], place, refusal[1])


def _check_members(profile: Profile) -> None:
    ports: dict[int, str] = {}
    seen: set[str] = set()
    if len(profile.members) > MEMBERS_LIMIT:
        raise InputError(
            f"a cluster has 1 to {MEMBERS_LIMIT} members, not {len(profile.members)}",
            profile.place("member", MEMBERS_LIMIT),
        )
    for index, member in enumerate(profile.members):
        place = profile.place("member", index, "name")
        check_name(member.name, place, "member")
        if member.name in seen:
            raise InputError(f"two members are called {member.name!r}", place)
        seen.add(member.name)
        if member.name not in profile.member_names:
            names = profile.member_names
            raise InputError(
                f"there is no member {member.name!r} to override",
                place,
                did_you_mean(member.name, names, "the members are"),
            )
        if (port := member.client_port) is not None:
            _in_range(profile, port, 1, _PORT_LIMIT, "member", index, "client_port")
            if other := ports.get(port):
                raise InputError(
                    f"the members {other!r} and {member.name!r} have one client_port, {port}",
                    profile.place("member", index, "client_port"),
                )
            ports[port] = member.name


def _check_learners(profile: Profile) -> None:
    learners = [
        (index, member.name) for index, member in enumerate(profile.members) if member.learner
    ]
    if len(learners) > 1:
        raise InputError(
            f"{learners[0][1]!r} and {learners[1][1]!r} are learners, and etcd has one at a time",
            profile.place("member", learners[1][0], "learner"),
            "etcd-sandbox add --learner brings another when the first was promoted",
        )
    if learners and len(profile.member_names) == 1:
        raise InputError(
            "the only member cannot be a learner: nobody would vote",
            profile.place("member", learners[0][0], "learner"),
            "leave it out, or set members in [cluster]",
        )


def _check_processes(profile: Profile) -> None:
    members = profile.member_names
    taken = dict(
        chain.from_iterable(((name, name), (process_name(name), name)) for name in members)
    )
    seen: set[str] = set()
    for index, process in enumerate(profile.processes):
        place = profile.place("process", index, "name")
        check_name(process.name, place)
        if process.name in seen:
            raise InputError(f"two processes are called {process.name!r}", place)
        if member := taken.get(process.name):
            raise InputError(
                f"the process name {process.name!r} belongs to the member {member!r}",
                place,
                "choose another name",
            )
        seen.add(process.name)
        if not process.command.strip():
            raise InputError(
                f"the process {process.name!r} has an empty command",
                profile.place("process", index, "command"),
            )


def _check_supervise(profile: Profile) -> None:
    seconds = profile.supervise.stop_timeout_s
    if not 0 < seconds <= _STOP_TIMEOUT_LIMIT_S:
        raise InputError(
            f"'stop_timeout_s' must be more than 0 and at most {_STOP_TIMEOUT_LIMIT_S}, not {seconds:g}",
            profile.place("supervise", "stop_timeout_s"),
        )


_CHECKS: tuple[Callable[[Profile], None], ...] = (
    _check_cluster,
    _check_flags,
    _check_members,
    _check_learners,
    _check_processes,
    _check_supervise,
)
