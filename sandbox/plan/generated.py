"""Plans the members that `-n N` or a profile ask for, and what a profile runs beside them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.config.names import process_name
from sandbox.config.profileshape import Profile, generated_names
from sandbox.errors import InputError
from sandbox.etcd.ids import member_id
from sandbox.model.spec import ClusterSpec, EtcdBinary, MemberSpec, ProcessSpec, Source
from sandbox.plan.memberargv import member_argv
from sandbox.plan.ports import PORTS_PER_MEMBER, MemberPorts, member_ports, profile_ports
from sandbox.plan.shell import shell_argv
from sandbox.plan.wanted import check_distinct, resolve_wanted

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


def plan_members(
    name: str,
    source: Source,
    profile: Profile,
    *,
    choose_etcd: Callable[[str], EtcdBinary],
    data_root: Path,
    cwd: str,
    caller_env: Mapping[str, str],
    members: int | None = None,
    base_port: int | None = None,
    port_step: int | None = None,
    etcd: str | None = None,
    env_overlay: Mapping[str, str] | None = None,
    wanted: Sequence[str] = (),
    ephemeral: bool = False,
    exit_on_error: bool = False,
    port_lock: str = "",
) -> ClusterSpec:
    """The cluster `name` as `profile` describes it; `-n N` alone is an empty profile.

    `members`, `base_port`, `port_step` and `etcd` are options that win over the profile (a
    member's own `etcd` stays). `choose_etcd` finds an etcd by path, version or "" for the
    best. Raises InputError for numbers out of range, ports or names used twice, and flags
    that a member's etcd does not know.
    """
    asked = _Asked(
        profile=profile,
        names=_member_names(profile, members),
        token=profile.cluster.token or default_token(name),
        etcd=etcd,
        data_root=data_root,
        cwd=cwd,
        choose_etcd=choose_etcd,
    )
    ports = profile_ports(
        profile,
        asked.names,
        profile.cluster.base_port if base_port is None else base_port,
        profile.cluster.port_step if port_step is None else port_step,
    )
    initial_cluster = tuple(
        f"{member}={_url(each.peer)}" for member, each in zip(asked.names, ports, strict=True)
    )
    processes = [
        _member(asked, member, each, initial_cluster)
        for member, each in zip(asked.names, ports, strict=True)
    ]
    processes += _beside(profile, cwd, dict(env_overlay or {}))
    check_distinct(processes, _places(profile))
    return ClusterSpec(
        name=name,
        source=source,
        processes=tuple(processes),
        token=asked.token,
        wanted=resolve_wanted(wanted, processes),
        ephemeral=ephemeral,
        exit_on_error=exit_on_error,
        port_lock=port_lock,
        notes=(*_unused_overrides(asked), *_dropped_variables(caller_env)),
    )


def default_token(cluster: str) -> str:
    """The initial cluster token of generated members: `etcd-cluster-1` gives the known IDs."""
    return "etcd-cluster-1" if cluster == "default" else f"etcd-cluster-{cluster}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What holds for all members."""

    profile: Profile
    names: tuple[str, ...]
    token: str
    etcd: str | None
    data_root: Path
    cwd: str
    choose_etcd: Callable[[str], EtcdBinary]
    chosen: dict[str, EtcdBinary] = field(default_factory=dict)

    def binary(self, member: str) -> EtcdBinary:
        """The member's etcd: its own, that of the option, that of `[cluster]`, the best."""
        index, own = self.profile.own(member)
        place = ""
        if own.etcd:
            wish, place = own.etcd, self.profile.place("member", index, "etcd")
        elif self.etcd is not None:
            wish = self.etcd
        else:
            wish = self.profile.cluster.etcd
            place = self.profile.place("cluster", "etcd") if wish else ""
        if wish not in self.chosen:
            try:
                self.chosen[wish] = self.choose_etcd(wish)
            except InputError as error:
                if error.where or not place:
                    raise
                raise InputError(error.what, place, error.hint, error.detail) from error
        return self.chosen[wish]


def _member_names(profile: Profile, count: int | None) -> tuple[str, ...]:
    if count is None:
        return profile.member_names
    if not profile.lists_members or count < 1:
        # member_ports refuses counts out of range; names are made for sane ones only.
        member_ports(count, base_port=1, step=PORTS_PER_MEMBER)
        return generated_names(count)
    if count > len(profile.members):
        raise InputError(
            f"the profile lists the members by name: {len(profile.members)} of them, not {count}",
            profile.place("member", 0),
            f"add a [[member]] for each, or set members = {count} in [cluster]",
        )
    return profile.member_names[:count]


def _member(
    asked: _Asked, name: str, ports: MemberPorts, initial_cluster: tuple[str, ...]
) -> ProcessSpec:
    client, peer, metrics = _url(ports.client), _url(ports.peer), _url(ports.metrics)
    member = MemberSpec(
        name=name,
        id=member_id([peer], asked.token),
        client_url=client,
        peer_url=peer,
        metrics_url=metrics,
        listen_urls=(client, peer, metrics),
        data_dir=str(asked.data_root / name),
        data_owned=True,
        token=asked.token,
        initial_cluster=initial_cluster,
        etcd=asked.binary(name),
    )
    argv = member_argv(member, asked.profile)
    supervise = asked.profile.supervise
    return ProcessSpec(
        name=process_name(name),
        argv=argv,
        shown=shlex.join(argv),
        cwd=asked.cwd,
        env_drop=ENV_DROP,
        restart=supervise.restart,
        stop_timeout_s=supervise.stop_timeout_s,
        member=member,
    )


def _beside(profile: Profile, cwd: str, env: dict[str, str]) -> list[ProcessSpec]:
    return [
        ProcessSpec(
            name=process.name,
            argv=shell_argv(process.command),
            shown=process.command,
            cwd=cwd,
            env=env,
            restart=process.restart,
            stop_timeout_s=profile.supervise.stop_timeout_s,
            after=process.after,
        )
        for process in profile.processes
    ]


def _places(profile: Profile) -> dict[str, str]:
    return {
        process.name: profile.place("process", index, "name")
        for index, process in enumerate(profile.processes)
    }


def _unused_overrides(asked: _Asked) -> list[str]:
    return [
        f"{asked.profile.place('member', index)}: {member.name} is not among the "
        f"{len(asked.names)} members asked for, so its [[member]] is not used"
        for index, member in enumerate(asked.profile.members)
        if member.name not in asked.names
    ]


def _dropped_variables(env: Mapping[str, str]) -> list[str]:
    names = sorted(n for n in env if n.startswith("ETCD_") and not n.startswith("ETCD_SANDBOX_"))
    return (
        [f"{', '.join(names)} in your environment: not passed on to the members"] if names else []
    )


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"
