"""Members as etcd numbers and counts them: their IDs, and the voters that a new member needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from etcd_sandbox.etcd.version import bears_absence


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
    digest = hashlib.sha1(hashed, usedforsecurity=False).digest()
    return hex_id(int.from_bytes(digest[:8], "big"))
