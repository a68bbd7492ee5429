"""The URLs of members: those of etcd's Unix sockets, too."""

from __future__ import annotations

from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"

SOCKET_SCHEMES = ("unix", "unixs")
"""etcd's schemes for a Unix socket, plain and with TLS; what follows `://` is the file's path."""

SECURE_SCHEMES = ("https", "unixs")


def address_of(url: str) -> tuple[str, int] | None:
    """Host and port of a URL that somebody listens on; None for what is no TCP address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or host is None or port is None:
        return None
    return (LOOPBACK if host == "localhost" else host), port
