"""What is asked for: the processes of a cluster, in full, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct, field

from etcd_sandbox.model.access import Address, InitialCluster
from etcd_sandbox.model.bootstrap import Bootstrap, DiscoverySpec, DnsSpec


class Restart(StrEnum):
    """What happens when a process ends that nobody stopped."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class Stdin(StrEnum):
    """What a process has as its stdin: nothing, a pipe or a terminal that stay open and say nothing."""

    NULL = "null"
    PIPE = "pipe"
    TERMINAL = "terminal"


class After(StrEnum):
    """What a process waits for before its first start."""

    START = "start"
    READY = "ready"


class Runtime(StrEnum):
    """What the members are: processes of this machine, or containers of an engine."""

    PROCESS = "process"
    PODMAN = "podman"
    DOCKER = "docker"

    @property
    def kind(self) -> str:
        """What members are by it, in lessons: `processes` or `containers`."""
        return "processes" if self is Runtime.PROCESS else "containers"

    @property
    def containers(self) -> str:
        """`podman containers`; empty where members are processes, as they usually are."""
        return "" if self is Runtime.PROCESS else f"{self} containers"


DEFAULT_RUNTIME = Runtime.PROCESS

CONTAINER_OPTIONS = ("image", "image_from_binary", "container_network")
"""By their names in a profile and in Python: the options that say nothing to members that are processes."""


class ContainerNetwork(StrEnum):
    """How containers are reached: they have the host's network, or one of their own with published ports."""

    HOST = "host"
    PUBLISHED = "published"


class Service(StrEnum):
    """What a process does that runs for the members' sake; its process is called so, too."""

    DISCOVERY = "discovery"
    DNS = "dns"


class SourceKind(StrEnum):
    """Which kind of input a plan was made from."""

    MEMBERS = "members"
    PROCFILE = "procfile"
    PROFILE = "profile"


VARIABLES_FILE, RECORDS_FILE = "file of variables", "file of records"
"""The inputs beside a Procfile or profile, as errors and `Source.texts` call them."""


class Source(Struct, frozen=True, kw_only=True):
    """The input that a plan was made from, whole enough to make it again (`apply`).

    `path` is absolute and empty for `-n N`. `options` are the options of `up` that
    shaped the plan, by their parameter names. `texts` are the inputs that can be read only once,
    since they came through a pipe: the Procfile or profile by its path, others by kind and path.
    """

    kind: SourceKind
    path: str = ""
    options: dict[str, str | int | bool | list[str] | None] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def records_path(self) -> str:
        """The file of DNS records that an option names; empty where there is none, or it was a pipe."""
        piped = any(key.startswith(RECORDS_FILE) for key in self.texts)
        return "" if piped else str(self.options.get("dns_records") or "")


class EtcdBinary(Struct, frozen=True, kw_only=True):
    """An etcd on this machine. `version` is bare (`3.5.1`); `origin` says why it was taken.

    With an `image`, `path` is the program within that container image.
    """

    path: str
    version: str
    origin: str
    image: str = ""


class PeerLink(Struct, frozen=True, kw_only=True):
    """A relay in front of a member's listener for peers, or for clients.

    `listen_url` is where these dial, `target_url` where the member itself listens.
    """

    listen_url: Address
    target_url: Address


class ContainerSpec(Struct, frozen=True, kw_only=True):
    """The container that a process runs in: `engine` is the program that runs it, `name` its own name.

    `program` is what is executed in it. `data_dir` is made before the start, since engines mount only what is there. The engine writes
    the process's pid to `pid_file`; empty where it has no such option. `network` is the engine's
    network that the container is in; empty for the host's.
    """

    runtime: Runtime
    engine: str
    name: str
    image: str
    program: str
    data_dir: str
    pid_file: str = ""
    network: str = ""


CLUSTER_LABEL = "etcd-sandbox.cluster"
"""A label of every container and network of ours; its value is the cluster's state directory."""


class MemberSpec(Struct, frozen=True, kw_only=True):
    """A process that is an etcd server.

    `id` is etcd's own spelling: lower-case hex without leading zeros; None where it cannot
    be known before the start. `client_url` is where clients on this machine reach it, which is not
    always what it advertises; `peer_url` is the advertised one. `listen_urls` is
    every address that etcd binds (client, peer and metrics), `data_dir` is
    absolute. `data_owned`: the directory is ours to delete. `wal_dir` is where else it keeps data, absolute,
    and `wal_owned` says the same of that. `log_files` are where etcd itself logs to, absolute. `link` is None for a member whose
    peers reach it directly, and then `no_link` says why. `client_link` is the one before its clients: these know its `endpoint`
    only, and `client_url` is where it is asked past the link. `election_timeout_s` is etcd's own.
    `upgraded_from` are the versions that ran its data before `etcd`, the first one first.
    `learner`: it has no vote. `joined`: it came to a cluster that was there; etcd chose its ID.
    `endpoint` is where clients of gRPC reach it, if that is apart from `client_url`, which HTTP needs.
    `proxy`: it is an etcd 3.4 or 3.5 under `--proxy`, which hands requests on, and no member at all.
    """

    name: str
    id: str | None
    client_url: Address
    endpoint: Address = Address("")
    peer_url: Address
    metrics_url: Address | None = None
    listen_urls: tuple[Address, ...] = ()
    data_dir: str
    data_owned: bool
    token: str
    initial_cluster: InitialCluster = {}
    etcd: EtcdBinary | None = None
    client_cert: str = ""
    client_key: str = ""
    link: PeerLink | None = None
    no_link: str = ""
    client_link: PeerLink | None = None
    election_timeout_s: float = 1.0
    upgraded_from: tuple[str, ...] = ()
    learner: bool = False
    joined: bool = False
    proxy: bool = False
    wal_dir: str = ""
    wal_owned: bool = False
    log_files: tuple[str, ...] = ()

    @property
    def advertised_client_url(self) -> Address:
        """Where it tells clients to go."""
        return self.client_url if self.client_link is None else self.client_link.listen_url

    @property
    def peer_port_url(self) -> Address:
        """Where the member itself serves its peers, behind the relay if there is one."""
        return self.peer_url if self.link is None else self.link.target_url

    @property
    def foreign_data(self) -> tuple[str, ...]:
        """The directories with data of this member that are not ours to delete."""
        places = ((self.data_dir, self.data_owned), (self.wal_dir, self.wal_owned))
        return tuple(place for place, is_ours in places if place and not is_ours)


class ProcessSpec(Struct, frozen=True, kw_only=True, tag_field="kind", tag="process"):
    """One process: what is executed, where, with which environment.

    `argv` is executed as it is; `shown` is the command as a reader knows it. `env` is laid
    over the supervisor's environment after the variables that match a pattern of `env_drop`
    (shell globs) were removed. `stop_timeout_s` is the time between SIGTERM and SIGKILL.
    A `service` is no member, but members need it: it starts before them. With a `container`,
    `argv` runs that container and stays until it ends. `flags` are what an etcd is told whose command
    we compose, by name and in order, and `wrapper` the words before that etcd: `argv` is rendered
    from them (`plan.runtimes`), and of a member from its name, its addresses and its list of members,
    which are no `flags`. Both are empty for any other command.
    """

    name: str
    argv: tuple[str, ...]
    shown: str
    cwd: str
    flags: dict[str, str] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    env_drop: tuple[str, ...] = ()
    restart: Restart = Restart.NEVER
    stop_timeout_s: float = 10.0
    after: After = After.START
    member: MemberSpec | None = None
    service: Service | None = None
    container: ContainerSpec | None = None
    stdin: Stdin = Stdin.NULL

    @property
    def runtime(self) -> Runtime:
        """What runs it."""
        return Runtime.PROCESS if self.container is None else self.container.runtime

    @property
    def is_beside(self) -> bool:
        """It is no member, and does not run for the members' sake."""
        return self.member is None and self.service is None

    @property
    def own_name(self) -> str:
        """What readers call it: a member's name, or else the process's."""
        return self.name if self.member is None else self.member.name


AnyProcess = TypeVar("AnyProcess", bound=ProcessSpec)


class MemberProcess(ProcessSpec, frozen=True, kw_only=True, tag="member"):
    """A process that is an etcd server."""

    member: MemberSpec

    @property
    def is_surplus(self) -> bool:
        """An etcd for whom the discovery token has no place: it starts when the others are there."""
        return self.after is After.READY and not self.member.learner

    @property
    def is_to_join(self) -> bool:
        """A learner of the plan: it is added, and then started, when the voters are ready."""
        return self.after is After.READY and self.member.learner


def as_member(process: ProcessSpec) -> MemberProcess:
    """The process, which the caller knows to be a member's."""
    assert isinstance(process, MemberProcess)
    return process


def members_of(processes: Iterable[ProcessSpec]) -> list[MemberProcess]:
    """The members among the processes, in their order."""
    return [each for each in processes if isinstance(each, MemberProcess)]


class Unfinished(Struct, frozen=True, kw_only=True):
    """A change of the members, `verb` on `process`, that is under way or was interrupted.

    That process is not started with the others: nobody knows how far the change got.
    """

    verb: str
    process: str


class PastKind(StrEnum):
    """What was done to a member, or to the data of all."""

    ADDED = "added"
    PROMOTED = "promoted"
    REMOVED = "removed"
    REPLACED = "replaced"
    RESTORED = "restored"


class PastChange(Struct, frozen=True, kw_only=True):
    """A change of the members that is done: `kind` says what, `version` under which etcd.

    `version` is the oldest among the members at that time, empty where none was known. `member` and
    `id` are empty for data that was restored from a snapshot.
    """

    kind: PastKind
    version: str
    member: str = ""
    id: str = ""


PLAN_SCHEMA = 4
"""The shape of a plan as JSON. Who changes the shape adds 1, and a step in `plan/recorded.py`."""


class ClusterSpec(Struct, frozen=True, kw_only=True):
    """A whole cluster. `schema` is the shape of this value as JSON. `wanted` names the processes that `up` starts; empty means all.

    `token` is etcd's initial cluster token. `port_lock` is the path of the lock file that
    holds a port block found by `--base-port auto`; empty when the ports were given.
    `founders` are the process names of the input's members, once the members are not those any
    more; `unfinished` are changes of them that may be half done, `history` those that are done. `user` is
    `NAME:PASSWORD` of the user of etcd to ask the members as; empty where the input names none. `disk_faults`: members are executed under the filter.
    """

    schema: int = PLAN_SCHEMA
    name: str
    source: Source
    processes: tuple[MemberProcess | ProcessSpec, ...]
    token: str = ""
    bootstrap: Bootstrap = Bootstrap.STATIC
    runtime: Runtime = Runtime.PROCESS
    discovery: DiscoverySpec | None = None
    dns: DnsSpec | None = None
    wanted: tuple[str, ...] = ()
    ephemeral: bool = False
    exit_on_error: bool = False
    port_lock: str = ""
    founders: tuple[str, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    history: tuple[PastChange, ...] = ()
    notes: tuple[str, ...] = ()
    user: str = ""
    disk_faults: bool = False

    @property
    def way(self) -> Bootstrap:
        """The way that its members go by our doing: a Procfile's own commands may go another by themselves."""
        if self.discovery is not None:
            return Bootstrap.DISCOVERY
        return Bootstrap.STATIC if self.dns is None else Bootstrap.DNS

    @property
    def members(self) -> tuple[MemberProcess, ...]:
        """The processes that are etcd servers, in the order of the input."""
        return tuple(members_of(self.processes))

    @property
    def services(self) -> tuple[ProcessSpec, ...]:
        """The processes that run for the members' sake."""
        return tuple(each for each in self.processes if each.service is not None)

    @property
    def beside(self) -> tuple[ProcessSpec, ...]:
        """The processes that are neither members nor run for their sake."""
        return tuple(each for each in self.processes if each.is_beside)

    @property
    def wanted_processes(self) -> tuple[MemberProcess | ProcessSpec, ...]:
        """The processes that `up` starts, in the order of the input; what members need, always."""
        return tuple(
            process
            for process in self.processes
            if not self.wanted or process.name in self.wanted or process.service is not None
        )

    @property
    def client_urls(self) -> tuple[Address, ...]:
        """Where clients are served, in the order of the input: not by learners, proxies, nor without a place."""
        return tuple(
            process.member.endpoint or process.member.client_url
            for process in self.members
            if not (process.is_surplus or process.member.learner or process.member.proxy)
        )

    def process(self, name: str) -> MemberProcess | ProcessSpec | None:
        """The process of that process name."""
        return next((process for process in self.processes if process.name == name), None)

    def member_process(self, name: str) -> MemberProcess | None:
        """The member's process of that process name."""
        return next((process for process in self.members if process.name == name), None)
