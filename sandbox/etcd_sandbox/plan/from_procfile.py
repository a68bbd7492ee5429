"""Plans the processes of a Procfile: run as goreman runs them, with the etcd members among them known."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, field

from etcd_sandbox.config.procfile import Entry, Procfile
from etcd_sandbox.config.profileflags import unseen
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.flags import unknown_flags, value_problems
from etcd_sandbox.etcd.memberflags import MemberFlags, log_files, read_flags, urls
from etcd_sandbox.etcd.version import member_id
from etcd_sandbox.model.access import Address, as_pairs
from etcd_sandbox.model.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from etcd_sandbox.model.selector import ROLE_WORDS
from etcd_sandbox.model.spec import (
    ClusterSpec,
    EtcdBinary,
    MemberProcess,
    MemberSpec,
    PeerLink,
    ProcessSpec,
    Source,
    Stdin,
    members_of,
)
from etcd_sandbox.plan.linked import NOT_ASKED, PROXY, link_of
from etcd_sandbox.plan.reach import reached_at
from etcd_sandbox.plan.shell import EtcdInvocation, etcd_invocation, is_simple, shell_argv
from etcd_sandbox.plan.wanted import check_distinct, resolve_wanted
from etcd_sandbox.plan.ways import bootstrap_of

DEFAULT_PORT_BASE = 5000
PORT_STEP = 100
"""PORT of the entries, as goreman sets it: 5000, 5100, …"""

OWN_VARIABLES = ("ETCD_SANDBOX_*",)
"""Variables of etcd-sandbox that are kept from members: etcd warns of each that begins with `ETCD_`."""

_PORT_LIMIT = 65535


def plan_procfile(
    name: str,
    source: Source,
    procfile: Procfile,
    *,
    cwd: str,
    caller_env: Mapping[str, str],
    choose_etcd: Callable[[str], EtcdBinary],
    which: Callable[[str], str | None],
    read_file: Callable[[str], str],
    env_overlay: Mapping[str, str] | None = None,
    port_base: int = DEFAULT_PORT_BASE,
    set_ports: bool = True,
    etcd: str = "",
    wanted: Sequence[str] = (),
    exit_on_error: bool = False,
    links: bool = False,
    stdin: Stdin = Stdin.NULL,
) -> ClusterSpec:
    """The cluster `name` that `procfile` describes; `cwd` is absolute.

    `env_overlay` is what `.env` files add to `caller_env`. `which` looks a program up on PATH,
    `choose_etcd` finds an etcd by path, version or "" for the best, `read_file` gives the text
    of etcd's `--config-file` by its absolute path. A bare `etcd` that is not on PATH, or any
    when `etcd` is given, is replaced by the one chosen. What etcd would complain about is a
    note. `links` puts a link in front of each member whose command takes one more flag; `stdin` is
    what the processes that are no members read from. Raises
    InputError for names used twice, and for a wanted member without an etcd.
    """
    if not 0 <= port_base <= _PORT_LIMIT:
        raise InputError(f"the port base must be 0 to {_PORT_LIMIT}, not {port_base}")
    plan = _Plan(
        procfile=procfile,
        cwd=cwd,
        caller_env=caller_env,
        choose_etcd=choose_etcd,
        which=which,
        read_file=read_file,
        etcd=etcd,
        wanted=frozenset(wanted),
        links=links,
        stdin=stdin,
    )
    overlay = dict(env_overlay or {})
    processes = []
    for index, entry in enumerate(procfile.entries):
        port = {"PORT": str(port_base + PORT_STEP * index)} if set_ports else {}
        processes.append(plan.process(entry, overlay | port))
    last_port = port_base + PORT_STEP * (len(procfile.entries) - 1)
    if set_ports and last_port > _PORT_LIMIT:
        plan.notes.append(
            f"{procfile.where}: PORT of the last process is {last_port}: no such port"
        )
    check_distinct(processes, {entry.name: procfile.place(entry) for entry in procfile.entries})
    plan.notes += _shared_addresses(processes)
    plan.notes += _different_clusters(processes, procfile)
    return ClusterSpec(
        name=name,
        source=source,
        processes=tuple(processes),
        token=next((each.member.token for each in processes if each.member), ""),
        bootstrap=plan.bootstraps[0] if plan.bootstraps else DEFAULT_BOOTSTRAP,
        wanted=resolve_wanted(wanted, processes),
        exit_on_error=exit_on_error,
        notes=(*procfile.warnings, *plan.notes),
    )


class _Plan(Struct, kw_only=True):
    """What holds for all entries, and the notes gathered on the way."""

    procfile: Procfile
    cwd: str
    caller_env: Mapping[str, str]
    choose_etcd: Callable[[str], EtcdBinary]
    which: Callable[[str], str | None]
    read_file: Callable[[str], str]
    etcd: str
    wanted: frozenset[str]
    links: bool
    stdin: Stdin
    chosen: dict[str, EtcdBinary] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    bootstraps: list[Bootstrap] = field(default_factory=list)

    def process(self, entry: Entry, env: dict[str, str]) -> ProcessSpec:
        command, shown, member = entry.command, entry.command, None
        process_env = {**self.caller_env, **env}
        invocation = etcd_invocation(command, process_env)
        if invocation is not None:
            flags = read_flags(
                invocation.argv,
                invocation.environment(process_env),
                lambda path: self.read_file(self._absolute(path)),
            )
            own_place = self.which("etcd") if invocation.bare and not self.etcd else ""
            binary = self._binary(entry, flags.name, invocation, own_place)
            if binary is not None and invocation.bare and not own_place:
                command = invocation.with_program(command, binary.path)
                if not self.etcd:
                    self.notes.append(
                        f"{self.procfile.place(entry)}: etcd is not on PATH, "
                        f"{entry.name} runs {binary.path} ({binary.version}, {binary.origin})"
                    )
            self._judge(entry, flags, binary)
            self.bootstraps.append(bootstrap_of(flags))
            link = self._link(entry, flags, invocation, process_env)
            if isinstance(link, PeerLink):
                command += f" --listen-peer-urls={link.target_url}"
                shown += f" --listen-peer-urls={link.target_url}"
            member = self._member(flags, binary, link)
        argv = shell_argv(command)
        if member is None:
            return ProcessSpec(
                name=entry.name, argv=argv, shown=shown, cwd=self.cwd, env=env, stdin=self.stdin
            )
        return MemberProcess(
            name=entry.name,
            argv=argv,
            shown=shown,
            cwd=self.cwd,
            env=env,
            env_drop=() if "ETCD_SANDBOX_" in command else OWN_VARIABLES,
            member=member,
        )

    def _link(
        self,
        entry: Entry,
        flags: MemberFlags,
        invocation: EtcdInvocation,
        env: Mapping[str, str],
    ) -> PeerLink | str:
        if not self.links:
            return NOT_ASKED
        if is_proxy(flags):
            return PROXY
        link = link_of(
            flags,
            invocation.argv,
            invocation.environment(env),
            simple=is_simple(entry.command),
        )
        if isinstance(link, str):
            self.notes.append(f"{self.procfile.place(entry)}: no link for {entry.name}: {link}")
        return link

    def _file(self, path: str) -> str:
        """A file that a flag names, if it names one; etcd finds it from where it runs."""
        return self._absolute(path) if path else ""

    def _absolute(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self.cwd, path))

    def _binary(
        self, entry: Entry, member: str, invocation: EtcdInvocation, own_place: str | None
    ) -> EtcdBinary | None:
        """The etcd that the entry runs; None where an entry that is not wanted has none."""
        wish = self._absolute(invocation.program)
        if invocation.bare:
            wish = own_place or self.etcd
        try:
            if wish not in self.chosen:
                self.chosen[wish] = self.choose_etcd(wish)
        except InputError as error:
            if self.wanted and not self.wanted & {entry.name, member}:
                return None
            raise InputError(
                str(error), self.procfile.place(entry), error.hint, error.detail
            ) from error
        return self.chosen[wish]

    def _judge(self, entry: Entry, flags: MemberFlags, binary: EtcdBinary | None) -> None:
        """Refuses a member's name that no command could mean; notes what etcd will not take."""
        place = self.procfile.place(entry)
        if flags.name in ROLE_WORDS:
            raise InputError(
                f"{flags.name!r} cannot name a member: it selects processes by their role",
                place,
                "choose another --name",
            )
        self.notes += [f"{place}: {entry.name}: {problem}" for problem in flags.problems]
        if binary is not None:
            self.notes += [
                f"{place}: etcd {binary.version} does not know the flag {problem.flag!r} of "
                f"{entry.name}: {problem.hint}"
                for problem in unknown_flags(tuple(flags.raw), binary.version)
            ]
        self.notes += [
            f"{place}: {problem.flag} of {entry.name}: {problem.hint}"
            for problem in value_problems(flags)
        ]
        self.notes += [f"{place}: {entry.name}: {problem}" for problem in unseen(flags.raw)]

    def _member(
        self, flags: MemberFlags, binary: EtcdBinary | None, link: PeerLink | str
    ) -> MemberSpec:
        proxy = is_proxy(flags)
        known = bootstrap_of(flags).is_list and flags.initial_cluster_state == "new" and not proxy
        peer_urls = flags.initial_advertise_peer_urls
        listening, metrics = flags.listen_client_urls, flags.listen_metrics_urls
        over_http = urls(flags.raw, "listen-client-http-urls")
        endpoint = reached_at(flags.advertise_client_urls, listening, self.cwd)
        return MemberSpec(
            name=flags.name,
            id=member_id(peer_urls, flags.token) if known else None,
            client_url=reached_at((), over_http, self.cwd) if over_http else endpoint,
            endpoint=endpoint if over_http else Address(""),
            peer_url=peer_urls[0] if peer_urls and not proxy else Address(""),
            metrics_url=reached_at((), metrics, self.cwd) if metrics else None,
            listen_urls=(
                *listening,
                *(() if proxy else _peer_listeners(flags, link)),
                *metrics,
                *over_http,
            ),
            data_dir=self._absolute(flags.data_dir),
            data_owned=False,
            wal_dir=self._file(flags.raw.get("wal-dir", "")),
            log_files=tuple(map(self._absolute, log_files(flags.raw))),
            token=flags.token,
            initial_cluster=flags.initial_cluster,
            etcd=binary,
            client_cert=self._file(
                flags.raw.get("client-cert-file") or flags.raw.get("cert-file", "")
            ),
            client_key=self._file(
                flags.raw.get("client-key-file") or flags.raw.get("key-file", "")
            ),
            link=link if isinstance(link, PeerLink) else None,
            no_link=link if isinstance(link, str) else "",
            election_timeout_s=flags.election_timeout_ms / 1000,
            proxy=proxy,
        )


def is_proxy(flags: MemberFlags) -> bool:
    """Whether the etcd is a proxy of the v2 API, as 3.4 and 3.5 can be."""
    return flags.raw.get("proxy", "off") != "off"


def _peer_listeners(flags: MemberFlags, link: PeerLink | str) -> tuple[Address, ...]:
    return (link.target_url,) if isinstance(link, PeerLink) else flags.listen_peer_urls


def _shared_addresses(processes: Sequence[ProcessSpec]) -> list[str]:
    """What two members would both listen on, or both keep their data in."""
    notes: list[str] = []
    owners: dict[str, str] = {}
    for process in members_of(processes):
        link = process.member.link
        linked = (link.listen_url,) if link is not None else ()
        for thing in dict.fromkeys((*process.member.listen_urls, *linked, process.member.data_dir)):
            owner = owners.setdefault(thing, process.name)
            if owner != process.name:
                notes.append(f"{owner} and {process.name} both use {thing}")
    return notes


def _different_clusters(processes: Sequence[ProcessSpec], procfile: Procfile) -> list[str]:
    """The members that would begin another cluster than the first one does: etcd tells clusters apart
    by a hash of token and member list. One that joins what is there, or is found otherwise, needs neither.
    """
    entries = {entry.name: entry for entry in procfile.entries}
    founders = [
        (process.name, process.member)
        for process in members_of(processes)
        if process.member.id is not None
    ]
    notes: list[str] = []
    for name, member in founders[1:]:
        first, like = founders[0]
        place = procfile.place(entries[name])
        if member.token != like.token:
            notes.append(
                f"{place}: {name} has the cluster token {member.token!r}, {first} has {like.token!r}: "
                "etcd takes them for two clusters, and etcd-sandbox for one"
            )
        own, others = as_pairs(member.initial_cluster), as_pairs(like.initial_cluster)
        if set(own) != set(others):
            notes.append(
                f"{place}: {name} has another --initial-cluster than {first} ({_difference(own, others)}): "
                "etcd takes them for two clusters, and etcd-sandbox for one"
            )
    return notes


def _difference(one: Sequence[str], other: Sequence[str]) -> str:
    more = [f"with {pair}" for pair in one if pair not in other]
    return ", ".join(more + [f"without {pair}" for pair in other if pair not in one])
