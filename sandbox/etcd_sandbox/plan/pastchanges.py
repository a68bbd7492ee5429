"""Changes of the members that etcd 3.6 may not find: those that etcd before 3.5.26 made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.version import Version, parse
from etcd_sandbox.model.spec import ClusterSpec, PastChange, PastKind
from etcd_sandbox.model.state import Peer
from etcd_sandbox.plan.memberoptions import is_composed

READS_DATABASE: Version = (3, 6)
"""The first series that takes the members from its database; older ones have them in the v2 store, too…"""

REPAIRS: Version = (3, 5, 26)
"""…and the first etcd whose start writes into the database what only the v2 store knew."""

_LOSES = (PastKind.PROMOTED, PastKind.REMOVED, PastKind.REPLACED)


def skips_repair(to: str, running: Iterable[str]) -> bool:
    """Whether members of one of these versions would get etcd `to` without having been of one that repairs."""
    return parse(to) >= READS_DATABASE and any(parse(version) < REPAIRS for version in running)


def doubts(spec: ClusterSpec, listed: Sequence[Peer]) -> tuple[str, ...]:
    """What was done to the members that etcd 3.6 may not know, in clauses; empty for those of the first day.

    `listed` is etcd's own list: whoever is on it, or is not, shows changes that were not made here.
    """
    old = [past for past in spec.history if parse(past.version) < REPAIRS]
    replaced = {past.member for past in old if past.kind is PastKind.REPLACED}
    found = []
    for kind in _LOSES:
        of_kind = [past for past in old if past.kind is kind]
        if kind is PastKind.PROMOTED:
            # A member that is replaced is promoted as well.
            of_kind = [past for past in of_kind if past.member not in replaced]
        if of_kind:
            names = ", ".join(dict.fromkeys(past.member for past in of_kind))
            found.append(f"{names} {kind.value} under etcd {_versions(of_kind)}")
    if restored := [past for past in old if past.kind is PastKind.RESTORED]:
        found.append(f"the data restored with etcd {_versions(restored)}")
    return (*found, *_seen_on_the_list(spec, listed))


def lost_changes(clauses: Sequence[str], to: str, instead: str) -> InputError:
    """The refusal of the step to etcd `to`, with the way around; `instead` is what else there is."""
    return InputError(
        _lost(clauses, to),
        hint="first etcd-sandbox upgrade all --to 3.5.26 or a later 3.5, which writes them where 3.6 "
        "looks (etcd issues 19557, 20793, 20967); or etcd-sandbox snapshot FILE, and etcd-sandbox "
        f"restore FILE with the new etcd: a restored cluster has a list of its own; {instead}",
    )


def lost_on_the_way(
    recorded: ClusterSpec, planned: ClusterSpec, has_data: Callable[[str], bool]
) -> tuple[str, ...]:
    """What is to be said where members of `planned` go on with such data, and with another etcd.

    Raises InputError where that etcd is not named by the user's own command.
    """
    for process in planned.members:
        before = recorded.member_process(process.name)
        if before is None:
            continue
        old, new = before.member.etcd, process.member.etcd
        if old is None or new is None or not has_data(before.member.data_dir):
            continue
        if skips_repair(new.version, [old.version]) and (found := doubts(recorded, ())):
            if not is_composed(process):
                return (f"{_lost(found, new.version)}: name 3.5.26 or a later 3.5 there first",)
            raise lost_changes(
                found,
                new.version,
                f"--etcd {old.version} goes on with the etcd that the data is of; --fresh begins anew",
            )
    return ()


def _lost(clauses: Sequence[str], to: str) -> str:
    return f"etcd {to} may not know the members as they are ({'; '.join(clauses)}): {WHY}"


WHY = (
    "etcd before 3.5.26 kept such changes where 3.6 does not look, so promoted learners may be "
    "learners again, and removed members back"
)


def _versions(changes: Iterable[PastChange]) -> str:
    versions = sorted({past.version for past in changes}, key=parse)
    return " and ".join(version or "of unknown version" for version in versions)


def _seen_on_the_list(spec: ClusterSpec, listed: Sequence[Peer]) -> tuple[str, ...]:
    """Changes that the plan does not know of: made by etcdctl, or before plans remembered them."""
    if not listed:
        return ()
    members = [process.member for process in spec.members]
    founders = {member.id for member in members if member.id and not member.joined}
    added = {past.id for past in spec.history if past.kind is PastKind.ADDED}
    unknown_ids = {member.peer_url for member in members if member.id is None}
    found = [
        f"{_called(peer)} on etcd's list, and not from the first day"
        for peer in listed
        if peer.id not in founders | added and unknown_ids.isdisjoint(peer.peer_urls)
    ]
    entries = {peer.id: peer for peer in listed}
    for member in members:
        entry = entries.get(member.id or "")
        if member.id and entry is None:
            found.append(f"{member.name} not on etcd's list any more")
        elif entry is not None and member.learner and not entry.is_learner:
            found.append(f"{member.name} promoted, and not by etcd-sandbox")
    return tuple(found)


def _called(peer: Peer) -> str:
    return f"{peer.name or 'a member that never started'} ({peer.id})"
