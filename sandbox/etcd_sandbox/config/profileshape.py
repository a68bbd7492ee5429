"""The tables of a profile, as msgspec reads them, and the profile that they make together."""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from etcd_sandbox.config.tomlplace import Key, places, spell
from etcd_sandbox.model.spec import After, Bootstrap, ContainerNetwork, Restart, Runtime, Stdin

Flag = str | int | float | bool
"""The value of one etcd flag."""

MEMBERS_LIMIT = 25
DEFAULT_MEMBERS = 3


class ClusterTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[cluster]`. `members` None: the `[[member]]` entries are the membership, else 3.

    `discovery` is the URL of an existing service, `discovery_size` the number of members that
    the token is for, `dns_records` a file of records in dnsmasq's words, `image` the containers', `user` is
    `NAME:PASSWORD` of the user of etcd to ask the members as.
    """

    members: int | None = None
    etcd: str = ""
    bootstrap: Bootstrap = Bootstrap.STATIC
    runtime: Runtime = Runtime.PROCESS
    discovery: str = ""
    discovery_token: str = ""
    discovery_size: int | None = None
    dns_records: str = ""
    image: str = ""
    image_from_binary: bool = False
    container_network: ContainerNetwork | None = None
    base_port: int = 12379
    port_step: int | None = None
    token: str | None = None
    user: str = ""


class MemberTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[member]]`: what one member has of its own. A `learner` has no vote, and joins the others."""

    name: str
    etcd: str = ""
    client_port: int | None = None
    learner: bool = False
    flags: dict[str, Flag] = {}


class ProcessTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[process]]`: what runs beside the cluster; `stdin` is what it reads from."""

    name: str
    command: str
    after: After = After.START
    restart: Restart = Restart.NEVER
    stdin: Stdin = Stdin.NULL


class SuperviseTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[supervise]`: the restart policy of members, and the seconds from SIGTERM to SIGKILL."""

    restart: Restart = Restart.NEVER
    stop_timeout_s: float = 10.0


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
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


def place_in(text: str, where: str, key: Key) -> str:
    """`FILE:LINE` of a key in a valid TOML document; `FILE: KEY` where no line is known."""
    if not where:
        return ""
    lines = places(text)
    for length in range(len(key), 0, -1):
        if line := lines.get(key[:length]):
            return f"{where}:{line}"
    return f"{where}: {spell(key)}" if key else where
