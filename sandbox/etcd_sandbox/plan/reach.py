"""Where a member of a Procfile is asked from this machine: at an address that it listens on, if need be."""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Sequence

from etcd_sandbox.model.access import LOOPBACK, Address

_ANYWHERE = {"": LOOPBACK, "0.0.0.0": LOOPBACK, "::": "::1"}


def reached_at(advertised: Sequence[Address], listening: Sequence[Address], cwd: str) -> Address:
    """The URL by which clients on this machine reach a member; empty where there is none.

    What a member advertises may be the name or the address of another machine, or of none: it
    is used only where it leads here. Sockets' files have their absolute paths, which etcd reads
    as relative to `cwd`. A name is never looked up: that may take seconds, and lead elsewhere.
    """
    listens = [url for url in listening if url.scheme]
    for url in advertised:
        if url.is_socket:
            if any((url.scheme, url.path) == (each.scheme, each.path) for each in listens):
                return _socket(url, cwd)
        elif url.scheme and _leads_here(url, [each for each in listens if not each.is_socket]):
            return url
    # Every client speaks HTTP; a socket's file has its limits.
    for url in sorted(listens, key=lambda each: each.is_socket):
        if url.is_socket:
            return _socket(url, cwd)
        return url.at(_ANYWHERE[url.host]) if url.host in _ANYWHERE else url
    return advertised[0] if advertised else Address("")


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _leads_here(url: Address, listening: Sequence[Address]) -> bool:
    """Whether a URL leads to the member from here. Another port of this machine may be a proxy's before it."""
    if not _is_here(url.host):
        return url in listening and url.host not in _ANYWHERE
    same_port = [each for each in listening if each.port == url.port]
    return bool(listening) and (
        not same_port or any(each.host in _ANYWHERE or _is_here(each.host) for each in same_port)
    )


def _socket(url: Address, cwd: str) -> Address:
    return Address(f"{url.scheme}://{posixpath.join(cwd, url.path)}")
