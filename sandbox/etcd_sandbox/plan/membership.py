"""The plan while its members change: who came, who went, and how an input is continued after that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.spec import (
    ClusterSpec,
    MemberProcess,
    PastChange,
    PastKind,
    ProcessSpec,
    SourceKind,
    members_of,
)
from etcd_sandbox.plan.joining import common_flags, joining


def with_member(spec: ClusterSpec, process: ProcessSpec) -> ClusterSpec:
    """The plan with this process, in the place of one of its name or behind the last member."""
    processes = list(spec.processes)
    names = [each.name for each in processes]
    if process.name in names:
        processes[names.index(process.name)] = process
    else:
        last = max(
            (at for at, each in enumerate(processes) if isinstance(each, MemberProcess)), default=-1
        )
        processes.insert(last + 1, process)
    wanted = spec.wanted
    if wanted and process.name not in wanted:
        wanted = (*wanted, process.name)
    return replace(
        spec, processes=tuple(processes), wanted=wanted, founders=spec.founders or _members(spec)
    )


def without_member(spec: ClusterSpec, name: str) -> ClusterSpec:
    """The plan without the process of that name."""
    return replace(
        spec,
        processes=tuple(process for process in spec.processes if process.name != name),
        wanted=tuple(each for each in spec.wanted if each != name),
        founders=spec.founders or _members(spec),
    )


def with_past(spec: ClusterSpec, kind: PastKind, member: str = "", id_: str = "") -> ClusterSpec:
    """The plan that remembers this change, under the oldest etcd that its members have now."""
    versions = [
        process.member.etcd.version for process in spec.members if process.member.etcd is not None
    ]
    version = min(versions, key=parse, default="")
    change = PastChange(kind=kind, version=version, member=member, id=id_)
    key = (kind, member, version)
    others = (past for past in spec.history if (past.kind, past.member, past.version) != key)
    return replace(spec, history=(*others, change))


def continued(recorded: ClusterSpec, planned: ClusterSpec) -> ClusterSpec:
    """What `planned`, made of an input, is after the changes of the members that `recorded` has seen.

    It is returned as it is where it has other members than `recorded` began with, and than it has.
    """
    names = _members(planned)
    if not recorded.founders or set(names) not in (
        set(recorded.founders),
        set(_members(recorded)),
    ):
        return planned
    processes: list[ProcessSpec] = []
    for process in planned.processes:
        before = recorded.member_process(process.name)
        if not isinstance(process, MemberProcess):
            processes.append(process)
        elif before is not None:
            processes.append(_continued(process, before) if before.member.joined else process)
    spec = replace(
        planned,
        processes=tuple(processes),
        wanted=tuple(name for name in planned.wanted if recorded.process(name) is not None),
        founders=names,
        unfinished=recorded.unfinished,
    )
    for before in recorded.members:
        if spec.process(before.name) is None:
            spec = replace(with_member(spec, _again(before, planned)), wanted=spec.wanted)
    return replace(spec, founders=names)


def with_known_ids(
    planned: ClusterSpec, recorded: ClusterSpec, has_data: Callable[[str], bool]
) -> ClusterSpec:
    """The plan with the IDs that the members' data has: one of another peer URL keeps the ID of its first."""
    processes = []
    for process in planned.processes:
        before = recorded.process(process.name)
        old, now = before.member if before else None, process.member
        if (
            old is not None
            and now is not None
            and old.id not in (None, now.id)
            and old.data_dir == now.data_dir
            and has_data(now.data_dir)
        ):
            process = replace(process, member=replace(now, id=old.id))
        processes.append(process)
    return replace(planned, processes=tuple(processes))


def moved_words(
    planned: ClusterSpec, recorded: ClusterSpec, has_data: Callable[[str], bool]
) -> tuple[str, ...]:
    """Who has another peer URL than when the cluster last ran, and what to do about it.

    It is the file that was edited; where another input is meant, `up` refuses it as a whole.
    """
    if not planned.source.path or planned.source.path != recorded.source.path:
        return ()
    found = []
    for process in planned.members:
        before = recorded.process(process.name)
        old, now = before.member if before else None, process.member
        if old is None or now is None or old.data_dir != now.data_dir or not has_data(now.data_dir):
            continue
        if old.peer_url != now.peer_url:
            found.append(
                f"the peers of {now.name} know it by {old.peer_url}, and will not look for it at "
                f"{now.peer_url}: bring the cluster up as it was, edit the file then, and etcd-sandbox "
                "apply has etcd's list of members follow"
            )
    return tuple(found)


def change_words(spec: ClusterSpec, planned: ClusterSpec) -> str:
    """How the members differ from those of the input, `planned`, in a clause; empty when they do not."""
    if not spec.founders:
        return ""
    added = [process.name for process in spec.members if process.name not in spec.founders]
    again, promoted = [], []
    for process in spec.members:
        begun = planned.member_process(process.name)
        if begun is None or not process.member.joined:
            continue
        if not begun.is_to_join:
            again.append(process.name)
        elif not process.member.learner:
            promoted.append(process.name)
    gone = [name for name in spec.founders if spec.process(name) is None]
    parts = [
        f"{', '.join(_named(where, names))} {verb}"
        for names, verb, where in (
            (added, "added", spec),
            (again, "replaced", spec),
            (promoted, "promoted", spec),
            (gone, "removed", planned),
        )
        if names
    ]
    return ", ".join(parts)


def comes_back(process: MemberProcess, has_data: Callable[[str], bool]) -> bool:
    """Whether a member whose change was interrupted may be started all the same.

    With data it is what it was, or learns that it was removed; one that joins finds itself on
    etcd's list, or ends. Any other would begin a cluster of its own.
    """
    return process.member.joined or has_data(process.member.data_dir)


def could_be_quorum(
    wanted: Sequence[ProcessSpec], spec: ClusterSpec, again: Sequence[ProcessSpec] = ()
) -> bool:
    """Whether the voters among those that are started are enough; `again` are those that come back.

    A member whose change was interrupted, and that cannot be started, has no vote any more.
    """
    members = [
        process.member for process in members_of((*wanted, *again)) if not process.member.proxy
    ]
    voters = max((len(member.initial_cluster) for member in members), default=0)
    if spec.founders:
        # The members are not those any more that the commands name.
        gone = {each.process for each in spec.unfinished} - {each.name for each in again}
        voters = sum(not each.member.learner and each.name not in gone for each in spec.members)
    voting = sum(not member.learner for member in members)
    return not members or voting >= voters // 2 + 1


def interrupted_words(spec: ClusterSpec, has_data: Callable[[str], bool]) -> tuple[str, ...]:
    """What interrupted changes have left, and what to do about it."""
    found = []
    for left in spec.unfinished:
        process = spec.member_process(left.process)
        (name,) = _named(spec, [left.process])
        mends = f"etcd-sandbox replace {name} brings a new member of that name"
        if left.verb != "replace":
            mends = f"etcd-sandbox remove {name} takes out what is left of it, {mends}"
        what = f"'{left.verb}' of {name} was interrupted"
        if process is None or not comes_back(process, has_data):
            found.append(f"{what}, so it is not started: {mends}")
        elif process.member.learner and process.member.joined:
            found.append(
                f"{what}: it comes back as a learner, and etcd-sandbox promote {name} gives it its vote; "
                f"if it does not come back, {mends}"
            )
        else:
            found.append(f"{what}: it is started as it was; if it does not come back, {mends}")
    return tuple(found)


def _continued(process: MemberProcess, before: MemberProcess) -> MemberProcess:
    """A member of the input that came anew: its flags are the input's, the rest is as it was."""
    if not before.member.data_owned or not process.member.data_owned:
        return before
    now = process.member
    member = replace(
        before.member, etcd=now.etcd, election_timeout_s=now.election_timeout_s, token=now.token
    )
    return joining(process, member)


def _again(before: MemberProcess, planned: ClusterSpec) -> MemberProcess:
    """A member that the input does not have; its flags are those that the input's members share."""
    patterns = planned.members
    if planned.source.kind is SourceKind.PROCFILE or not patterns:
        return before
    pattern = patterns[0]
    if before.member.etcd != pattern.member.etcd:
        return before
    return replace(joining(pattern, before.member, common_flags(patterns)), name=before.name)


def _members(spec: ClusterSpec) -> tuple[str, ...]:
    return tuple(process.name for process in spec.members)


def _named(spec: ClusterSpec, names: Sequence[str]) -> list[str]:
    found = []
    for name in names:
        process = spec.process(name)
        found.append(process.member.name if process is not None and process.member else name)
    return found
