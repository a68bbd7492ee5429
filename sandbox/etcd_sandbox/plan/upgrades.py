"""Upgrades decided: whether a step between two versions is allowed, whose turn it is, what a member runs as then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.flags import carried_over, compose
from etcd_sandbox.etcd.version import Version, parse, series
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, MemberProcess
from etcd_sandbox.plan.runtimes import composed, runtime_of

_CAN_FALL: Version = (3, 6)
"""The first cluster version from which etcd lets it fall again (`etcdctl downgrade`)."""

_NO_USERS_V2: Version = (3, 6)
"""The first series that panics at what users, and /health of 3.4, left in the log by the old API…"""

_NO_V2: Version = (3, 7)
"""…and the first that panics at what etcd 3.5 itself left there as well."""

_OLD_LOG: Version = (3, 4)


def check_step(to: str, cluster: str | None, running: Mapping[str, str]) -> None:
    """Whether members may get etcd `to` now; raises InputError with the reason, and the way.

    `cluster` is the cluster version (`3.4.0`), None where nobody tells it; `running` is what each
    member runs, by name. etcd goes up one minor version at a time, and the cluster version is
    what counts: it rises when every member is of the next one, and from then on etcd refuses
    to start older members ("invalid downgrade").
    """
    known = [parse(version) for version in running.values() if parse(version)]
    now = (parse(cluster) if cluster else min(known, default=parse(to)))[:2]
    wanted = parse(to)[:2]
    if wanted[:1] != now[:1]:
        raise InputError(
            f"etcd {to} is of another major version than the cluster, {_text(now)}",
            hint="there is no upgrade between them",
        )
    if wanted < now:
        raise InputError(
            f"the cluster version is {_text(now)} already, and with that etcd {to} would refuse to "
            'start ("invalid downgrade")',
            hint=_way_down(now, wanted),
        )
    if wanted[1] > now[1] + 1:
        raise InputError(
            f"etcd {to} cannot follow on {_text(now)}: etcd goes up one minor version at a time",
            hint=_way_up(now, wanted, known),
        )


def version_is_due(cluster: str | None, running: Iterable[str]) -> bool:
    """Whether all run a newer minor version than the cluster version, which is then about to rise."""
    versions = [parse(version)[:2] for version in running]
    return bool(cluster) and bool(versions) and min(versions) > parse(cluster or "")[:2]


def in_turn(names: Sequence[str], down: Collection[str], leader: str | None) -> tuple[str, ...]:
    """The order of the members: those that are down first, since each other one waits for them;
    the leader last, so that leadership moves once."""
    return tuple(
        sorted(names, key=lambda name: (name not in down, name == leader and name not in down))
    )


def version_of(process: MemberProcess) -> str:
    """The version of the member's etcd, by its plan; empty where that does not say."""
    etcd = process.member.etcd
    return etcd.version if etcd is not None else ""


def has_etcd(process: MemberProcess, binary: EtcdBinary) -> bool:
    """Whether the member runs just that etcd."""
    now = process.member.etcd
    return now is not None and (now.path, now.version, now.image) == (
        binary.path,
        binary.version,
        binary.image,
    )


def with_etcd(process: MemberProcess, binary: EtcdBinary, *, has_data: bool) -> MemberProcess:
    """The member as it is executed with `binary`, which its plan remembers.

    Raises InputError where the command is the user's own, and for a flag that this etcd has not
    and nothing like it.
    """
    member = process.member
    if member.etcd is None or not process.flags:
        raise InputError(
            f"the command of {member.name} is not ours to change",
            hint=f"name the new etcd in the command of {process.name!r} in its file, member by "
            "member, with etcd-sandbox apply after each",
        )
    process = runtime_of(process).with_program(process, binary)
    old = member.etcd
    carried = carried_over(process.flags, binary.version, has_data=has_data)
    for problem in carried.problems:
        raise InputError(
            f"etcd {binary.version} does not know the flag {problem.flag!r} of {member.name}",
            hint=f"{problem.hint}; take it out of the profile, and etcd-sandbox apply before the "
            "upgrade",
        )
    past = () if old.version == binary.version else (old.version,)
    member = replace(member, etcd=binary, upgraded_from=(*member.upgraded_from, *past))
    return composed(replace(process, member=member), binary.path, carried.flags)


def changed_flags(
    before: MemberProcess, after: MemberProcess
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The flags that go and those that come."""
    old, new = compose("", before.flags)[1:], compose("", after.flags)[1:]
    return (
        tuple(word for word in old if word not in new),
        tuple(word for word in new if word not in old),
    )


def kept_upgrades(
    planned: ClusterSpec, recorded: ClusterSpec, has_data: Callable[[str], bool]
) -> dict[str, EtcdBinary]:
    """What members of `planned` were upgraded to, by process name: their data is of that etcd by now."""
    kept = {}
    for process in recorded.members:
        member, again = process.member, planned.member_process(process.name)
        if member.etcd is None or not member.upgraded_from:
            continue
        if again is not None and has_data(member.data_dir):
            kept[process.name] = member.etcd
    return kept


def with_kept(
    planned: ClusterSpec, recorded: ClusterSpec, kept: Mapping[str, EtcdBinary]
) -> ClusterSpec:
    """The plan, with members upgraded as they were."""
    processes = []
    for process in planned.processes:
        old = recorded.member_process(process.name)
        if isinstance(process, MemberProcess) and process.name in kept and old is not None:
            if not has_etcd(process, kept[process.name]):
                process = with_etcd(process, kept[process.name], has_data=True)
            member = replace(process.member, upgraded_from=old.member.upgraded_from)
            process = replace(process, member=member)
        processes.append(process)
    return replace(planned, processes=tuple(processes))


def reads_old_log(to: str) -> bool:
    """Whether that etcd still reads all that older ones wrote into the log by etcd's old API."""
    return parse(to)[:2] < _NO_USERS_V2


def needs_new_log(to: str) -> bool:
    """Whether that etcd reads nothing of it any more, not even what etcd itself wrote."""
    return parse(to)[:2] >= _NO_V2


def old_log(member: str, to: str) -> InputError:
    """The refusal for a member whose log that etcd could not read."""
    return InputError(
        f"etcd {to} would panic at the log of {member}: it still holds requests of etcd's old API, "
        "as each question for /health leaves one with etcd 3.4",
        hint="etcd-sandbox snapshot FILE, then etcd-sandbox restore FILE with the new etcd: a "
        "restored cluster begins with a log of its own",
    )


def wal_dir(process: MemberProcess) -> Path:
    """Where the member keeps its log."""
    member = process.member
    own = member.wal_dir or process.flags.get("wal-dir")
    return Path(own or Path(member.data_dir, "member", "wal"))


def notes_of(spec: ClusterSpec, names: Collection[str], to: str, voters: int) -> tuple[str, ...]:
    """What should be known before."""
    found = []
    if voters == 1:
        found.append("it is the only voter: reads and writes fail while it is away")
    elif voters == 2:
        found.append(
            "of two voters both are needed: reads and writes fail while one of them is away"
        )
    old = [
        process.member.name
        for process in spec.members
        if process.name in names
        and any(parse(version)[:2] == _OLD_LOG for version in process.member.upgraded_from)
    ]
    if old and parse(to)[:2] == _NO_USERS_V2:
        found.append(
            f"the data of {', '.join(old)} began with etcd 3.4: etcd has known faults on the way "
            f"from there by way of 3.5 to {series(to)}; a member that does not come up goes back"
        )
    return tuple(found)


def _way_down(now: Version, wanted: Version) -> str:
    if now < _CAN_FALL:
        return (
            "there is no way back once every member was of the newer version; "
            f"etcd-sandbox -c NAME up --etcd {_text(wanted)} makes another cluster"
        )
    below = (now[0], now[1] - 1)
    return (
        f"etcd-sandbox ctl downgrade enable {_text(below)}.0 lets the cluster version fall first, "
        "one minor version at a time"
    )


def _way_up(now: Version, wanted: Version, running: Sequence[Version]) -> str:
    steps = [_text((now[0], minor)) for minor in range(now[1] + 1, wanted[1] + 1)]
    if any(version[:2] > now for version in running):
        return (
            f"the cluster version is {_text(now)} until all members are of {steps[0]}: "
            f"etcd-sandbox upgrade all --to {steps[0]} first"
        )
    return f"etcd-sandbox upgrade all --to {steps[0]}, then --to {', then --to '.join(steps[1:])}"


def _text(version: Version) -> str:
    return ".".join(str(part) for part in version)
