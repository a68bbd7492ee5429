"""What all exports share: the kinds there are, the text, and a member's own etcd options in it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.config.profileflags import BOOTSTRAP_FLAGS, RESERVED_FLAGS
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.spec import ClusterSpec, MemberProcess
from etcd_sandbox.plan.memberoptions import is_composed, options
from etcd_sandbox.plan.ways import way_of

_COMPOSED_ALWAYS = {"logger": "zap", "log-outputs": "stderr"}


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


def own_options(spec: ClusterSpec, process: MemberProcess) -> dict[str, str]:
    """Those that do not make the cluster: what a profile has in `[etcd]` and `flags`."""
    added = {"peer-auto-tls": "true"} if way_of(spec).peer_scheme == "https" else {}
    added |= _COMPOSED_ALWAYS
    return {
        name: value
        for name, value in options(process).items()
        if name not in RESERVED_FLAGS and name not in BOOTSTRAP_FLAGS and added.get(name) != value
    }


def refuse_others_ways(process: MemberProcess, kind: str) -> None:
    """Raises InputError for a Procfile's member that the members' names and ports do not describe."""
    if is_composed(process):
        return
    place = f"{process.name} in the Procfile"
    if found := sorted(BOOTSTRAP_FLAGS & options(process).keys()):
        raise InputError(
            f"its members find each other by --{found[0]}: {kind} cannot take that over",
            place,
            "name the way instead: etcd-sandbox export "
            f"{kind} -n 3 --bootstrap {'dns' if 'srv' in found[0] else 'discovery'}",
        )
    member = process.member
    for url in (member.client_url, member.peer_url):
        if url.scheme != "http":
            raise InputError(
                f"{url or 'a URL that is missing'} is not plain http: {kind} cannot take over its certificates",
                place,
                "export procfile or shell keeps its command as it is",
            )
