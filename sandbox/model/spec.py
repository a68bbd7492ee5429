"""What is asked for: the processes of a cluster, in full, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Restart(StrEnum):
    """What happens when a process ends that nobody stopped."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class After(StrEnum):
    """What a process waits for before its first start."""

    START = "start"
    READY = "ready"


class SourceKind(StrEnum):
    """Which kind of input a plan was made from."""

    MEMBERS = "members"
    PROCFILE = "procfile"
    PROFILE = "profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The input that a plan was made from, whole enough to make it again (`apply`).

    `path` is absolute and empty for `-n N`. `options` are the options of `up` that
    shaped the plan, by their parameter names.
    """

    kind: SourceKind
    path: str = ""
    options: dict[str, str | int | bool | list[str] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdBinary:
    """An etcd on this machine. `version` is bare (`3.5.1`); `origin` says why it was taken."""

    path: str
    version: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpec:
    """A process that is an etcd server.

    `id` is etcd's own spelling: lower-case hex without leading zeros; None where it cannot
    be known before the start. `client_url` and `peer_url` are the advertised ones,
    `listen_urls` every address that etcd binds (client, peer and metrics), `data_dir` is
    absolute. `data_owned`: the directory is ours to delete.
    """

    name: str
    id: str | None
    client_url: str
    peer_url: str
    metrics_url: str | None = None
    listen_urls: tuple[str, ...] = ()
    data_dir: str
    data_owned: bool
    token: str
    initial_cluster: tuple[str, ...] = ()
    etcd: EtcdBinary | None = None
    client_cert: str = ""
    client_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process: what is executed, where, with which environment.

    `argv` is executed as it is; `shown` is the command as a reader knows it. `env` is laid
    over the supervisor's environment after the variables that match a pattern of `env_drop`
    (shell globs) were removed. `stop_timeout_s` is the time between SIGTERM and SIGKILL.
    """

    name: str
    argv: tuple[str, ...]
    shown: str
    cwd: str
    env: dict[str, str] = field(default_factory=dict)
    env_drop: tuple[str, ...] = ()
    restart: Restart = Restart.NEVER
    stop_timeout_s: float = 10.0
    after: After = After.START
    member: MemberSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """A whole cluster. `wanted` names the processes that `up` starts; empty means all.

    `token` is etcd's initial cluster token. `port_lock` is the path of the lock file that
    holds a port block found by `--base-port auto`; empty when the ports were given.
    """

    name: str
    source: Source
    processes: tuple[ProcessSpec, ...]
    token: str = ""
    wanted: tuple[str, ...] = ()
    ephemeral: bool = False
    exit_on_error: bool = False
    port_lock: str = ""
    notes: tuple[str, ...] = ()

    @property
    def members(self) -> tuple[ProcessSpec, ...]:
        """The processes that are etcd servers, in the order of the input."""
        return tuple(process for process in self.processes if process.member is not None)

    @property
    def wanted_processes(self) -> tuple[ProcessSpec, ...]:
        """The processes that `up` starts, in the order of the input."""
        return tuple(
            process for process in self.processes if not self.wanted or process.name in self.wanted
        )

    def process(self, name: str) -> ProcessSpec | None:
        """The process of that process name."""
        return next((process for process in self.processes if process.name == name), None)
