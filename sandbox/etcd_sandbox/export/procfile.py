"""The cluster as a Procfile that goreman and honcho run, and `up -f`."""

from __future__ import annotations

import re

from etcd_sandbox.errors import InputError
from etcd_sandbox.export.exported import Exported, Kind, heading
from etcd_sandbox.export.standalone import (
    PAUSE,
    Command,
    commands,
    is_of_procfile,
    register,
    unsaid,
)
from etcd_sandbox.model.spec import ClusterSpec

_PORT_BASE = 5000
_HONCHO_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")


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
        text=head + "".join(lines), notes=(*unsaid(spec, Kind.PROCFILE), *_notes(found))
    )


def _line(spec: ClusterSpec, command: Command) -> str:
    """The command with what it waits for.

    A member's line must keep etcd as its first command, so that `up -f` knows it for a member:
    it waits in an assignment. The service's must not, as it is no member.
    """
    if command.service:
        return f"until {register(spec)}; do {PAUSE}; done & exec {command.text}"
    if not command.until:
        return command.text
    loop = f"until {command.until}; do {PAUSE}; done"
    return f"WAITED=$({loop}) exec {command.text}" if command.member else f"{loop}; {command.text}"


def _how_to_run(spec: ClusterSpec, found: tuple[Command, ...]) -> list[str]:
    port = _port_base(found)
    goreman, honcho = (f" -b {port}", f" -p {port}") if port != _PORT_BASE else ("", "")
    lines = [
        f"Run it with: goreman{goreman} -f FILE start, honcho -f FILE start{honcho}, etcd-sandbox up -f FILE"
    ]
    if is_of_procfile(spec):
        lines.append("in the directory of the Procfile that it was made from.")
    else:
        lines.append("Each member keeps its data in NAME.etcd of the directory that it is run in;")
        lines.append("that data is bound to the names and ports: delete it to begin anew.")
    if any(command.service for command in found) and spec.discovery is not None:
        lines.append(
            f"The discovery service registers the token for {spec.discovery.size} members itself;"
        )
        lines.append("the members wait for that. Delete their data and the service's together.")
    return lines


def _port_base(found: tuple[Command, ...]) -> int:
    """The PORT of the first entry; both tools give each next one 100 more."""
    given = found[0].env.get("PORT", "") if found else ""
    return int(given) if given.isdecimal() else _PORT_BASE


def _notes(found: tuple[Command, ...]) -> list[str]:
    notes = []
    if odd := [command.name for command in found if not _HONCHO_NAME.match(command.name)]:
        notes.append(f"honcho passes over names like {', '.join(odd)}; goreman takes them")
    if loaded := sorted({name for command in found for name in command.env} - {"PORT"}):
        notes.append(f"{', '.join(loaded)}: put the file of variables beside it as .env")
    return notes
