"""The URLs of members: those of etcd's Unix sockets, too."""

from __future__ import annotations

SOCKET_SCHEMES = ("unix", "unixs")
"""etcd's schemes for a Unix socket, plain and with TLS; what follows `://` is the file's path."""

SECURE_SCHEMES = ("https", "unixs")
