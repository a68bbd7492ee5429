"""Checks the names in a plan: each must mean one process, and those asked for must exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etcd_sandbox.errors import InputError, did_you_mean
from etcd_sandbox.model.selector import composed
from etcd_sandbox.model.spec import ProcessSpec, members_of


def check_distinct(processes: Sequence[ProcessSpec], places: Mapping[str, str]) -> None:
    """Raises InputError when one name would mean two processes.

    `places` is where each process is defined, by process name.
    """
    by_process: dict[str, ProcessSpec] = {}
    for process in processes:
        if (first := by_process.setdefault(process.name, process)) is not process:
            service = first.service or process.service
            raise InputError(
                f"{process.name!r} is what the sandbox's own {service} service is called"
                if service
                else f"two processes would be called {process.name!r}",
                places.get(process.name, ""),
                "choose another name" if service else "rename one of them",
            )
    by_member: dict[str, ProcessSpec] = {}
    for process in members_of(processes):
        name, place = process.member.name, places.get(process.name, "")
        if (other := by_member.get(name)) is not None:
            raise InputError(
                f"{other.name!r} and {process.name!r} start members of one name, {name!r}",
                " and ".join(filter(None, (places.get(other.name, ""), place))),
                "give each member its own --name",
            )
        by_member[name] = process
        if (other := by_process.get(name)) is not None and other is not process:
            raise InputError(
                f"{name!r} is the process {other.name!r} and the member that {process.name!r} starts",
                " and ".join(filter(None, (places.get(other.name, ""), place))),
                "rename one of them",
            )


def resolve_wanted(words: Sequence[str], processes: Sequence[ProcessSpec]) -> tuple[str, ...]:
    """The process names that `words`, process or member names, mean; empty for none given.

    Raises InputError for a word that is neither.
    """
    by_name = {
        composed(process.member.name): process.name for process in processes if process.member
    }
    by_name |= {process.name: process.name for process in processes}
    words = [composed(word) for word in words]
    for word in words:
        if word not in by_name:
            raise InputError(
                f"no process and no member is called {word!r}",
                hint=did_you_mean(word, by_name, "there are"),
            )
    chosen = {by_name[word] for word in words}
    return tuple(process.name for process in processes if process.name in chosen)
