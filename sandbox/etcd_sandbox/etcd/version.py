"""etcd's numbers: versions as tuples, so that 3.10 sorts after 3.9; members' IDs; the voters that a new member needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

Version = tuple[int, ...]

_NUMBER = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,2})(?:[-+].*)?\Z", re.ASCII | re.DOTALL)


def parse(text: str) -> Version:
    """`3.5.1` → (3, 5, 1), `v3.6` → (3, 6); a suffix such as `-rc.1` is passed over.

    Empty when `text` is not a version: it sorts before all others.
    """
    found = _NUMBER.match(text.strip())
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def series(text: str) -> str:
    """`3.5.1` → `3.5`; empty when `text` is not a version."""
    return ".".join(str(part) for part in parse(text)[:2])


def matches(version: str, prefix: str) -> bool:
    """Whether `version` is `prefix` or one of its patch releases: 3.5.1 is a 3.5, 3.50 is not."""
    wanted = parse(prefix)
    return bool(wanted) and parse(version)[: len(wanted)] == wanted


def bears_absence(version: str) -> bool:
    """Whether that etcd takes a new member though a voter is away, if enough of the others are there.

    3.5.30, 3.6.11 and 3.7 were the first (etcd pull request 21641).
    """
    number = parse(version)
    return number >= (3, 6, 11) or (3, 5, 30) <= number < (3, 6)


def risk_note(version: str) -> str | None:
    """One line about a version that is known to lose data, else None (etcd issue 13766)."""
    if (3, 5, 0) <= (*parse(version), 0, 0, 0)[:3] <= (3, 5, 2):
        return (
            f"etcd {version} can lose committed entries when it is killed under load, as all of "
            "3.5.0 to 3.5.2: fine for learning, not for proving"
        )
    return None


def hex_id(decimal: int | str) -> str:
    """The ID as logs and etcdctl spell it: lower-case hex without leading zeros.

    The JSON gateway gives the same number in decimal. ValueError when it is not a number.
    """
    return format(int(decimal), "x")


def member_id(peer_urls: Sequence[str], token: str) -> str:
    """The ID of a member that is in the initial cluster.

    `token` is the initial cluster token; with v2 discovery the whole discovery URL. Members
    added later get an ID that depends on the time: take it from etcd's reply.
    etcd 3.4 to 3.7: `membership.NewMember` hashes the sorted URLs and the token with SHA-1.
    """
    text = "".join(sorted(peer_urls)) + token
    return _head(text.encode("utf-8", "surrogateescape"))


def cluster_id(member_ids: Iterable[str]) -> str:
    """The ID of the cluster that `member_ids` (hex) bootstrap together."""
    numbers = sorted(int(member, 16) for member in member_ids)
    return _head(b"".join(number.to_bytes(8, "big") for number in numbers))


def voters_needed(version: str, voters: int) -> int:
    """How many voters must be connected before that etcd takes one more member, learners too (`mayAddMember`).

    Older ones want all; the others a quorum in which the new one counts as a voter that is away. A single
    voter may always have a second.
    """
    if voters <= 1:
        return voters
    return (voters + 1) // 2 + 1 if bears_absence(version) else voters


def _head(hashed: bytes) -> str:
    import hashlib

    digest = hashlib.sha1(hashed, usedforsecurity=False).digest()
    return hex_id(int.from_bytes(digest[:8], "big"))
