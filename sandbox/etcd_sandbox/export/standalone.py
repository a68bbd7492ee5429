"""The cluster as commands that work without the sandbox: a Procfile for goreman and honcho, a script of POSIX sh.

Members listen for peers where they are dialled, since there are no links, and keep their data in
`NAME.etcd` of the current directory, as etcd's own Procfile has it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from etcd_sandbox.errors import InputError
from etcd_sandbox.export.exported import Exported, Kind, heading
from etcd_sandbox.model.access import LOOPBACK
from etcd_sandbox.model.spec import (
    After,
    ClusterSpec,
    EtcdBinary,
    MemberProcess,
    MemberSpec,
    ProcessSpec,
    Restart,
    SourceKind,
    Stdin,
)
from etcd_sandbox.plan.memberoptions import command_of, invocation_of, is_composed, told
from etcd_sandbox.plan.runtimes import runtime_of
from etcd_sandbox.plan.shell import is_simple, shell_argv
from etcd_sandbox.plan.ways import way_of

_PAUSE = "sleep 0.2"
_PORT_BASE = 5000
_HONCHO_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
_BEGIN = r"""
# etcd dies of an option that it gets as a flag and as a variable.
for variable in $(env | sed -n 's/^\(ETCD_[A-Z0-9_]*\)=.*/\1/p'); do
  unset "$variable"
done

pids=
stop() {
  trap 'kill -KILL $pids' INT TERM HUP
  # One by one: a leader hands over to a member that still runs, and is gone at once.
  for pid in $pids; do
    kill -TERM "$pid" 2>/dev/null && wait "$pid"
  done
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
"""


def procfile(spec: ClusterSpec, on_path: str) -> Exported:
    """The Procfile. `on_path` is the etcd that a bare `etcd` runs, or empty.

    Raises InputError for what no line of a Procfile can say.
    """
    found = commands(spec, Kind.PROCFILE, on_path)
    lines = [f"{command.name}: {_line(spec, command)}\n" for command in found]
    for command, line in zip(found, lines, strict=True):
        if len(line.splitlines()) > 1:
            raise InputError(
                f"the command of {command.name!r} has a line break, and a Procfile gives a process one line",
                hint=f"etcd-sandbox export {Kind.SHELL} can hold it",
            )
    head = heading(spec, Kind.PROCFILE, *_how_to_run(spec, found))
    return Exported(
        text=head + "".join(lines), notes=(*unsaid(spec, Kind.PROCFILE), *_notes_of_procfile(found))
    )


def _line(spec: ClusterSpec, command: Command) -> str:
    """The command with what it waits for.

    A member's line must keep etcd as its first command, so that `up -f` knows it for a member:
    it waits in an assignment. The service's must not, as it is no member.
    """
    if command.service:
        return f"until {way_of(spec).register}; do {_PAUSE}; done & exec {command.text}"
    if not command.until:
        return command.text
    loop = f"until {command.until}; do {_PAUSE}; done"
    return f"WAITED=$({loop}) exec {command.text}" if command.member else f"{loop}; {command.text}"


def _how_to_run(spec: ClusterSpec, found: tuple[Command, ...]) -> list[str]:
    port = _port_base(found)
    goreman, honcho = (f" -b {port}", f" -p {port}") if port != _PORT_BASE else ("", "")
    lines = [
        f"Run it with: goreman{goreman} -f FILE start, honcho -f FILE start{honcho}, etcd-sandbox up -f FILE"
    ]
    if _is_of_procfile(spec):
        lines.append("in the directory of the Procfile that it was made from.")
    else:
        lines.append("Each member keeps its data in NAME.etcd of the directory that it is run in;")
        lines.append("that data is bound to the names and ports: delete it to begin anew.")
    return [*lines, *way_of(spec).about_service]


def _port_base(found: tuple[Command, ...]) -> int:
    """The PORT of the first entry; both tools give each next one 100 more."""
    given = found[0].env.get("PORT", "") if found else ""
    return int(given) if given.isdecimal() else _PORT_BASE


def _notes_of_procfile(found: tuple[Command, ...]) -> list[str]:
    notes = []
    if odd := [command.name for command in found if not _HONCHO_NAME.match(command.name)]:
        notes.append(f"honcho passes over names like {', '.join(odd)}; goreman takes them")
    if loaded := sorted({name for command in found for name in command.env} - {"PORT"}):
        notes.append(f"{', '.join(loaded)}: put the file of variables beside it as .env")
    return notes


def shell(spec: ClusterSpec, on_path: str) -> Exported:
    """The script, of the processes that `up` starts. `on_path` is the etcd that a bare `etcd` runs, or empty."""
    wanted = {process.name for process in spec.wanted_processes}
    found = [each for each in commands(spec, Kind.SHELL, on_path) if each.name in wanted]
    place = (
        "Run it in the directory of the Procfile that it was made from"
        if _is_of_procfile(spec)
        else "Run it in a directory of its own: data goes to NAME.etcd there"
    )
    head = heading(spec, Kind.SHELL, f"{place}, output to NAME.log.", "Ctrl-C stops them all.")
    # What others wait for comes first.
    ordered = sorted(found, key=lambda command: (not command.service, not command.member))
    parts = [_started(spec, command) for command in ordered]
    text = f"#!/bin/sh\n{head}{_BEGIN}\n{''.join(parts)}{_end(spec, found)}"
    return Exported(text=text, notes=(*unsaid(spec, Kind.SHELL), *_notes_of_script(found)))


def _started(spec: ClusterSpec, command: Command) -> str:
    words = command.words or shell_argv(command.shell)
    if command.env:
        words = ("env", *(f"{name}={value}" for name, value in command.env.items()), *words)
    wait = "" if not command.until or command.member else _until(command.until)
    log = shlex.quote(f"{command.name}.log")
    lines = " \\\n  ".join(shlex.quote(word) for word in words)
    text = f'{wait}{lines} >{log} 2>&1 &\npids="$pids $!"\n\n'
    return text + _until(way_of(spec).register) + "\n" if command.service else text


def _until(condition: str) -> str:
    return f"until {condition} 2>/dev/null; do\n  {_PAUSE}\ndone\n"


def _end(spec: ClusterSpec, found: list[Command]) -> str:
    members = {command.member for command in found if command.member}
    urls = ",".join(
        process.member.advertised_client_url
        for process in spec.members
        if process.member.name in members
    )
    told = [f"ETCDCTL_ENDPOINTS={urls} etcdctl endpoint health"] if urls else []
    lines = [*told, "Ctrl-C stops all."]
    return "".join(f"echo {shlex.quote(line)}\n" for line in lines) + "wait\n"


def _notes_of_script(found: list[Command]) -> list[str]:
    notes = []
    if loaded := sorted({name for command in found for name in command.env} - {"PORT"}):
        notes.append(
            f"the script holds the values of {', '.join(loaded)}, from a file of variables"
        )
    if loose := [each.name for each in found if each.shell and not is_simple(each.shell)]:
        notes.append(
            f"{', '.join(loose)}: the script stops the shell of that command, not what that started"
        )
    return notes


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


def commands(spec: ClusterSpec, kind: Kind, on_path: str) -> tuple[Command, ...]:
    """All processes of the cluster. `on_path` is the etcd that a bare `etcd` runs here, or empty.

    Raises InputError for members that need a DNS server of ours.
    """
    if why := way_of(spec).why_no_commands:
        raise InputError(
            f"{kind} cannot hold a cluster that is bootstrapped by DNS: {why}",
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
    notes += runtime_of(spec).lost_in_commands(spec)
    return (*notes, *way_of(spec).lost_in_commands(kind))


def _command(spec: ClusterSpec, process: ProcessSpec, on_path: str) -> Command:
    if process.name == way_of(spec).own_service:
        binary = next(_binaries(spec))
        flags = dict(process.flags)
        return Command(name=process.name, words=_words(spec, binary, on_path, flags), service=True)
    if not isinstance(process, MemberProcess):
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


def _composed(spec: ClusterSpec, process: MemberProcess, on_path: str) -> Command:
    member = process.member
    assert member.etcd is not None
    here = replace(process, member=_on_this_machine(process))
    return Command(
        name=process.name,
        words=_words(spec, member.etcd, on_path, told(here)),
        until=way_of(spec).is_registered,
        member=member.name,
    )


def _on_this_machine(process: MemberProcess) -> MemberSpec:
    """The member without a link, and without a network on which names are hosts."""
    member = process.member
    if member.client_link is not None:
        clients = member.client_link.listen_url
        listen = (clients, *member.listen_urls[1:])
        member = replace(member, client_url=clients, listen_urls=listen, client_link=None)
    if member.link is not None:
        clients, _, *others = member.listen_urls
        member = replace(member, listen_urls=(clients, member.link.listen_url, *others))
    if not runtime_of(process).is_apart:
        return member
    listed = {
        name: tuple(url.at(LOOPBACK) for url in urls)
        for name, urls in member.initial_cluster.items()
    }
    return replace(member, peer_url=member.peer_url.at(LOOPBACK), initial_cluster=listed)


def _words(
    spec: ClusterSpec, binary: EtcdBinary, on_path: str, flags: dict[str, str]
) -> tuple[str, ...]:
    program = "etcd" if binary.image or binary.path == on_path else binary.path
    flags = flags | {"data-dir": f"{flags['name']}.etcd"}  # etcd's own default
    return (program, *(f"--{name}={value}" for name, value in flags.items()))


def _binaries(spec: ClusterSpec) -> Iterator[EtcdBinary]:
    members = (process.member for process in spec.members)
    return (member.etcd for member in members if member.etcd is not None)


def _cluster_is_ready(spec: ClusterSpec) -> str:
    """The command that fails until a member knows a leader (`/health` is 503 before that)."""
    urls = [process.member.advertised_client_url for process in spec.members]
    return shlex.join(("curl", "-fs", "-o", "/dev/null", f"{urls[0]}/health")) if urls else ""


def _is_of_procfile(spec: ClusterSpec) -> bool:
    """Whether the commands are those of a Procfile, and belong into its directory."""
    return spec.source.kind is SourceKind.PROCFILE
