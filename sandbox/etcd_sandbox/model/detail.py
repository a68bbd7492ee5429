"""One process from near: how it was executed, and of a member what it knows of its peers and of itself."""

from __future__ import annotations

from msgspec import Struct

from etcd_sandbox.model.spec import MemberSpec
from etcd_sandbox.model.state import Exit, ProcessState


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
