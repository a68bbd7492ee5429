"""The flags of a member that is ours, and the flags that its etcd would not take."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from etcd_sandbox.config.profileflags import Flag, unheeded
from etcd_sandbox.config.profileshape import Profile
from etcd_sandbox.config.tomlplace import Key
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.flags import compose, spelled, unknown_flags, value_problems
from etcd_sandbox.etcd.memberflags import log_files, read_flags
from etcd_sandbox.model.spec import EtcdBinary, MemberSpec

ENV_DROP = (
    "ETCD_*",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
)
"""Variables kept from composed members: etcd dies of an option given as flag and variable."""

_TIMERS = ("election-timeout", "heartbeat-interval")


def member_flags(
    member: MemberSpec, profile: Profile, bootstrap: Mapping[str, Flag]
) -> dict[str, str]:
    """The flags of the etcd of `member`: those that tell it how it meets the others, then those of `profile`.

    Raises InputError, placed in the profile, for a flag that the member's etcd does not know
    and for a value with which it would end at once.
    """
    assert member.etcd is not None
    own = profile.own(member.name)[1].flags
    _check_known(member, member.etcd, profile)
    _check_heeded(member, profile, bootstrap)
    flags = spelled({**bootstrap, "logger": "zap", "log-outputs": "stderr", **profile.etcd, **own})
    _check_values(member, flags, profile)
    return flags


def keys_of(profile: Profile, member: str, flag: str) -> list[Key]:
    """Where the profile gives `flag` for `member`, the winning place first."""
    index, own = profile.own(member)
    keys: list[Key] = [("member", index, "flags", flag)] if flag in own.flags else []
    return [*keys, ("etcd", flag)] if flag in profile.etcd else keys


def _check_known(member: MemberSpec, binary: EtcdBinary, profile: Profile) -> None:
    given = profile.etcd | profile.own(member.name)[1].flags
    for problem in unknown_flags(given, binary.version):
        raise InputError(
            f"etcd {binary.version} of {member.name} does not know the flag {problem.flag!r}",
            profile.place(*keys_of(profile, member.name, problem.flag)[0]),
            problem.hint,
        )


def _check_heeded(member: MemberSpec, profile: Profile, bootstrap: Mapping[str, Flag]) -> None:
    given = profile.etcd | profile.own(member.name)[1].flags
    for flag, value in given.items():
        if refusal := unheeded(flag, value, bootstrap):
            place = profile.place(*keys_of(profile, member.name, flag)[0])
            raise InputError(refusal[0], place, refusal[1])


def _check_values(member: MemberSpec, flags: Mapping[str, str], profile: Profile) -> None:
    read = read_flags(compose("", flags)[1:], {}, _no_config_file)
    keys = [key for flag in _TIMERS for key in keys_of(profile, member.name, flag)]
    place = profile.place(*keys[0]) if keys else profile.where
    for problem in value_problems(read):
        raise InputError(f"{problem.flag} of {member.name} cannot work", place, problem.hint)
    for text in read.problems:
        raise InputError(f"{member.name} would not start: {text}", profile.where)


def election_timeout_s(member: MemberSpec, profile: Profile) -> float:
    """How long the member waits for a leader before it stands for election, in seconds."""
    given = (profile.etcd | profile.own(member.name)[1].flags).get("election-timeout", 1000)
    return float(given) / 1000


def as_profiled(member: MemberSpec, profile: Profile, cwd: str, root: Path | None) -> MemberSpec:
    """The member with what the profile's flags say of it: how patient it is, where its WAL is, where it logs to.

    `root` is the directory whose content is ours; None where none of it is on this machine.
    """
    member = replace(member, election_timeout_s=election_timeout_s(member, profile))
    if root is None:
        return member
    given = profile.etcd | profile.own(member.name)[1].flags
    options = {name: str(value) for name, value in given.items()}

    def place(path: str) -> str:
        return posixpath.normpath(posixpath.join(cwd, path))

    member = replace(member, log_files=tuple(map(place, log_files(options))))
    if not options.get("wal-dir"):
        return member
    wal = place(options["wal-dir"])
    return replace(member, wal_dir=wal, wal_owned=Path(wal).is_relative_to(root))


def _no_config_file(path: str) -> str:
    raise FileNotFoundError(path)
