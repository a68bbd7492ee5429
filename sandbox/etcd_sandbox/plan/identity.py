"""What etcd's data is bound to, compared: whether a plan can go on with the data of another."""

from __future__ import annotations

from etcd_sandbox.model.spec import ClusterSpec, MemberSpec


def mismatch(recorded: ClusterSpec, wanted: ClusterSpec) -> str | None:
    """What differs, in one clause; None when the data of `recorded` fits `wanted`.

    Compared are the members' names, peer URLs and cluster tokens; flags may change.
    """
    before, after = _members(recorded), _members(wanted)
    if before.keys() != after.keys():
        return f"the data is of {_named(before)}, the input has {_named(after)}"
    for name, member in after.items():
        if before[name].peer_url != member.peer_url:
            return (
                f"the data of {name} is bound to the peer URL {before[name].peer_url}, "
                f"the input has {member.peer_url}"
            )
        if before[name].token != member.token:
            return (
                f"the data of {name} is bound to the token {before[name].token!r}, "
                f"the input has {member.token!r}"
            )
    return None


def _members(spec: ClusterSpec) -> dict[str, MemberSpec]:
    return {process.member.name: process.member for process in spec.processes if process.member}


def _named(members: dict[str, MemberSpec]) -> str:
    if not members:
        return "no member"
    return f"the member{'s' * (len(members) > 1)} {', '.join(members)}"
