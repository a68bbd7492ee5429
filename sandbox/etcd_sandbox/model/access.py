"""How members are reached: their URLs, those of etcd's Unix sockets, too, and the user to ask them as."""

from __future__ import annotations

import posixpath
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from etcd_sandbox.errors import InputError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

LOOPBACK = "127.0.0.1"

SOCKET_SCHEMES = ("unix", "unixs")
"""etcd's schemes for a Unix socket, plain and with TLS; what follows `://` is the file's path."""

SECURE_SCHEMES = ("https", "unixs")

USER_VARIABLE = "ETCD_SANDBOX_USER"
"""The variable with the user as whom the supervisor is to ask the members."""

WANTS_USER = "answers, but wants a user (authentication is on)"
"""What is said of a member that tells a stranger nothing."""


class Address(str):
    """A URL of etcd's: the text, and what it is made of. A text that is no URL has no host and no port."""

    __slots__ = ()

    @classmethod
    def here(cls, port: int, scheme: str = "http", host: str = LOOPBACK) -> Address:
        """That port of this machine, or of another `host`."""
        return cls(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")

    @property
    def scheme(self) -> str:
        """`http`, `https`, or one of SOCKET_SCHEMES."""
        return _parts(self).scheme

    @property
    def host(self) -> str:
        """The name or the IP address, without brackets; empty for a socket."""
        return "" if self.is_socket else _parts(self).hostname or ""

    @property
    def port(self) -> int | None:
        """The port; None where the URL names none that there is."""
        # The name of a socket's file may look like a port: unix://localhost:m1.
        with suppress(ValueError):
            return None if self.is_socket else _parts(self).port
        return None

    @property
    def netloc(self) -> str:
        """Host and port as they are written."""
        return _parts(self).netloc

    @property
    def path(self) -> str:
        """The file of a socket: etcd takes what stands where a URL has its host for a part of it."""
        return posixpath.normpath(_parts(self).netloc + _parts(self).path)

    @property
    def is_socket(self) -> bool:
        """Whether it is a Unix socket's."""
        return self.scheme in SOCKET_SCHEMES

    @property
    def is_secure(self) -> bool:
        """Whether TLS is spoken there."""
        return self.scheme in SECURE_SCHEMES

    @property
    def bound(self) -> tuple[str, int] | None:
        """Host and port that somebody listens on; None for what is no TCP address."""
        if self.scheme not in ("http", "https") or not self.host or self.port is None:
            return None
        return LOOPBACK if self.host == "localhost" else self.host, self.port

    def at(self, host: str) -> Address:
        """The same port of another host."""
        shown = f"[{host}]" if ":" in host else host
        port = "" if self.port is None else f":{self.port}"
        return Address(_parts(self)._replace(netloc=f"{shown}{port}").geturl())

    def moved(self, by: int) -> Address:
        """The same host with a port that is so much higher. The address must have one."""
        parts = _parts(self)
        host, _, port = parts.netloc.rpartition(":")
        return Address(parts._replace(netloc=f"{host}:{int(port) + by}").geturl())


@lru_cache(1024)
def _parts(url: str) -> SplitResult:
    from urllib.parse import urlsplit

    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def as_text(value: object) -> str:
    """msgspec's hook for writing: an address is text in JSON."""
    if isinstance(value, Address):
        return str(value)
    raise NotImplementedError(type(value))


def as_value(kind: type, given: object) -> object:
    """msgspec's hook for reading what `as_text` wrote."""
    if kind is not Address:
        raise NotImplementedError(kind)
    if not isinstance(given, str):
        raise ValueError("an address is text")
    return Address(given)


InitialCluster = dict[str, tuple[Address, ...]]
"""Members by name, each with its peer URLs."""


def as_pairs(cluster: InitialCluster) -> tuple[str, ...]:
    """`infra1=http://127.0.0.1:12380` for each peer URL: what etcd has between commas."""
    return tuple(f"{name}={url}" for name, urls in cluster.items() for url in urls)


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
