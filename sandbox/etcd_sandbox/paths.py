"""Where everything lives: the state directory of each cluster, its socket, downloads."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from etcd_sandbox.errors import InputError

SOCKET_PATH_LIMIT = 100
"""Bytes. `sun_path` holds 104 on macOS and 108 on Linux, the closing zero included."""

_CLUSTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


def state_home() -> Path:
    """The directory that holds one directory per cluster.

    `$ETCD_SANDBOX_HOME`, else `$XDG_STATE_HOME/etcd-sandbox`, else the platform's
    equivalent (`~/.local/state/etcd-sandbox` on Linux).
    """
    if home := os.environ.get("ETCD_SANDBOX_HOME"):
        return Path(home) if Path(home).is_absolute() else working_directory() / home
    if xdg := os.environ.get("XDG_STATE_HOME"):
        return Path(xdg) / "etcd-sandbox"
    if sys.platform == "linux":
        # The same answer as platformdirs gives, without 30 ms of imports in every command.
        return Path.home() / ".local" / "state" / "etcd-sandbox"
    import platformdirs

    return platformdirs.user_state_path("etcd-sandbox", appauthor=False)


def working_directory() -> Path:
    """The directory that the caller is in; InputError when it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise InputError(
            "the working directory is gone", hint="change to a directory that exists"
        ) from error


def is_there(path: Path) -> bool:
    """Whether there is such a file. Raises OSError where that may not be seen."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def download_home() -> Path:
    """The directory that holds downloaded etcd releases, one directory per version."""
    import platformdirs

    return platformdirs.user_data_path("etcd-sandbox", appauthor=False) / "etcd"


def cache_home() -> Path:
    """The directory for what can be learnt again."""
    if sys.platform == "linux":
        # As platformdirs answers (see `state_home`).
        given = os.environ.get("XDG_CACHE_HOME", "").strip()
        return (Path(given) if given else Path.home() / ".cache") / "etcd-sandbox"
    import platformdirs

    return platformdirs.user_cache_path("etcd-sandbox", appauthor=False)


def existing_parent(path: Path) -> Path:
    """The path itself where there is something, else the nearest directory above that is there."""
    while not path.exists():
        path = path.parent
    return path


def private_runtime_dir(longest: int = sys.maxsize) -> Path:
    """A directory that only this user can enter, made if missing; in `/tmp` where `$TMPDIR` has more bytes than `longest`.

    Raises InputError when somebody else owns it.
    """
    import tempfile

    directory = Path(tempfile.gettempdir()) / f"etcd-sandbox-{os.getuid()}"
    if len(os.fsencode(directory)) > longest:
        directory = Path("/tmp") / directory.name
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        owner = directory.stat()
    except OSError as error:
        raise InputError(
            f"cannot use the directory for sockets and locks ({error.strerror})",
            str(directory),
            "set TMPDIR to a directory that you can write",
        ) from error
    if owner.st_uid != os.getuid() or owner.st_mode & 0o077:
        raise InputError(
            "the directory for sockets and locks can be entered by others",
            str(directory),
            f"remove it, or set TMPDIR: it must belong to uid {os.getuid()} with mode 0700",
        )
    return directory


class ClusterPaths(NamedTuple):
    """The files of one cluster. Making the value touches nothing on disk."""

    name: str
    root: Path

    @property
    def plan(self) -> Path:
        return self.root / "cluster.json"

    @property
    def left_off(self) -> Path:
        return self.root / "leftoff.json"

    @property
    def supervisor(self) -> Path:
        return self.root / "supervisor.json"

    @property
    def lock(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def supervisor_log(self) -> Path:
        return self.root / "supervisor.log"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def socket(self) -> Path:
        """`control.sock`; a short path elsewhere, which that is a link to, where the platform could not bind it."""
        path = self.root / "control.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
            return path
        try:
            # Where the supervisor has put it: it may have had another TMPDIR.
            return path.readlink()
        except OSError:
            return self._elsewhere()

    def place_socket(self) -> Path:
        """Where the supervisor is to bind its socket; a link there is made if the path is another one."""
        link = self.root / "control.sock"
        if len(os.fsencode(link)) <= SOCKET_PATH_LIMIT:
            return link
        path = self._elsewhere()
        link.unlink(missing_ok=True)
        link.symlink_to(path)
        return path

    def remove_socket(self) -> None:
        """Remove the socket, and the link to it."""
        self.socket.unlink(missing_ok=True)
        (self.root / "control.sock").unlink(missing_ok=True)

    def _elsewhere(self) -> Path:
        import hashlib

        name = f"{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]}.sock"
        return private_runtime_dir(SOCKET_PATH_LIMIT - len(name) - 1) / name


def cluster_paths(name: str) -> ClusterPaths:
    """The files of the cluster `name`; InputError when the name cannot be a directory's."""
    if not _CLUSTER_NAME.match(name):
        raise InputError(
            f"{name!r} cannot be a cluster's name",
            hint="use letters, digits, '.', '_' and '-', at most 63 of them, the first a letter or digit",
        )
    return ClusterPaths(name, state_home() / name)


def known_clusters() -> list[ClusterPaths]:
    """The clusters that have a directory here, running or not, by name."""
    home = state_home()
    try:
        names = sorted(entry.name for entry in home.iterdir() if entry.is_dir())
    except FileNotFoundError:
        return []
    return [ClusterPaths(name, home / name) for name in names if _CLUSTER_NAME.match(name)]
