"""Where a member of a Procfile is asked from this machine: at an address that it listens on, if need be."""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from etcd_sandbox.model.access import SOCKET_SCHEMES

_ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


def reached_at(advertised: Sequence[str], listening: Sequence[str], cwd: str) -> str:
    """The URL by which clients on this machine reach a member; empty where there is none.

    What a member advertises may be the name or the address of another machine, or of none: it
    is used only where it leads here. Sockets' files have their absolute paths, which etcd reads
    as relative to `cwd`. A name is never looked up: that may take seconds, and lead elsewhere.
    """
    listens = [(url, parts) for url in listening if (parts := _split(url)) is not None]
    by_network = [parts for _, parts in listens if parts.scheme not in SOCKET_SCHEMES]
    for url in advertised:
        parts = _split(url)
        if parts is None:
            continue
        if parts.scheme in SOCKET_SCHEMES:
            if any(_same_socket(parts, each) for _, each in listens):
                return _socket(parts, cwd)
        elif by_network and _leads_here(url, parts, listening, by_network):
            return url
    # Every client speaks HTTP; a socket's file has its limits.
    for _, parts in sorted(listens, key=lambda each: each[1].scheme in SOCKET_SCHEMES):
        return _socket(parts, cwd) if parts.scheme in SOCKET_SCHEMES else _dialled(parts)
    return advertised[0] if advertised else ""


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port if parts.scheme not in SOCKET_SCHEMES else None
    except ValueError:
        return None
    return parts


def _host(parts: SplitResult) -> str:
    return parts.hostname or ""


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _leads_here(
    url: str, advertised: SplitResult, listening: Sequence[str], by_network: Sequence[SplitResult]
) -> bool:
    """Whether a URL leads to the member from here. Another port of this machine may be a proxy's before it."""
    if not _is_here(_host(advertised)):
        return url in listening and _host(advertised) not in _ANYWHERE
    same_port = [parts for parts in by_network if parts.port == advertised.port]
    return not same_port or any(
        _host(parts) in _ANYWHERE or _is_here(_host(parts)) for parts in same_port
    )


def _same_socket(one: SplitResult, other: SplitResult) -> bool:
    return one.scheme == other.scheme and _path(one) == _path(other)


def _path(parts: SplitResult) -> str:
    # etcd takes what stands where a URL has its host for a part of the path.
    return posixpath.normpath(parts.netloc + parts.path)


def _socket(parts: SplitResult, cwd: str) -> str:
    return f"{parts.scheme}://{posixpath.join(cwd, _path(parts))}"


def _dialled(parts: SplitResult) -> str:
    host = _host(parts)
    if host not in _ANYWHERE:
        return parts.geturl()
    here = _ANYWHERE[host]
    shown = f"[{here}]" if ":" in here else here
    port = f":{parts.port}" if parts.port is not None else ""
    return parts._replace(netloc=f"{shown}{port}").geturl()
