"""What makes a running cluster reachable: its directory, its lock, its socket. Without them nobody can end it."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from etcd_sandbox.paths import ClusterPaths

LOOKED_AT_EVERY_S = 1.0


class Loss(Struct, frozen=True):
    """What is gone, in words, and whether the directory is still this cluster's own."""

    what: str
    has_directory: bool


class Ground:
    """The directory, the lock and the socket as they are now; `loss` looks whether they still are."""

    def __init__(self, paths: ClusterPaths) -> None:
        places = {
            "the state directory": paths.root,
            "the lock": paths.lock,
            "the control socket": paths.socket,
        }
        self._kept = [(what, place, _identity(place)) for what, place in places.items()]
        self._socket = paths.socket

    def loss(self) -> Loss | None:
        """The first of them that is gone, or is another one by now."""
        for what, place, kept in self._kept:
            found = _identity(place)
            if found is not None and found == kept:
                continue
            verb = "is gone" if found is None else "is another one by now"
            return Loss(f"{what} {verb}: {place}", has_directory=place == self._socket)
        return None


def _identity(place: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(place, follow_symlinks=True)  # noqa: PTH116 - as Path.stat, but said
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
