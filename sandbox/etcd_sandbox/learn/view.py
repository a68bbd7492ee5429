"""The cluster as a condition sees it: how it is, how it was when the step began, what happened between. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct, field

from etcd_sandbox.learn.record import Record
from etcd_sandbox.model.state import (
    ClusterStatus,
    MemberStatus,
    Peer,
    ProcessState,
)

Pairs = tuple[tuple[str, str], ...]
"""Keys with their values, by key."""


class Known(Struct, frozen=True, kw_only=True):
    """What a member says beside its status, where a condition asked for it; None where none did.

    `listed` is etcd's own list of members, `cluster_version` what they have agreed on (`3.5.0`).
    """

    listed: tuple[Peer, ...] | None = None
    cluster_version: str | None = None


class View(Struct, frozen=True, kw_only=True):
    """`keys` are the answers to what was asked of the keys, by prefix or key."""

    status: ClusterStatus
    began: ClusterStatus
    record: Record
    keys: Mapping[str, Pairs] = field(default_factory=dict)
    known: Known = Known()

    @property
    def whole(self) -> bool:
        """Whether the cluster is whole, and no member hangs by a SIGSTOP from elsewhere."""
        return is_whole(self.status, self.record.hanging)

    def member(self, name: str) -> MemberStatus | None:
        return next((each for each in self.status.members if each.name == name), None)


def is_whole(status: ClusterStatus, hanging: Collection[str] = ()) -> bool:
    """Every member that was not removed runs and is healthy, no alarm is up, nothing is broken on purpose."""
    return (
        not status.faults
        and not hanging
        and not status.alarms
        and status.leader is not None
        and all(each.healthy and each.state is ProcessState.RUNNING for each in members_of(status))
    )


def members_of(status: ClusterStatus) -> tuple[MemberStatus, ...]:
    return tuple(each for each in status.members if each.state is not ProcessState.REMOVED)
