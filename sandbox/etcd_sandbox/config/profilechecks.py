"""Refuses profiles that are well formed but cannot be run, each with its line."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from etcd_sandbox.config.names import check_name, process_name
from etcd_sandbox.config.profileflags import refusal_of
from etcd_sandbox.config.profileshape import MEMBERS_LIMIT, Profile
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.credentials import Credentials
from etcd_sandbox.model.spec import Bootstrap, Runtime
from etcd_sandbox.model.suggest import did_you_mean

_PORT_LIMIT = 65535
_STOP_TIMEOUT_LIMIT_S = 3600


def check_profile(profile: Profile) -> None:
    """Raises InputError for the first thing that keeps `profile` from running."""
    for check in _CHECKS:
        check(profile)


def _check_cluster(profile: Profile) -> None:
    cluster = profile.cluster
    if cluster.members is not None:
        _in_range(profile, cluster.members, 1, MEMBERS_LIMIT, "cluster", "members")
    _in_range(profile, cluster.base_port, 1, _PORT_LIMIT, "cluster", "base_port")
    if cluster.port_step is not None:
        _in_range(profile, cluster.port_step, 1, _PORT_LIMIT, "cluster", "port_step")
    if cluster.discovery_size is not None:
        _in_range(profile, cluster.discovery_size, 1, MEMBERS_LIMIT, "cluster", "discovery_size")
    for key, fits, needed in (
        ("discovery", cluster.bootstrap is Bootstrap.DISCOVERY, 'bootstrap = "discovery"'),
        ("discovery_token", cluster.bootstrap is Bootstrap.DISCOVERY, 'bootstrap = "discovery"'),
        ("discovery_size", cluster.bootstrap is Bootstrap.DISCOVERY, 'bootstrap = "discovery"'),
        ("dns_records", cluster.bootstrap is Bootstrap.DNS, 'bootstrap = "dns"'),
        ("image", cluster.runtime is not Runtime.PROCESS, 'runtime = "podman"'),
        ("image_from_binary", cluster.runtime is not Runtime.PROCESS, 'runtime = "podman"'),
        ("container_network", cluster.runtime is not Runtime.PROCESS, 'runtime = "podman"'),
    ):
        if getattr(cluster, key) and not fits:
            raise InputError(
                f"{key!r} needs {needed}", profile.place("cluster", key), "add it to [cluster]"
            )
    if cluster.user:
        Credentials.parse(cluster.user, profile.place("cluster", "user"))
    if cluster.token == "":
        raise InputError(
            "'token' is empty", profile.place("cluster", "token"), "leave it out for the default"
        )


def _in_range(profile: Profile, value: int, low: int, high: int, *key: str | int) -> None:
    if not low <= value <= high:
        raise InputError(f"{key[-1]!r} must be {low} to {high}, not {value}", profile.place(*key))


def _check_flags(profile: Profile) -> None:
    keys: list[tuple[str | int, ...]] = [("etcd", flag) for flag in profile.etcd]
    for index, member in enumerate(profile.members):
        keys += [("member", index, "flags", flag) for flag in member.flags]
    for key in keys:
        flag, place = str(key[-1]), profile.place(*key)
        given = profile.etcd if key[0] == "etcd" else profile.members[int(key[1])].flags
        if refusal := refusal_of(flag, given[flag], shared=key[0] == "etcd"):
            raise InputError(refusal[0], place, refusal[1])


def _check_members(profile: Profile) -> None:
    ports: dict[int, str] = {}
    seen: set[str] = set()
    if len(profile.members) > MEMBERS_LIMIT:
        raise InputError(
            f"a cluster has 1 to {MEMBERS_LIMIT} members, not {len(profile.members)}",
            profile.place("member", MEMBERS_LIMIT),
        )
    for index, member in enumerate(profile.members):
        place = profile.place("member", index, "name")
        check_name(member.name, place, "member")
        if member.name in seen:
            raise InputError(f"two members are called {member.name!r}", place)
        seen.add(member.name)
        if member.name not in profile.member_names:
            names = profile.member_names
            raise InputError(
                f"there is no member {member.name!r} to override",
                place,
                did_you_mean(member.name, names, "the members are"),
            )
        if (port := member.client_port) is not None:
            _in_range(profile, port, 1, _PORT_LIMIT, "member", index, "client_port")
            if other := ports.get(port):
                raise InputError(
                    f"the members {other!r} and {member.name!r} have one client_port, {port}",
                    profile.place("member", index, "client_port"),
                )
            ports[port] = member.name


def _check_learners(profile: Profile) -> None:
    learners = [
        (index, member.name) for index, member in enumerate(profile.members) if member.learner
    ]
    if len(learners) > 1:
        raise InputError(
            f"{learners[0][1]!r} and {learners[1][1]!r} are learners, and etcd has one at a time",
            profile.place("member", learners[1][0], "learner"),
            "etcd-sandbox add --learner brings another when the first was promoted",
        )
    if learners and len(profile.member_names) == 1:
        raise InputError(
            "the only member cannot be a learner: nobody would vote",
            profile.place("member", learners[0][0], "learner"),
            "leave it out, or set members in [cluster]",
        )


def _check_processes(profile: Profile) -> None:
    members = profile.member_names
    taken = dict(
        chain.from_iterable(((name, name), (process_name(name), name)) for name in members)
    )
    seen: set[str] = set()
    for index, process in enumerate(profile.processes):
        place = profile.place("process", index, "name")
        check_name(process.name, place)
        if process.name in seen:
            raise InputError(f"two processes are called {process.name!r}", place)
        if member := taken.get(process.name):
            raise InputError(
                f"the process name {process.name!r} belongs to the member {member!r}",
                place,
                "choose another name",
            )
        seen.add(process.name)
        if not process.command.strip():
            raise InputError(
                f"the process {process.name!r} has an empty command",
                profile.place("process", index, "command"),
            )


def _check_supervise(profile: Profile) -> None:
    seconds = profile.supervise.stop_timeout_s
    if not 0 < seconds <= _STOP_TIMEOUT_LIMIT_S:
        raise InputError(
            f"'stop_timeout_s' must be more than 0 and at most {_STOP_TIMEOUT_LIMIT_S}, not {seconds:g}",
            profile.place("supervise", "stop_timeout_s"),
        )


_CHECKS: tuple[Callable[[Profile], None], ...] = (
    _check_cluster,
    _check_flags,
    _check_members,
    _check_learners,
    _check_processes,
    _check_supervise,
)
