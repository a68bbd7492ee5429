"""What is: the state of each process and member, and of the cluster they make."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.model.bootstrap import Bootstrap, DiscoveryProtocol
from etcd_sandbox.model.spec import MemberSpec, Runtime, Service


class ProcessState(StrEnum):
    """Where a process is in its life; `failed` means that it could not be executed."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    EXITED = "exited"
    BACKOFF = "backoff"
    FAILED = "failed"
    REMOVED = "removed"

    @property
    def alive(self) -> bool:
        """There is an operating-system process behind it."""
        return self in _ALIVE


_ALIVE = frozenset(
    {ProcessState.STARTING, ProcessState.RUNNING, ProcessState.PAUSED, ProcessState.STOPPING}
)


class Role(StrEnum):
    """What a member that answers says of itself. `candidate`: it knows no leader."""

    LEADER = "leader"
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEARNER = "learner"
    PROXY = "proxy"


class Exit(Struct, frozen=True, kw_only=True):
    """How a process ended: by `signal` (`SIGKILL`) or with `code`; `ts` is RFC 3339.

    `note` is what a reader may want to know of the end.
    """

    code: int | None
    signal: str | None
    ts: str
    error: str | None = None
    note: str | None = None

    def __str__(self) -> str:
        if self.error is not None:
            return self.error
        return f"killed by {self.signal}" if self.signal else f"exit status {self.code}"


class ProcessStatus(Struct, frozen=True, kw_only=True):
    """One process as `status` shows it. `cpu_percent` is of one core, since the last answer.

    `service`: what it does for the members' sake.
    """

    name: str
    pid: int | None
    state: ProcessState
    cpu_percent: float | None
    rss_bytes: int | None
    restarts: int
    uptime_s: float | None
    exit: Exit | None
    command: str
    service: Service | None = None


class MemberStatus(Struct, frozen=True, kw_only=True):
    """One member as `status` shows it: its process and what it says of itself.

    What a member says (role, health, term, revision, sizes, version) is None when it did
    not answer in time; nothing of it is remembered from earlier answers. `follows` is whom it
    takes for the leader (a leader follows itself): members that are cut apart differ. `term` is None also
    where its answer and its log name different leaders. `healthy`: it
    answered, and knows a leader. `alarms` are those that it has raised (`NOSPACE`, `CORRUPT`). `why`
    is what else is to be said of it: why it does not answer, or answers no more than that it is there.
    `own_cluster`: it leads by a list of members of its own, and not against the cluster's leader.
    `client_url` is where clients go, `asked_url` where the sandbox asks: past a link in front of clients.
    `metrics_url` with `/metrics` behind it is the page for Prometheus.
    """

    name: str
    process: str
    id: str | None
    pid: int | None
    state: ProcessState
    role: Role | None
    healthy: bool
    term: int | None
    revision: int | None
    raft_index: int | None
    raft_applied_index: int | None
    db_size_bytes: int | None
    hash: int | None
    version: str | None
    client_url: str
    asked_url: str = ""
    peer_url: str
    metrics_url: str | None = None
    data_dir: str
    cpu_percent: float | None
    rss_bytes: int | None
    restarts: int
    uptime_s: float | None
    exit: Exit | None
    follows: str | None = None
    alarms: tuple[str, ...] = ()
    why: str | None = None
    own_cluster: bool = False


class Quorum(Struct, frozen=True, kw_only=True):
    """How many voters etcd's member list has, how many of them are needed, how many are healthy.

    `ok`: enough of them follow one leader, or a read that needs a quorum was just served; None where no
    voter is known. `late` is how many run and did not answer in time: of them nothing is known.
    """

    voters: int
    needed: int
    healthy: int
    ok: bool | None
    late: int = 0


class AlarmStatus(Struct, frozen=True, kw_only=True):
    """An alarm that is up; `member` is its name, None where etcd does not tell which member is meant."""

    alarm: str
    member: str | None


class ListedMember(Struct, frozen=True, kw_only=True):
    """An entry of etcd's member list that is no process of this cluster: it counts all the same.

    `id` is unpadded hex. `started` is whether it ever joined: etcd knows its client URLs from then on.
    `answers` is whether it answered at one of them just now. A `remnant` does not count: Raft does
    not know it. It was left in a database, and etcd 3.6 lists it (etcd issue 20967).
    """

    id: str
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    learner: bool
    started: bool
    answers: bool
    remnant: bool = False


class SupervisorStatus(Struct, frozen=True, kw_only=True):
    """The supervisor itself."""

    pid: int
    version: str
    uptime_s: float


class LogView(Struct, frozen=True, kw_only=True):
    """Who leads by what the members' logs say, known when the line is written; None: nobody."""

    leader: str | None
    term: int | None


class LogLoss(Struct, frozen=True, kw_only=True):
    """Log lines that are not in the files, since the disk refused them: how many so far, why the last.

    `losing` tells that it still refuses them.
    """

    lines: int = 0
    losing: bool = False
    why: str = ""


class Registration(Struct, frozen=True, kw_only=True):
    """A member as a discovery service has it: `id` in unpadded hex, `peer_urls` joined by commas."""

    member: str
    id: str
    peer_urls: str


class BootstrapStatus(Struct, frozen=True, kw_only=True):
    """How the members were told of each other, and what runs them.

    `service` is the URL of the discovery service or the address of the DNS server, `process` the
    process that is it where it is ours. `protocol`, `token`, `size` and `registered` are of a
    discovery service: what was seen when it was last asked, None where it never answered. `lack` is
    what keeps members that start from becoming ready, None where nothing is known to.
    """

    way: Bootstrap = Bootstrap.STATIC
    runtime: Runtime = Runtime.PROCESS
    service: str | None = None
    process: str | None = None
    protocol: DiscoveryProtocol | None = None
    token: str | None = None
    size: int | None = None
    registered: tuple[Registration, ...] | None = None
    domain: str | None = None
    lack: str | None = None


class ClusterStatus(Struct, frozen=True, kw_only=True):
    """`status --json`, schema 1. `leader` is the member name of the claimant with the highest term.

    `term` is that in which it leads, None while that is not known; without a leader it is the highest that a
    member is in. All that is told of members is what they answer now; `logs` is ahead of it when
    a leader was just lost, and behind it for members whose logs go elsewhere. `alarms` are all that
    are up, `elsewhere` the members on etcd's list that are no process of this cluster, `notes` what
    else a reader must know: two members whose data differ, a leader of a cluster of its own.
    `authentication`: whether etcd asks for a user, None while no answer told. `planned` are faults that are to come.
    """

    schema: int
    cluster: str
    supervisor: SupervisorStatus
    leader: str | None
    term: int | None
    quorum: Quorum
    members: tuple[MemberStatus, ...]
    processes: tuple[ProcessStatus, ...]
    faults: tuple[dict[str, object], ...]
    logs: LogView = LogView(leader=None, term=None)
    log_loss: LogLoss = LogLoss()
    bootstrap: BootstrapStatus = BootstrapStatus()
    alarms: tuple[AlarmStatus, ...] = ()
    elsewhere: tuple[ListedMember, ...] = ()
    notes: tuple[str, ...] = ()
    authentication: bool | None = None
    planned: tuple[dict[str, object], ...] = ()


class LeftOff(Struct, frozen=True, kw_only=True):
    """The highest term and the highest revision that the members told of just before they were stopped."""

    term: int
    revision: int


class Peer(Struct, frozen=True, kw_only=True):
    """An entry of the member list as one member has it; without a name it has never started."""

    id: str
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool


class Totals(Struct, frozen=True, kw_only=True):
    """How often something took place, and the seconds that it took altogether."""

    count: int = 0
    seconds: float = 0.0


class Metrics(Struct, frozen=True, kw_only=True):
    """Figures since the member's start; None where its page has none.

    `peer_round_trips` is by the peer's member ID, in unpadded hex; it appears some 5 s after the start.
    `put` is what this member's own clients wait for a successful put (etcd 3.7 and later measure it),
    `put_apply` only the last step of any client's put, its application to the database (3.5 and later).
    """

    fsync: Totals
    commit: Totals
    peer_round_trips: dict[str, Totals]
    proposals_committed: int | None
    proposals_pending: int | None
    proposals_failed: int | None
    leader_changes: int | None
    puts: int | None
    put: Totals | None = None
    put_apply: Totals | None = None


class Detail(Struct, frozen=True, kw_only=True):
    """A process as it was executed. `env` is laid over the supervisor's, without `env_drop`.

    `peers` and `metrics` are a member's own answers, None when it gave none.
    """

    process: str
    state: ProcessState
    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    env_drop: tuple[str, ...]
    exit: Exit | None
    member: MemberSpec | None = None
    peers: tuple[Peer, ...] | None = None
    metrics: Metrics | None = None
