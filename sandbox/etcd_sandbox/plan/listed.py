"""etcd's own list of members against the plan: who is on it, or is not, and as what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from etcd_sandbox.etcd.version import Version, parse
from etcd_sandbox.model.spec import MemberSpec
from etcd_sandbox.model.state import Peer
from etcd_sandbox.model.upgrade import Unlike

_TWO_LISTS: Version = (3, 6)
"""The series that panics in every member when one is removed whom only its database knows."""


def unlike(
    members: Mapping[str, MemberSpec],
    ids: Mapping[str, str | None],
    listed: Sequence[Peer],
    version: str = "",
) -> tuple[Unlike, ...]:
    """How the list differs from the members that should be on it, both by process name.

    `version` is the members' etcd where it came with an upgrade: one that brings back removed members.
    """
    found = [
        Unlike(what=f"{stranger_words(peer)} is on it", mend=_take_off(peer, version))
        for peer in strangers(ids.values(), listed)
    ]
    entries = {peer.id: peer for peer in listed}
    for process, member in members.items():
        entry = entries.get(ids.get(process) or "")
        if ids.get(process) and entry is None:
            found.append(
                Unlike(
                    what=f"{member.name} is not on it",
                    mend=(f"etcd-sandbox replace {member.name}",),
                )
            )
        elif entry is not None and entry.is_learner and not member.learner:
            found.append(
                Unlike(
                    what=f"{member.name} is a learner on it, without a vote",
                    mend=(f"etcd-sandbox promote {member.name}",),
                )
            )
    return tuple(found)


def strangers(ids: Iterable[str | None], listed: Sequence[Peer]) -> tuple[Peer, ...]:
    """The entries that are none of the members with these IDs."""
    known = set(ids)
    return tuple(peer for peer in listed if peer.id not in known)


def stranger_words(peer: Peer) -> str:
    """An entry that is no process of ours: `infra4 (8211f1d0f64f3269, http://127.0.0.1:42380)`."""
    urls = ", ".join(peer.peer_urls)
    if peer.name:
        return f"{peer.name} ({peer.id}, {urls})"
    return f"a member that was never started ({peer.id}, {urls})"


def moved_words(member: MemberSpec, peer_urls: Sequence[str]) -> str:
    """That a member's peers dial it elsewhere than it is planned to be."""
    return (
        f"peers dial {member.name} at {', '.join(peer_urls)}, as etcd's list of members says, and not at "
        f"{member.peer_url}: etcd-sandbox apply makes the list follow"
    )


def panics_at_removal(peer: Peer, version: str) -> bool:
    """Whether the removal of an entry that an upgrade brought back ends every member of that etcd.

    etcd 3.6 deletes it from its v2 store as well, where it is not (`mustDeleteMemberFromStore`
    panics); started again, the members are without it. 3.7 has no v2 store any more.
    """
    return bool(peer.name) and parse(version)[:2] == _TWO_LISTS


def _take_off(peer: Peer, version: str) -> tuple[str, ...]:
    force = " --force" if panics_at_removal(peer, version) else ""
    return (f"etcd-sandbox remove {peer.id}{force}",)
