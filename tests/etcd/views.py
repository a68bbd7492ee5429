"""What the members of a cluster say of themselves, once all that run have answered.

One that a busy machine holds up may miss the time that a status gives it; then nothing is known of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from etcd_sandbox import Cluster
from etcd_sandbox.model.state import MemberStatus, ProcessState, Role

from tests.conftest import until


def views(cluster: Cluster) -> dict[str, MemberStatus]:
    """What each member says of itself and of the others; one that does not run says nothing."""
    return {member.name: member for member in _as_soon_as(cluster, _all_answer)}


def leader_of(cluster: Cluster) -> str:
    """Who leads."""
    return leader_and_followers(cluster)[0]


def leader_and_followers(cluster: Cluster) -> tuple[str, list[str]]:
    """Who leads and who follows, at one moment."""
    members = _as_soon_as(
        cluster, lambda seen: _all_answer(seen) and len(_are(Role.LEADER, seen)) == 1
    )
    return _are(Role.LEADER, members)[0], _are(Role.FOLLOWER, members)


def _as_soon_as(
    cluster: Cluster, holds: Callable[[Iterable[MemberStatus]], bool]
) -> Iterable[MemberStatus]:
    seen: list[MemberStatus] = []

    def asked_anew() -> bool:
        seen[:] = cluster.status().members
        return holds(seen)

    until(asked_anew, 20, lambda: seen)
    return seen


def _all_answer(members: Iterable[MemberStatus]) -> bool:
    return all(
        member.role is not None for member in members if member.state is ProcessState.RUNNING
    )


def _are(role: Role, members: Iterable[MemberStatus]) -> list[str]:
    return [member.name for member in members if member.role is role]
