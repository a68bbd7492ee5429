"""What members answer, as values: made of the JSON of etcd's gateway. Pure."""

from __future__ import annotations

import re

from msgspec import Struct

from etcd_sandbox.etcd.ids import hex_id
from etcd_sandbox.model.state import Peer

GIVE_A_USER = "authentication is on: give a user of etcd with --user NAME:PASSWORD"
"""The mend where etcd refuses a stranger."""

NO_ANSWER = 4
"""The code where the member answered nothing, or etcd gave up: the change may come yet (gRPC's DEADLINE_EXCEEDED)."""

_UNAUTHENTICATED = 16
_WANTS_A_TOKEN = ("user name is empty", "invalid auth token", "revision of auth store is old")
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
    """What a member says of itself. `leader` is None while it knows none; IDs are unpadded hex.

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
        """It says, or is proved, to lead."""
        return self.leader is not None and self.leader == self.member_id

    @property
    def tells_whom_it_follows(self) -> bool:
        """It says, or other proof says, whom it follows, or that it follows nobody."""
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
    """What a member says of itself in the answer to `maintenance/status`; None where it is no such answer."""
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
