"""The few lines of a member's log that are signs: who leads, who serves, who was removed.

They are found without looking at the others. The texts are the same in 3.4 (capnslog and zap), 3.5, 3.6
and 3.7 where nothing else is said.
"""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.etcd.logline import LogLine, read_line


class SignKind(StrEnum):
    """The kinds of signs.

    BOOTSTRAPPED: a new member has asked its peers whether the cluster exists already, and will
    serve them in 10 ms (measured on 3.6). PROXY: it is none, but hands requests on to the members:
    what 3.4 and 3.5 make of one whose discovery token was full.
    """

    BOOTSTRAPPED = "bootstrapped"
    PEER_SERVING = "peer-serving"
    CLIENT_SERVING = "client-serving"
    PUBLISHED = "published"
    PROXY = "proxy"
    BECAME_CANDIDATE = "became-candidate"
    BECAME_FOLLOWER = "became-follower"
    BECAME_LEADER = "became-leader"
    ELECTED = "elected"
    LOST_LEADER = "lost-leader"
    CHANGED_LEADER = "changed-leader"
    STEPPED_DOWN = "stepped-down"
    TRANSFER_STARTED = "transfer-started"
    REMOVED = "removed"


class Sign(Struct, frozen=True, kw_only=True):
    """One thing that a member's log says.

    `member_id` is the member that writes (for transfers: the leader that gives up), `leader_id`
    the leader it is about: the new one, and with LOST_LEADER the lost one. Both in unpadded hex, None where
    the line has none. `pre_vote` tells a pre-candidate from a candidate. `time_us` is when the line was written
    by its own word, in microseconds since the epoch; None where that is not exact to the millisecond.
    """

    kind: SignKind
    member_id: str | None = None
    leader_id: str | None = None
    term: int | None = None
    pre_vote: bool = False
    time_us: int | None = None


_MEMBER, _LEADER = (f"(?P<{name}>[0-9a-f]{{1,16}})" for name in ("member", "leader"))
_OTHER = "[0-9a-f]{1,16}"
_TERM = r"at term (?P<term>\d{1,20})"
_RAFT = {
    SignKind.BECAME_CANDIDATE: rf"{_MEMBER} became (?P<pre>pre-)?candidate {_TERM}",
    SignKind.BECAME_FOLLOWER: rf"{_MEMBER} became follower {_TERM}",
    SignKind.BECAME_LEADER: rf"(?P<member>{_LEADER}) became leader {_TERM}",
    SignKind.ELECTED: rf"raft\.node: {_MEMBER} elected leader {_LEADER} {_TERM}",
    SignKind.LOST_LEADER: rf"raft\.node: {_MEMBER} lost leader {_LEADER} {_TERM}",
    SignKind.CHANGED_LEADER: rf"raft\.node: {_MEMBER} changed leader from {_OTHER} to {_LEADER} {_TERM}",
    SignKind.STEPPED_DOWN: rf"{_MEMBER} stepped down to follower since quorum is not active",
    # 3.4's capnslog; zap has these in fields.
    SignKind.TRANSFER_STARTED: rf"{_MEMBER} starts leadership transfer from {_OTHER} to {_LEADER}",
}
_RAFT_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _RAFT.items()}
_SERVER = {
    ("starting local member", "starting member "): SignKind.BOOTSTRAPPED,
    ("serving peer traffic", "listening for peers on "): SignKind.PEER_SERVING,
    (
        "v2 API proxy starting",
        "proxy: this proxy supports v2 API only",
    ): SignKind.PROXY,
    (
        "serving client traffic ",
        "ready to serve client requests",
        "v2 proxy started listening on client requests",
    ): SignKind.CLIENT_SERVING,
    ("published local member to cluster", "published {Name:"): SignKind.PUBLISHED,
}
"""How the messages of the server begin."""

_REMOVED = "the member has been permanently removed from the cluster"
_LOST_ITSELF = "failed to find local ID "
"""3.4 to 3.7 panic with it when they are asked for their status amid their own removal (membership/cluster.go)."""


def sign_of(raw: bytes) -> Sign | None:
    """The sign in one line, without its end; None when it is none."""
    line = read_line(raw)
    if line is None:
        return None
    if line.level in ("fatal", "panic"):
        is_gone = line.message.startswith(_LOST_ITSELF)
        return Sign(kind=SignKind.REMOVED) if is_gone else None
    sign = _raft_sign(line) or _server_sign(line)
    return replace(sign, time_us=line.time_us) if sign is not None else None


def _raft_sign(line: LogLine) -> Sign | None:
    for kind, pattern in _RAFT_PATTERNS.items():
        if found := pattern.fullmatch(line.message):
            part = found.groupdict()
            return Sign(
                kind=kind,
                member_id=part["member"],
                leader_id=part.get("leader"),
                term=int(part["term"]) if "term" in part else None,
                pre_vote=part.get("pre") is not None,
            )
    return None


def _server_sign(line: LogLine) -> Sign | None:
    member = line.text("local-member-id") or None
    for openings, kind in _SERVER.items():
        if line.message.startswith(openings):
            return Sign(kind=kind, member_id=member)
    if line.message == "leadership transfer starting":
        giver = line.text("current-leader-member-id") or member
        taker = line.text("transferee-member-id") or None
        return Sign(kind=SignKind.TRANSFER_STARTED, member_id=giver, leader_id=taker)
    is_gone = _REMOVED in (line.message, line.text("error"))
    return Sign(kind=SignKind.REMOVED) if is_gone else None


_ALWAYS = b""

_MARKERS: tuple[tuple[bytes, bytes], ...] = (
    (_ALWAYS, b" at term "),
    (_ALWAYS, b'"msg":"leadership transfer starting'),
    (_ALWAYS, b"stepped down to follower since quorum is not active"),
    (b"|", b" starts leadership transfer from "),
)
"""The texts to search for, each behind a rare byte of its line: without that byte there is no search.

Long markers are found faster than short ones. Only capnslog writes bars.
"""

_START_MARKERS: tuple[tuple[bytes, bytes], ...] = (
    (_ALWAYS, b'"msg":"starting local member'),
    (_ALWAYS, b'"msg":"serving '),
    (_ALWAYS, b"published local member to cluster through raft"),
    (_ALWAYS, b'"msg":"v2 API proxy starting"'),
    (_ALWAYS, b"v2 proxy started listening on client requests"),
    (b"|", b"etcdserver: starting member "),
    (b"|", b"embed: listening for peers on "),
    (b"|", b"embed: ready to serve client requests"),
    (b"|", b"etcdserver: published {Name:"),
    (b"|", b"etcdmain: proxy: this proxy supports v2 API only"),
)

_END_MARKERS = tuple((_ALWAYS, text.encode()) for text in (_REMOVED, _LOST_ITSELF))

_END_BYTES = 64 * 1024
"""How far from the end of a chunk the last words of a process can be: nothing but a trace follows."""


_ONLY_AT_START = (
    SignKind.BOOTSTRAPPED,
    SignKind.PEER_SERVING,
    SignKind.CLIENT_SERVING,
    SignKind.PUBLISHED,
    SignKind.PROXY,
)


def scan(chunk: bytes, *, starting: bool = True) -> list[Sign]:
    """The signs in whole lines of a member's log, in their order.

    `starting=False` leaves out the signs of a start, which come once
    in a life, and so saves a third of the time (measured: 0.9 instead of 1.3 ms for 1 MiB of
    zap's lines).
    """
    starts: set[int] = set()
    _search(chunk, _MARKERS + _START_MARKERS if starting else _MARKERS, 0, starts)
    _search(chunk, _END_MARKERS, max(0, len(chunk) - _END_BYTES), starts)
    signs: list[Sign] = []
    for start in sorted(starts):
        end = chunk.find(b"\n", start)
        sign = sign_of(chunk[start:] if end < 0 else chunk[start:end])
        if sign is not None and (starting or sign.kind not in _ONLY_AT_START):
            signs.append(sign)
    return signs


def _search(
    chunk: bytes, markers: tuple[tuple[bytes, bytes], ...], begin: int, starts: set[int]
) -> None:
    """Add to `starts` where the lines begin that hold one of `markers` after `begin`."""
    for guard, marker in markers:
        if guard not in chunk:
            continue
        at = chunk.find(marker, begin)
        while at >= 0:
            starts.add(chunk.rfind(b"\n", 0, at) + 1)
            end = chunk.find(b"\n", at)
            at = chunk.find(marker, end) if end >= 0 else -1
