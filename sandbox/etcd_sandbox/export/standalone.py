"""The processes of a cluster as commands that work without the sandbox: for a Procfile or a script.

Members listen for peers where they are dialled, since there are no links, and keep their data in
`NAME.etcd` of the current directory, as etcd's own Procfile has it.
"""

from __future__ import annotations

import shlex
from base64 import b64encode
from collections.abc import Iterator

from msgspec import Struct, field

from etcd_sandbox.errors import InputError
from etcd_sandbox.export.exported import Kind
from etcd_sandbox.export.memberoptions import (
    command_of,
    invocation_of,
    is_composed,
    options,
    the_member,
)
from etcd_sandbox.model.spec import (
    After,
    Bootstrap,
    ClusterSpec,
    EtcdBinary,
    ProcessSpec,
    Restart,
    Runtime,
    Service,
    SourceKind,
    Stdin,
)

PAUSE = "sleep 0.2"


class Command(Struct, frozen=True, kw_only=True):
    """A process. `words` are executed as they are; a `shell` text, where there is one, by sh.

    `until` is a command of sh that succeeds once this one may start; empty: at once. `env` is
    set for it, `member` is its name as a member of the cluster, or empty.
    """

    name: str
    words: tuple[str, ...] = ()
    shell: str = ""
    until: str = ""
    env: dict[str, str] = field(default_factory=dict)
    member: str = ""
    service: bool = False

    @property
    def text(self) -> str:
        """The command as sh takes it."""
        return self.shell or shlex.join(self.words)


def data_directory(name: str) -> str:
    """Where a member that we compose keeps its data: etcd's own default."""
    return f"{name}.etcd"


def commands(spec: ClusterSpec, kind: Kind, on_path: str) -> tuple[Command, ...]:
    """All processes of the cluster. `on_path` is the etcd that a bare `etcd` runs here, or empty.

    Raises InputError for members that need a DNS server of ours.
    """
    if spec.dns is not None:
        raise InputError(
            f"{kind} cannot hold a cluster that is bootstrapped by DNS: its members need a DNS "
            "server at port 53 and, each of them, a private /etc/resolv.conf",
            hint=f"etcd-sandbox export {Kind.DNSMASQ} prints the records for real use; etcd-sandbox "
            f"export {kind} -n {len(spec.members)} lists the members to each other",
        )
    return tuple(_command(spec, process, on_path) for process in spec.processes)


def unsaid(spec: ClusterSpec, kind: Kind) -> tuple[str, ...]:
    """What such commands leave out of the cluster, a sentence each."""
    notes = []
    if kept := [process.name for process in spec.processes if process.restart is not Restart.NEVER]:
        notes.append(f"nothing restarts {', '.join(kept)} there, as etcd-sandbox does")
    if held := [process.name for process in spec.processes if process.stdin is not Stdin.NULL]:
        notes.append(f"nothing keeps the stdin of {', '.join(held)} open there")
    if spec.runtime is not Runtime.PROCESS:
        versions = ", ".join(sorted({binary.version for binary in _binaries(spec)}))
        notes.append(
            f"the members are containers here; there they run the etcd on PATH: let it be {versions}"
        )
    if any(process.container and process.container.network for process in spec.members):
        notes.append("member IDs differ there: they are made of peer URLs, which are on 127.0.0.1")
    if spec.discovery is not None and not spec.discovery.process:
        notes.append(
            f"the token {spec.discovery.token} at {spec.discovery.service} is good for one cluster: "
            f"where this one has used it up, register another for the {kind}"
        )
    return tuple(notes)


def register(spec: ClusterSpec) -> str:
    """The command that registers the token at our own discovery service; may be repeated."""
    discovery = spec.discovery
    assert discovery is not None
    quiet = ("curl", "-fsS", "-o", "/dev/null")
    if discovery.token_url:
        url = f"{discovery.token_url}/_config/size"
        return shlex.join((*quiet, "-X", "PUT", url, "-d", f"value={discovery.size}"))
    key, value = _base64(_size_key(discovery.token)), _base64(str(discovery.size))
    body = f'{{"key": "{key}", "value": "{value}"}}'
    return shlex.join((*quiet, f"{discovery.service}/v3/kv/put", "-d", body))


def is_registered(spec: ClusterSpec) -> str:
    """The command that fails until the token is registered at our own discovery service."""
    discovery = spec.discovery
    assert discovery is not None
    if discovery.token_url:
        return shlex.join(("curl", "-fs", "-o", "/dev/null", f"{discovery.token_url}/_config/size"))
    body = f'{{"key": "{_base64(_size_key(discovery.token))}"}}'
    asked = shlex.join(("curl", "-fs", f"{discovery.service}/v3/kv/range", "-d", body))
    # An answer about a key that is not there is an answer without "kvs".
    return f"{asked} | grep -q kvs"


def _size_key(token: str) -> str:
    """etcd 3.6: `server/etcdserver/api/v3discovery/discovery.go`."""
    return f"/_etcd/registry/{token}/_config/size"


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _command(spec: ClusterSpec, process: ProcessSpec, on_path: str) -> Command:
    if process.service is Service.DISCOVERY:
        binary = next(_binaries(spec))
        flags = dict(process.flags)
        return Command(name=process.name, words=_words(spec, binary, on_path, flags), service=True)
    if process.member is None:
        return Command(
            name=process.name,
            shell=process.shown,
            until=_cluster_is_ready(spec) if process.after is After.READY else "",
            env=process.env,
        )
    if is_composed(process):
        return _composed(spec, process, on_path)
    invocation, text = invocation_of(process), command_of(process)
    own = process.member.etcd
    if invocation and invocation.bare and own is not None and own.path != on_path:
        text = invocation.with_program(text, own.path)
    return Command(name=process.name, shell=text, env=process.env, member=process.member.name)


def _composed(spec: ClusterSpec, process: ProcessSpec, on_path: str) -> Command:
    member, flags = the_member(process), _on_this_machine(spec, options(process))
    assert member.etcd is not None
    if member.link is not None:
        flags["listen-peer-urls"] = member.link.listen_url
    waits = spec.bootstrap is Bootstrap.DISCOVERY and any(spec.services)
    return Command(
        name=process.name,
        words=_words(spec, member.etcd, on_path, flags),
        until=is_registered(spec) if waits else "",
        member=member.name,
    )


def _on_this_machine(spec: ClusterSpec, flags: dict[str, str]) -> dict[str, str]:
    """The options of a member whose container had a network of its own, where names are hosts."""
    hosts = [p.container.name for p in spec.members if p.container and p.container.network]
    for host in hosts:
        flags = {name: value.replace(f"//{host}:", "//127.0.0.1:") for name, value in flags.items()}
    return flags


def _words(
    spec: ClusterSpec, binary: EtcdBinary, on_path: str, flags: dict[str, str]
) -> tuple[str, ...]:
    contained = spec.runtime is not Runtime.PROCESS
    program = "etcd" if contained or binary.path == on_path else binary.path
    flags = flags | {"data-dir": data_directory(flags["name"])}
    return (program, *(f"--{name}={value}" for name, value in flags.items()))


def _binaries(spec: ClusterSpec) -> Iterator[EtcdBinary]:
    members = (the_member(process) for process in spec.members)
    return (member.etcd for member in members if member.etcd is not None)


def _cluster_is_ready(spec: ClusterSpec) -> str:
    """The command that fails until a member knows a leader (`/health` is 503 before that)."""
    urls = [the_member(process).client_url for process in spec.members]
    return shlex.join(("curl", "-fs", "-o", "/dev/null", f"{urls[0]}/health")) if urls else ""


def is_of_procfile(spec: ClusterSpec) -> bool:
    """Whether the commands are those of a Procfile, and belong into its directory."""
    return spec.source.kind is SourceKind.PROCFILE
