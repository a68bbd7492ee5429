"""Reads a Procfile as goreman does, but names what goreman passes over in silence."""

from __future__ import annotations

from msgspec import Struct

from etcd_sandbox.config.inputfile import decode_input
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.selector import check_name, composed, names_a_process

ENTRY_LIMIT = 1000


class Entry(Struct, frozen=True):
    """One process of a Procfile; `line` counts from 1."""

    name: str
    command: str
    line: int


class Procfile(Struct, frozen=True):
    """The processes of a Procfile in its order. `where` is the file as a reader knows it.

    `warnings` name file and line of what was skipped although it is no comment.
    """

    where: str
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()

    def place(self, entry: Entry) -> str:
        """`FILE:LINE` of an entry."""
        return f"{self.where}:{entry.line}"


def parse_procfile(data: bytes, where: str) -> Procfile:
    """The Procfile whose content is `data`.

    The format is goreman's: `name: command`, split at the first colon. Raises InputError
    with `where:LINE` for what cannot be run as it is meant.
    """
    text = decode_input(data, where, "Procfile")
    entries: dict[str, Entry] = {}
    warnings: list[str] = []
    lines = text.split("\n")
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, command = line.partition(":")
        place = f"{where}:{number}"
        if not colon:
            warnings.append(f"{place}: no ':' in this line, so it is skipped")
            continue
        if not (name := name.rstrip()):
            warnings.append(f"{place}: no name before the ':', so this line is skipped")
            continue
        name = composed(name)
        entry = Entry(name, command.lstrip(), number)
        _check(entry, entries.get(name), place)
        if _ends_open(entry.command):
            _refuse_continued(entry, lines[number] if number < len(lines) else "", place)
            warnings.append(
                f"{place}: the command of {name} ends with '\\', and here: "
                "an entry of a Procfile is one line"
            )
        if len(entries) == ENTRY_LIMIT:
            raise InputError(f"more than {ENTRY_LIMIT} processes are defined", place)
        entries[name] = entry
    if not entries:
        raise InputError("no process is defined", where, "write one 'name: command' per line")
    return Procfile(where, tuple(entries.values()), tuple(warnings))


def _check(entry: Entry, earlier: Entry | None, place: str) -> None:
    check_name(entry.name, place)
    if earlier is not None:
        raise InputError(
            f"the process {entry.name!r} is defined twice, first in line {earlier.line}",
            place,
            "rename or remove one of them",
        )
    if not entry.command:
        raise InputError(
            f"the process {entry.name!r} has an empty command",
            place,
            "write the command behind the ':', or put a '#' before the line",
        )


def _ends_open(command: str) -> bool:
    """Whether a shell would read the next line as well: an odd number of `\\` stands at the end."""
    return (len(command) - len(command.rstrip("\\"))) % 2 == 1


def _refuse_continued(entry: Entry, following: str, place: str) -> None:
    """Raises InputError where `following` was meant to be the rest of the command."""
    rest = following.strip()
    if not rest or rest.startswith("#"):
        return
    name, colon, _ = rest.partition(":")
    indented = following[0].isspace()
    if indented or not colon or not names_a_process(composed(name.rstrip())):
        raise InputError(
            f"the command of {entry.name!r} goes on in the next line, after '\\'",
            place,
            "an entry of a Procfile is one line, 'name: command', and no line continues another: "
            "write the command in one line, or put it into a script",
        )
