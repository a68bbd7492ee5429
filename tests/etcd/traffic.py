"""Proof that a cut leaks nothing: the bytes that each member has received of each other one, as etcd counts."""

from __future__ import annotations

import time
from collections.abc import Iterable

from etcd_sandbox import Cluster

from tests.conftest import until
from tests.etcd.client import received_bytes

WATCHED_S = 2.0
"""Longer than members with etcd's own timers wait before they ask for votes again."""

NOT_SAID = "?"
"""The sender of a stream's own heartbeats, which keep it open: etcd counts them for nobody."""


def url(cluster: Cluster, name: str) -> str:
    """Where clients reach the member."""
    return cluster.endpoints[cluster.members.index(name)]


class Traffic:
    """What has passed between the members since it was made."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._names = {member.id: member.name for member in cluster.status().members}
        self._before = self._count()

    def _count(self) -> dict[tuple[str, str], float]:
        return {
            (self._names.get(peer, NOT_SAID), name): count
            for name in self._cluster.members
            for peer, count in received_bytes(url(self._cluster, name)).items()
        }

    def grown(self) -> set[tuple[str, str]]:
        """The pairs (sender, receiver) between which something has passed since the beginning."""
        now = self._count()
        return {pair for pair, count in now.items() if count > self._before.get(pair, 0.0)}


def between(side: Iterable[str], other: Iterable[str]) -> set[tuple[str, str]]:
    """The pairs (sender, receiver) across the two sides, both ways."""
    both = [(one, another) for one in side for another in other if one != another]
    return {*both, *((another, one) for one, another in both)}


def assert_nothing_crosses(
    cluster: Cluster, cut: set[tuple[str, str]], flowing: set[tuple[str, str]]
) -> None:
    """Long enough for every member to try, something passes wherever it may and nothing else."""
    traffic, began = Traffic(cluster), time.monotonic()
    until(
        lambda: time.monotonic() - began > WATCHED_S and flowing <= traffic.grown(),
        20,
        traffic.grown,
    )
    # Of a member that is cut off from everyone nobody hears anything, said by whomever.
    members = set(cluster.members)
    alone = {name for name in members if between([name], members) <= cut}
    assert traffic.grown() & (cut | {(NOT_SAID, name) for name in alone}) == set()
