"""What members answer, as values: the JSON of etcd's gateway, and the page of metrics. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from msgspec import Struct

from etcd_sandbox.etcd.version import hex_id
from etcd_sandbox.model.state import Metrics, Peer, Totals

GIVE_A_USER = "authentication is on: give a user of etcd with --user NAME:PASSWORD"
"""The mend where etcd refuses a stranger."""

NO_ANSWER = 4
"""The code where the member answered nothing, or etcd gave up: the change may come yet (gRPC's DEADLINE_EXCEEDED)."""

_UNAUTHENTICATED = 16
UNKNOWN_TOKEN = "invalid auth token"
"""How a member refuses a token that was never given, was forgotten, or is not applied yet."""

_WANTS_A_TOKEN = ("user name is empty", UNKNOWN_TOKEN, "revision of auth store is old")
_WANTS_RIGHTS = ("permission denied", "authentication failed", "user name not found")

_ALARM = re.compile(r"(?:memberID:(\d+)\s+)?alarm:(\w+)")
"""How an answer's errors name an alarm: protobuf's text of `AlarmMember`; 3.7 may print two spaces.

The CORRUPT of the periodic check has no member ID in 3.5.1 (measured): which member is meant is not known.
"""


class Alarm(Struct, frozen=True, kw_only=True):
    """An alarm (`NOSPACE`, `CORRUPT`); the ID, in unpadded hex, is of the member that has raised it.

    It is None where etcd does not tell.
    """

    member_id: str | None
    kind: str


class StatusAnswer(Struct, frozen=True, kw_only=True):
    """A member's own status. `leader` is None while the member knows none; IDs are unpadded hex.

    `refusal` is etcd's reason where the member answered and said nothing more: what the rest holds
    then is proved otherwise, by its log and its metrics, and None where that is not.
    """

    member_id: str
    version: str
    leader: str | None
    term: int | None
    revision: int | None
    raft_index: int | None
    raft_applied_index: int | None
    db_size_bytes: int | None
    is_learner: bool
    errors: tuple[str, ...]
    cluster_id: str | None = None
    refusal: str | None = None

    @property
    def leads(self) -> bool:
        """The member says, or is proved, to lead."""
        return self.leader is not None and self.leader == self.member_id

    @property
    def tells_whom_it_follows(self) -> bool:
        """The member or other proof says whom the member follows, or that there is nobody to follow."""
        return self.refusal is None or self.leader is not None or self.term is not None

    @property
    def alarms(self) -> frozenset[Alarm]:
        """The alarms that are up anywhere in the cluster."""
        found = filter(None, map(_ALARM.match, self.errors))
        return frozenset(
            Alarm(member_id=hex_id(each[1]) if each[1] else None, kind=each[2]) for each in found
        )


class Hashed(Struct, frozen=True, kw_only=True):
    """The hash of a member's keys, of which etcd took `revision` and `compact_revision` in the same instant.

    Both are None where the hash is that of the whole database, which differs among members with the same keys.
    """

    hash: int
    revision: int | None = None
    compact_revision: int | None = None


class Refusal(Struct, frozen=True, kw_only=True):
    """Why etcd does not do what it was asked: gRPC's `code`, and etcd's own words."""

    code: int
    message: str

    @property
    def is_about_users(self) -> bool:
        """Authentication is the reason: no user, an outdated token, or too few rights."""
        return is_about_users(self.code, self.message)

    def __str__(self) -> str:
        return self.message.removeprefix("etcdserver: ")


class Added(Struct, frozen=True, kw_only=True):
    """A member that etcd has on its list from now on: its ID, and the list."""

    id: str
    members: tuple[Peer, ...]


def status_in(answer: dict[str, object]) -> StatusAnswer | None:
    """The status in an answer to `maintenance/status`; None where the answer has none."""
    header = answer.get("header")
    member = number(header, "member_id") if isinstance(header, dict) else 0
    if not isinstance(header, dict) or not member:
        return None
    cluster = number(header, "cluster_id")
    leader = number(answer, "leader")
    errors = answer.get("errors")
    return StatusAnswer(
        member_id=hex_id(member),
        version=str(answer.get("version", "")),
        leader=hex_id(leader) if leader else None,
        term=number(answer, "raftTerm") or number(header, "raft_term"),
        revision=number(header, "revision"),
        raft_index=number(answer, "raftIndex"),
        raft_applied_index=number(answer, "raftAppliedIndex"),
        db_size_bytes=number(answer, "dbSize"),
        is_learner=answer.get("isLearner") is True,
        errors=tuple(str(error) for error in errors) if isinstance(errors, list) else (),
        cluster_id=hex_id(cluster) if cluster else None,
    )


def refusal_in(answer: dict[str, object], default: str = "") -> Refusal:
    """Etcd's reason in an answer with a `code`; `default` where it gives none."""
    message = answer.get("message") or answer.get("error") or default
    return Refusal(code=number(answer, "code"), message=str(message))


def number(answer: dict[str, object], key: str) -> int:
    """A 64-bit number comes as text, and not at all when it is zero."""
    value = answer.get(key, 0)
    try:
        return int(value) if isinstance(value, (int, str)) else 0
    except ValueError:
        return 0


def hashed_in(answer: dict[str, object], *, of_keys: bool) -> Hashed | None:
    """The hash in an answer; None where there is none.

    Before 3.6 the revision stands in the header alone, where it is the one that was hashed (etcd:
    `v3rpc/maintenance.go`, HashKV).
    """
    header = answer.get("header")
    if not isinstance(header, dict):
        return None
    if not of_keys:
        return Hashed(hash=number(answer, "hash"))
    return Hashed(
        hash=number(answer, "hash"),
        revision=number(answer, "hash_revision") or number(header, "revision"),
        compact_revision=number(answer, "compact_revision"),
    )


def peers_in(answer: dict[str, object]) -> tuple[Peer, ...] | None:
    """The member list in an answer; None where there is none. Peers are given the ID as `id`."""
    listed = answer.get("members")
    if not isinstance(listed, list):
        return None
    return tuple(
        Peer(
            id=hex_id(number(member, "ID") or number(member, "id")),
            name=str(member.get("name", "")),
            peer_urls=_texts(member, "peerURLs"),
            client_urls=_texts(member, "clientURLs"),
            is_learner=member.get("isLearner") is True,
        )
        for member in listed
        if isinstance(member, dict)
    )


def pairs_in(answer: dict[str, object]) -> tuple[tuple[str, str], ...]:
    """The keys of a range with their values."""
    pairs = answer.get("kvs")
    if not isinstance(pairs, list):
        return ()
    return tuple(
        (_decoded(pair.get("key")), _decoded(pair.get("value")))
        for pair in pairs
        if isinstance(pair, dict)
    )


def _decoded(text: object) -> str:
    return base64.b64decode(str(text or "")).decode(errors="replace")


def raft_members_in(variables: object) -> frozenset[str] | None:
    """The IDs of those whom Raft knows, in a leader's `/debug/vars`: only a leader keeps track of all.

    None in anyone else's. Measured on 3.4.23, 3.5.1, 3.6.16 and 3.7.3.
    """
    match variables:
        case {"raft.status": {"raftState": "StateLeader", "progress": dict(progress)}} if progress:
            return frozenset(map(str, progress))
    return None


def _texts(answer: dict[str, object], key: str) -> tuple[str, ...]:
    values = answer.get(key)
    return tuple(str(value) for value in values) if isinstance(values, list) else ()


def wants_token(code: int, message: str) -> bool:
    """Whether etcd refuses because the request names no user, or carries an outdated token.

    etcd 3.4 to 3.7: `server/etcdserver/api/v3rpc/rpctypes/error.go`.
    """
    return code == _UNAUTHENTICATED or any(part in message for part in _WANTS_A_TOKEN)


def is_about_users(code: int, message: str) -> bool:
    """Whether authentication is why etcd refuses: no user, an outdated token, or too few rights."""
    return wants_token(code, message) or any(part in message for part in _WANTS_RIGHTS)


_LINE = re.compile(rb"^([a-z_]+)(?:\{([^}]*)\})? ([0-9.e+-]+|NaN|\+Inf)$")
_LABEL = re.compile(rb'(\w+)="([^"]*)"')
_FSYNC = "etcd_disk_wal_fsync_duration_seconds"
_COMMIT = "etcd_disk_backend_commit_duration_seconds"
_ROUND_TRIP = "etcd_network_peer_round_trip_time_seconds"
_PUT = "etcd_server_request_duration_seconds"
_PUT_APPLY = "etcd_server_apply_duration_seconds"
_NUMBERS = {
    "proposals_committed": "etcd_server_proposals_committed_total",
    "proposals_pending": "etcd_server_proposals_pending",
    "proposals_failed": "etcd_server_proposals_failed_total",
    "leader_changes": "etcd_server_leader_changes_seen_total",
    "puts": "etcd_mvcc_put_total",
}
_WANTED = (
    *(
        f"{name}_{end}".encode()
        for name in (_FSYNC, _COMMIT, _ROUND_TRIP, _PUT, _PUT_APPLY)
        for end in ("sum", "count")
    ),
    *(name.encode() for name in _NUMBERS.values()),
)
_WHICH = (b"To", b"type", b"op")
"""The labels that tell one series of a name from another: the peer, the kind of request."""


def read_metrics(page: bytes) -> Metrics:
    """The figures of a member's page of metrics that tell how it does; lines that are none are passed over.

    The names are the same in 3.4 to 3.7, where a version has them: how long a put's application takes
    is known from 3.5 on, how long the put itself takes from 3.7 on. A page is about 150 KB and 1,700 lines.
    """
    values = _values(page.splitlines())

    def totals(name: str, which: str = "") -> Totals:
        return Totals(
            count=int(values.get((f"{name}_count", which), 0)),
            seconds=values.get((f"{name}_sum", which), 0.0),
        )

    def of_puts(name: str) -> Totals | None:
        # Before the first put there is no such series; those of other requests tell that one will be.
        known = any(each == f"{name}_count" for each, _ in values)
        return totals(name, "Put") if known else None

    numbers = {field: values.get((name, "")) for field, name in _NUMBERS.items()}
    peers = sorted(peer for name, peer in values if name == f"{_ROUND_TRIP}_count")
    return Metrics(
        fsync=totals(_FSYNC),
        commit=totals(_COMMIT),
        peer_round_trips={peer: totals(_ROUND_TRIP, peer) for peer in peers},
        put=of_puts(_PUT),
        put_apply=of_puts(_PUT_APPLY),
        **{field: None if value is None else int(value) for field, value in numbers.items()},
    )


def _values(lines: Iterable[bytes]) -> dict[tuple[str, str], float]:
    """Value by name and by the label that tells which (empty where there is none), without failures."""
    values = {}
    for line in lines:
        if line.startswith(_WANTED) and (found := _LINE.match(line)):
            labels = dict(_LABEL.findall(found[2] or b""))
            if labels.get(b"success") == b"false":
                continue
            which = next((labels[name] for name in _WHICH if name in labels), b"")
            values[found[1].decode(), which.decode()] = float(found[3])
    return values


class Identity(Struct, frozen=True, kw_only=True):
    """A member's identity, by its metrics: ID in unpadded hex; figures are None where the page has none."""

    member_id: str
    version: str
    has_leader: bool
    is_leader: bool
    is_learner: bool
    revision: int | None
    applied_index: int | None
    db_size_bytes: int | None


_LABELLED = {
    "id": re.compile(rb'^etcd_server_id\{server_id="([0-9a-f]+)"\} 1$', re.MULTILINE),
    "version": re.compile(rb'^etcd_server_version\{server_version="([^"]+)"\} 1$', re.MULTILINE),
}
_PLAIN = re.compile(
    rb"^(etcd_server_has_leader|etcd_server_is_leader|etcd_server_is_learner"
    rb"|etcd_debugging_mvcc_current_revision|etcd_server_proposals_applied_total"
    rb"|etcd_mvcc_db_total_size_in_bytes) ([0-9.e+]+)$",
    re.MULTILINE,
)


def read_identity(page: bytes) -> Identity | None:
    """The member's identity; None where the page does not tell (the names are the same in 3.4 to 3.7)."""
    member, version = _LABELLED["id"].search(page), _LABELLED["version"].search(page)
    values = {name.decode(): int(float(value)) for name, value in _PLAIN.findall(page)}
    if member is None or "etcd_server_has_leader" not in values:
        return None
    return Identity(
        member_id=member[1].decode(),
        version=version[1].decode() if version is not None else "",
        has_leader=values["etcd_server_has_leader"] == 1,
        is_leader=values.get("etcd_server_is_leader") == 1,
        is_learner=values.get("etcd_server_is_learner") == 1,
        revision=values.get("etcd_debugging_mvcc_current_revision"),
        applied_index=values.get("etcd_server_proposals_applied_total"),
        db_size_bytes=values.get("etcd_mvcc_db_total_size_in_bytes"),
    )
