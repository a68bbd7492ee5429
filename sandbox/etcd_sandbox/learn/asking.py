"""Asks members for what conditions need beside status and keys: etcd's own list of members, and the cluster version."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from etcd_sandbox.control.async_client import AsyncControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.gateway import Gateway
from etcd_sandbox.learn.condition import Asks
from etcd_sandbox.learn.view import Known
from etcd_sandbox.model.state import ClusterStatus, MemberStatus, Peer

ANSWER_WITHIN_S = 1.0


class Asking:
    """Asks the members of one cluster, whoever leads first. A member answers for itself, without a quorum."""

    def __init__(self, client: AsyncControlClient) -> None:
        self._client = client
        self._gateway = Gateway()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._gateway.aclose()

    async def ask(self, wanted: Collection[Asks], status: ClusterStatus) -> Known:
        """What is wanted, as far as somebody tells it."""
        listed = version = None
        for member in in_turn(status):
            if Asks.MEMBERS in wanted and listed is None:
                try:
                    listed = peers_of(await self._client.detail(member.process))
                except SandboxError:
                    continue
            if Asks.VERSION in wanted and version is None:
                version = await self._gateway.cluster_version(member.client_url, ANSWER_WITHIN_S)
        return Known(listed=listed, cluster_version=version)


def in_turn(status: ClusterStatus) -> list[MemberStatus]:
    """Those that answer: the leader first, and learners not at all."""
    there = [each for each in status.members if each.role is not None and each.role != "learner"]
    return sorted(there, key=lambda each: each.name != status.leader)


def peers_of(detail: Mapping[str, Any]) -> tuple[Peer, ...] | None:
    """The list of members in the answer to what a process is from near; None where it has none."""
    peers = detail.get("peers")
    return None if peers is None else msgspec.convert(peers, tuple[Peer, ...])
