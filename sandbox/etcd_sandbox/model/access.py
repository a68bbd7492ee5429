"""How members are reached: their URLs, those of etcd's Unix sockets, too, and the user to ask them as."""

from __future__ import annotations

from typing import NamedTuple

from etcd_sandbox.errors import InputError

LOOPBACK = "127.0.0.1"

SOCKET_SCHEMES = ("unix", "unixs")
"""etcd's schemes for a Unix socket, plain and with TLS; what follows `://` is the file's path."""

SECURE_SCHEMES = ("https", "unixs")

USER_VARIABLE = "ETCD_SANDBOX_USER"
"""The variable with the user as whom the supervisor is to ask the members."""

WANTS_USER = "answers, but wants a user (authentication is on)"
"""What is said of a member that tells a stranger nothing."""


def address_of(url: str) -> tuple[str, int] | None:
    """Host and port of a URL that somebody listens on; None for what is no TCP address."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or host is None or port is None:
        return None
    return (LOOPBACK if host == "localhost" else host), port


class Credentials(NamedTuple):
    """The name and the password of a user of etcd."""

    name: str
    password: str

    @classmethod
    def parse(cls, text: str, where: str = "") -> Credentials:
        """`NAME:PASSWORD`, as etcdctl's --user has it. Raises InputError for anything else."""
        name, colon, password = text.partition(":")
        if not (name and colon and password):
            raise InputError(
                "a user of etcd is given as NAME:PASSWORD", where, hint="for example root:secret"
            )
        return cls(name, password)

    def __str__(self) -> str:
        return f"{self.name}:{self.password}"
