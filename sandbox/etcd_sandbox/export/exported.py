"""What an export is: the kinds that there are, the text, and what that text cannot say."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.errors import InputError
from etcd_sandbox.model.spec import ClusterSpec


class Kind(StrEnum):
    """What a cluster can be exported as."""

    PROCFILE = "procfile"
    PROFILE = "profile"
    COMPOSE = "compose"
    DNSMASQ = "dnsmasq"
    SHELL = "shell"


class Exported(Struct, frozen=True, kw_only=True):
    """`text` is the file's whole content; `notes` are what it says otherwise or not at all."""

    text: str
    notes: tuple[str, ...] = ()


def heading(spec: ClusterSpec, kind: Kind, *more: str) -> str:
    """The comment on top: where the text came from, and `more` lines; each starts with '#'."""
    names = ", ".join(process.name for process in spec.processes)
    lines = [
        f"Cluster {spec.name!r} as etcd-sandbox export {kind} gives it: {names}",
        *more,
    ]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def require_members(spec: ClusterSpec, kind: Kind) -> None:
    """Raises InputError for a cluster without an etcd member, which `kind` cannot be about."""
    if not spec.members:
        raise InputError(
            f"cluster {spec.name!r} has no etcd member to export as {kind}",
            spec.source.path,
            f"etcd-sandbox export {Kind.PROCFILE} prints any processes",
        )
