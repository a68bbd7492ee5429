"""What a machine must allow so that members can be found by DNS: a judgement over what was looked at."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

IN_A_CONTAINER = (
    "docker run -it --rm --privileged python:3.13 sh -c "
    "\"pip install 'etcd-sandbox[etcd]' && etcd-sandbox up -n 3 --bootstrap dns\""
)
"""A machine within the machine, in which all of it is allowed."""

PORT = 53
"""A resolver is asked at this port: /etc/resolv.conf cannot name another."""


class Facts(Struct, frozen=True, kw_only=True):
    """What was looked at. `system` is `Linux` or another's name; `root` is the user with uid 0.

    `missing` are programs that are not on PATH. `mount` is what the system said when a file was
    to be mounted over /etc/resolv.conf in a namespace of its own; None: it could be. `bind` is
    the name of the error (`EACCES`) that a server at `address` would meet; empty: none.
    `holder` has the address, where somebody has, and `everywhere` says that it has all addresses.
    `resolver`: there is a /etc/resolv.conf. `first_free_port`: from which port on everybody may
    serve, None where that is not known.
    """

    system: str
    root: bool
    missing: Sequence[str]
    mount: str | None
    address: str
    bind: str
    holder: str = ""
    holder_pid: int | None = None
    everywhere: bool = False
    resolver: bool = True
    first_free_port: int | None = None


class Lack(Struct, frozen=True):
    """One thing that is in the way, and how to mend it."""

    what: str
    mend: str


def lacks(facts: Facts, *, resolver_given: bool = False) -> tuple[Lack, ...]:
    """What is in the way; where members are given a resolver of their own, none need be mounted."""
    if facts.system != "Linux":
        lack = Lack(
            f"{facts.system} cannot give a process a resolver of its own, as Linux can",
            f"run it in a container of Linux: {IN_A_CONTAINER}",
        )
        return (lack,)
    found = (None if resolver_given else _mount(facts), _port(facts))
    return tuple(lack for lack in found if lack is not None)


def _mount(facts: Facts) -> Lack | None:
    if facts.missing:
        return Lack(
            f"{' and '.join(facts.missing)} cannot be found, which members get their resolver with",
            "install your system's package util-linux",
        )
    if not facts.resolver:
        return Lack(
            "there is no /etc/resolv.conf that members could have their own of",
            "make one, which may be empty: touch /etc/resolv.conf (a link must lead to a file)",
        )
    if facts.mount is None:
        return None
    if facts.root:
        return Lack(
            f"root may not mount anything here, as in most containers ({facts.mount})",
            f"start the container with --privileged: {IN_A_CONTAINER}",
        )
    engine = "" if facts.bind else ", or add --runtime docker: engines mount such a file themselves"
    return Lack(
        f"user namespaces are not allowed, and you are not root ({facts.mount})",
        f"run it as root{engine}, or in a container: {IN_A_CONTAINER}",
    )


def _port(facts: Facts) -> Lack | None:
    place = f"{facts.address}:{PORT}"
    match facts.bind:
        case "":
            return None
        case "EACCES" | "EPERM":
            first = facts.first_free_port
            rule = f": only ports from {first} on are for everybody" if first else ""
            return Lack(
                f"the DNS server may not listen on {place}{rule}",
                f"run it as root, or allow it with: sudo sysctl "
                f"net.ipv4.ip_unprivileged_port_start={PORT}, or use a container: "
                f"{IN_A_CONTAINER}",
            )
        case "EADDRINUSE":
            by = f" by {facts.holder} (pid {facts.holder_pid})" if facts.holder else ""
            end = f"end it with: kill {facts.holder_pid}; or " if facts.holder else ""
            other = "take another address with --base-port auto: the first port makes it"
            if facts.everywhere:
                by, other = f"{by}, as at every address,", f"use a container: {IN_A_CONTAINER}"
            return Lack(
                f"port {PORT} of the DNS server is taken{by} at {facts.address}", end + other
            )
        case error:
            return Lack(
                f"the DNS server cannot listen on {place} ({error})",
                f"use a container: {IN_A_CONTAINER}",
            )
