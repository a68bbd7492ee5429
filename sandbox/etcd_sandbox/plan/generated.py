"""Plans the members that `-n N` or a profile ask for, and what a profile runs beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from etcd_sandbox.config.profileshape import Profile, generated_names
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.version import member_id
from etcd_sandbox.model.access import LOOPBACK, Address, InitialCluster
from etcd_sandbox.model.selector import process_name
from etcd_sandbox.model.spec import (
    After,
    ClusterSpec,
    EtcdBinary,
    MemberProcess,
    MemberSpec,
    PeerLink,
    ProcessSpec,
    Source,
)
from etcd_sandbox.plan import ways
from etcd_sandbox.plan.joining import joining
from etcd_sandbox.plan.linked import APART, DIRECT
from etcd_sandbox.plan.memberargv import ENV_DROP, member_flags
from etcd_sandbox.plan.ports import PORTS_PER_MEMBER, MemberPorts, member_ports, profile_ports
from etcd_sandbox.plan.runtimes import Process
from etcd_sandbox.plan.shell import shell_argv
from etcd_sandbox.plan.wanted import check_distinct, resolve_wanted
from etcd_sandbox.plan.ways import BootstrapInputs
from etcd_sandbox.plan.ways.static import Static


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
    direct: bool = False,
    client_links: bool = False,
    token: str | None = None,
    inputs: BootstrapInputs | None = None,
    runtime: Process = Process(),  # noqa: B008 - frozen
) -> ClusterSpec:
    """The cluster `name` as `profile` describes it; `-n N` alone is an empty profile.

    `members`, `base_port`, `port_step`, `etcd` and `token` are options that win over the profile (a
    member's own `etcd` stays). `choose_etcd` finds an etcd by path, version or "" for the
    best. `direct` leaves out the links between the members, `client_links` puts some before clients. `inputs` says how the members are told of
    each other, `runtime` what runs them. Raises InputError for numbers out of range, ports or
    names used twice, flags that a member's etcd does not know, and ways that it cannot go.
    """
    names = _member_names(profile, members)
    asked = _Asked(
        cluster=name,
        profile=profile,
        names=names,
        learners=tuple(name for name in names if profile.own(name)[1].learner),
        token=token or profile.cluster.token or default_token(name),
        etcd=etcd,
        data_root=data_root,
        cwd=cwd,
        choose_etcd=choose_etcd,
        direct=direct,
        client_links=client_links,
        runtime=runtime,
    )
    ports = profile_ports(
        profile,
        asked.names,
        profile.cluster.base_port if base_port is None else base_port,
        profile.cluster.port_step if port_step is None else port_step,
        client_links=client_links,
    )
    everyone = tuple(zip(asked.names, ports, strict=True))
    by_name = tuple(each for each in everyone if each[0] not in asked.learners)
    request = ways.Request(
        inputs=inputs or BootstrapInputs(),
        cluster=name,
        token=asked.token,
        cwd=cwd,
        data_root=data_root,
        ports=by_name,
        binaries={each: asked.binary(each) for each in asked.names},
        runtime=runtime,
    )
    way = ways.planned(request)
    initial_cluster: InitialCluster = {
        member: (way.peer_url(member, each.peer),) for member, each in by_name[: way.places]
    }
    found = [_member(asked, way, member, each, initial_cluster) for member, each in by_name]
    if way.places is not None:
        found[way.places :] = [_surplus(process) for process in found[way.places :]]
    found += [
        _learner(asked, way, member, each, initial_cluster)
        for member, each in everyone
        if member in asked.learners
    ]
    processes = [
        *found,
        *way.services(request),
        *_beside(profile, cwd, dict(env_overlay or {})),
    ]
    check_distinct(processes, _places(profile))
    return ClusterSpec(
        name=name,
        source=source,
        processes=tuple(processes),
        token=way.token,
        bootstrap=way.bootstrap,
        runtime=runtime.runtime,
        discovery=way.discovery,
        dns=way.dns,
        wanted=resolve_wanted(wanted, processes),
        ephemeral=ephemeral,
        exit_on_error=exit_on_error,
        port_lock=port_lock,
        user=profile.cluster.user,
        notes=(
            *_unused_overrides(asked),
            *_dropped_variables(caller_env),
            *way.notes(request),
        ),
    )


def default_token(cluster: str) -> str:
    """The initial cluster token of generated members: `etcd-cluster-1` gives the known IDs."""
    return "etcd-cluster-1" if cluster == "default" else f"etcd-cluster-{cluster}"


class _Asked(Struct, frozen=True, kw_only=True):
    """What holds for all members."""

    cluster: str
    profile: Profile
    names: tuple[str, ...]
    learners: tuple[str, ...]
    token: str
    etcd: str | None
    data_root: Path
    cwd: str
    choose_etcd: Callable[[str], EtcdBinary]
    direct: bool
    client_links: bool
    runtime: Process
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
    asked: _Asked,
    way: Static,
    name: str,
    ports: MemberPorts,
    initial_cluster: InitialCluster,
) -> MemberProcess:
    client, metrics = Address.here(ports.client), Address.here(ports.metrics)
    peer, scheme = way.peer_url(name, ports.peer), way.peer_scheme
    dialled = Address.here(ports.peer, scheme)
    link, no_link = None, APART if asked.runtime.is_apart else DIRECT
    if not asked.direct and not asked.runtime.is_apart:
        link = PeerLink(listen_url=dialled, target_url=Address.here(ports.peer_listener, scheme))
    client_link, endpoint = None, Address("")
    if asked.client_links:
        if asked.runtime.is_apart:
            raise InputError(
                f"there cannot be a link in front of clients: {APART}",
                hint="--container-network host, or members that are processes, can have client links",
            )
        client_link = PeerLink(listen_url=client, target_url=Address.here(ports.client_listener))
        client, endpoint = client_link.target_url, client
    member = MemberSpec(
        name=name,
        id=member_id([peer], way.token),
        client_url=client,
        endpoint=endpoint,
        peer_url=peer,
        metrics_url=metrics,
        listen_urls=(client, link.target_url if link else dialled, metrics),
        data_dir=str(asked.data_root / name),
        data_owned=True,
        token=way.token,
        initial_cluster=initial_cluster,
        etcd=asked.binary(name),
        link=link,
        no_link="" if link else no_link,
        client_link=client_link,
    )
    flags = member_flags(member, asked.profile, way.flags)
    member = asked.runtime.placed(member, asked.profile, asked.cwd, asked.data_root)
    supervise = asked.profile.supervise
    process = MemberProcess(
        name=process_name(name),
        argv=(),
        shown="",
        cwd=asked.cwd,
        flags=flags,
        env=dict(way.env),
        env_drop=ENV_DROP,
        restart=supervise.restart,
        stop_timeout_s=supervise.stop_timeout_s,
        member=member,
    )
    return asked.runtime.run(
        process, asked.binary(name), asked.cluster, asked.data_root, way.resolver
    )


def _learner(
    asked: _Asked,
    way: Static,
    name: str,
    ports: MemberPorts,
    initial_cluster: InitialCluster,
) -> MemberProcess:
    """A member without a vote: it comes to the others when they are ready."""
    process = _member(asked, way, name, ports, initial_cluster)
    # Nobody looks for it by a name: it is on no list when the others begin.
    peer = process.member.peer_url.at(LOOPBACK) if way.by_name else process.member.peer_url
    member = replace(
        process.member,
        id=None,
        peer_url=peer,
        initial_cluster={**initial_cluster, name: (peer,)},
        learner=True,
    )
    return replace(joining(process, member), after=After.READY)


def _surplus(process: MemberProcess) -> MemberProcess:
    """A member for whom the discovery token has no place: it starts when the others are there.

    Whoever registered too late would be the surplus one otherwise.
    """
    return replace(process, after=After.READY, member=replace(process.member, id=None))


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
            stdin=process.stdin,
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
