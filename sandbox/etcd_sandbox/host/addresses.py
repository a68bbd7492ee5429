"""Addresses of this machine: whether one is free, and who has it."""

from __future__ import annotations

import errno
import socket
from typing import NamedTuple

from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.model.access import LOOPBACK

EVERYWHERE = ("0.0.0.0", "::")


class Holder(NamedTuple):
    """A process that has a port: its name, its pid, and the address that it has the port at."""

    name: str
    pid: int
    address: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def bind_error(
    host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM
) -> OSError | None:
    """Why nobody can listen there now; None where somebody can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            if kind == socket.SOCK_STREAM:
                # Two may be bound with SO_REUSEADDR; of those that listen there is one.
                probe.listen(1)
        except OSError as error:
            return error
    return None


def is_free(port: int) -> bool:
    """Whether nobody has this port of the loopback address."""
    return bind_error(LOOPBACK, port) is None


def why_not_free(host: str, port: int, who: str) -> SandboxError | None:
    """Why `who` cannot listen there, with the holder of a taken port; None where it can."""
    error = bind_error(host, port)
    if error is None:
        return None
    if error.errno != errno.EADDRINUSE:
        return InputError(f"{who} cannot listen on {host}:{port} ({error.strerror})")
    holder = holder_of(port)
    by = f" by {holder}" if holder else ""
    # From 32768 up Linux gives ports to outgoing connections, whose ends linger without a holder.
    mend = f"end it with: kill {holder.pid}; or" if holder else "try again in a minute, or"
    return SandboxError(
        f"port {port} of {who} is taken{by}",
        f"{host}:{port}",
        f"{mend} start on other ports with --base-port auto",
    )


def holder_of(port: int, address: str | None = None) -> Holder | None:
    """Who has the port, those that listen first; None where that cannot be seen.

    With `address` only who has the port there, or everywhere.
    """
    import psutil

    places = None if address is None else (address, *EVERYWHERE)
    try:
        connections = psutil.net_connections("inet")
        for connection in sorted(connections, key=lambda each: each.status != psutil.CONN_LISTEN):
            at = connection.laddr
            if at and at.port == port and connection.pid and (places is None or at.ip in places):
                return Holder(psutil.Process(connection.pid).name(), connection.pid, at.ip)
    except (psutil.Error, OSError):
        return None
    return None
