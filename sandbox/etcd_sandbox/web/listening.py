"""Where the dashboard in the browser listens, and the address that goes into its URL."""

from __future__ import annotations

import contextlib
import errno
import socket
from ipaddress import ip_address

from msgspec import Struct

from etcd_sandbox.errors import InputError

LOOPBACK = "127.0.0.1"
USUAL_PORT = 8379
"""Taken when no port is named and it is free: the same every time suits `ssh -L`."""


class Listening(Struct, frozen=True):
    """A listening socket. `address` is where it is bound, `shown` who to ask for it in a URL."""

    socket: socket.socket
    address: str
    port: int
    shown: str
    names: frozenset[str]
    """The host names by which it may be asked for."""

    @property
    def beyond_this_machine(self) -> bool:
        """Whether other machines may reach it."""
        return not ip_address(self.address).is_loopback


def listen(bind: str | None, port: int | None) -> Listening:
    """Listen on `bind` (an address or a name; None: 127.0.0.1 only).

    `port` 0 is any free one, None the usual one or, where that is taken, any free one. Raises
    InputError for an address that is not this machine's and a port that cannot be had.
    """
    asked = bind or LOOPBACK
    family, address = _resolved(asked)
    try:
        listener = _bound(family, address, USUAL_PORT if port is None else port)
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            raise _cannot(asked, port, error) from error
        listener = _bound(family, address, 0)
    names = {"localhost"}
    if bind is not None:
        own = socket.gethostname().lower()
        names |= {bind.lower(), own, f"{own}.local"}
    return Listening(
        listener, address, listener.getsockname()[1], _shown(asked, address), frozenset(names)
    )


def _resolved(asked: str) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(asked.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InputError(
            f"{asked!r} is not an address of this machine",
            "--bind",
            "name an address, such as 0.0.0.0 for all of this machine's",
        ) from error
    family, _, _, _, place = found[0]
    return family, str(place[0])


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    return socket.create_server((address, port), family=family, backlog=128)


def _cannot(asked: str, port: int | None, error: OSError) -> InputError:
    place = f"{asked}:{USUAL_PORT if port is None else port}"
    if error.errno == errno.EADDRINUSE:
        return InputError("the port is taken", place, "--port auto takes a free one")
    if error.errno == errno.EADDRNOTAVAIL:
        return InputError(
            "that is not an address of this machine", place, "--bind 0.0.0.0 means all of them"
        )
    return InputError(
        f"cannot listen there ({error.strerror})", place, "--port auto takes a free one"
    )


def _shown(asked: str, address: str) -> str:
    """What stands for the host in a URL: for all addresses, the one that is seen from outside."""
    host = asked.strip("[]")
    if ip_address(address).is_unspecified:
        host = _outward(address)
    return f"[{host}]" if ":" in host else host


def _outward(unspecified: str) -> str:
    six = ":" in unspecified
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as probe,
    ):
        # Sends nothing; the addresses are those that documentation may use (RFC 5737, RFC 3849).
        probe.connect(("2001:db8::1" if six else "192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return "::1" if six else LOOPBACK
