"""The lock of one cluster: whoever starts it, runs it, clears up after it, or deletes it holds it; by it they are found.

It is a lock on a file in the cluster's directory, held by descriptors that processes hand on to
each other. The file goes with the directory; a lock on a file that is gone is worth nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.host.obstacle import obstacle
from etcd_sandbox.paths import ClusterPaths

if TYPE_CHECKING:
    import psutil


PATIENCE_S = 1.0
"""Who only looks whether a cluster runs holds its lock for an instant; that is not running."""

PURGED_WITHIN_S = 30.0
"""How long whoever starts a cluster waits for one who deletes it."""

_PURGING = b"purging\n"


def take_lock(paths: ClusterPaths, patience_s: float = PATIENCE_S) -> int | None:
    """A descriptor that holds the lock, or None when somebody else holds it.

    Raises FileNotFoundError where the cluster has no directory.
    """
    deadline = time.monotonic() + patience_s
    while True:
        fd = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            if time.monotonic() > deadline:
                return None
            time.sleep(0.005)
        else:
            if _is_there(fd, paths):
                return fd
            os.close(fd)


def lock_to_start(paths: ClusterPaths) -> int | None:
    """As `take_lock`, for who starts the cluster: the directory is made, and a purge waited for."""
    deadline = time.monotonic() + PURGED_WITHIN_S
    while True:
        try:
            paths.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = take_lock(paths)
        except (FileExistsError, FileNotFoundError):
            # A purge removed the directory meanwhile, unless something else has its name.
            is_other = os.path.lexists(paths.root) and not paths.root.is_dir()
            if is_other or time.monotonic() > deadline:
                raise
            continue
        if fd is not None:
            os.ftruncate(fd, 0)
            return fd
        if time.monotonic() > deadline or not _is_purged(paths):
            return None


def is_running(paths: ClusterPaths) -> bool:
    """Whether a guard or a supervisor of this cluster lives: one of them holds the lock.

    Raises SandboxError where that may not be known.
    """
    try:
        with paths.lock.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise obstacle(error) or error from error
    return False


def purge(paths: ClusterPaths) -> None:
    """Delete the directory of a cluster that does not run, whoever starts it meanwhile.

    Raises SandboxError where somebody has started it, and for what cannot be deleted.
    """
    try:
        lock = take_lock(paths)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _not_deleted(error, paths) from error
    if lock is None:
        raise SandboxError(
            f"cluster {paths.name!r} was started by another command meanwhile, and is left alone",
            hint="etcd-sandbox status shows it; etcd-sandbox down --purge ends it, too",
        )
    import shutil

    try:
        os.pwrite(lock, _PURGING, 0)
        for entry in paths.root.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != paths.lock:
                entry.unlink()
        paths.lock.unlink()
        with contextlib.suppress(OSError):  # who has waited for the lock may begin anew already
            paths.root.rmdir()
    except OSError as error:
        raise _not_deleted(error, paths) from error
    finally:
        os.close(lock)


def _is_there(fd: int, paths: ClusterPaths) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), paths.lock.stat())
    except FileNotFoundError:
        return False


def _is_purged(paths: ClusterPaths) -> bool:
    try:
        return paths.lock.read_bytes() == _PURGING
    except FileNotFoundError:
        return True


def _not_deleted(error: OSError, paths: ClusterPaths) -> SandboxError:
    return obstacle(error) or SandboxError(
        f"not everything could be deleted ({error.strerror})", str(error.filename or paths.root)
    )


GONE_WITHIN_S = 10.0

_DAEMONS = {"etcd_sandbox.daemon", "sandbox.daemon"}
"""How a supervisor is executed; the second name is that of versions before the package was renamed."""


def holders(paths: ClusterPaths) -> list[int]:
    """The pids of a cluster's guard and supervisor, which hold its lock."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _DAEMONS & set(process.cmdline()) and _holds(process, paths.lock):
                found.append(process.pid)
    return found


def end_holders(paths: ClusterPaths) -> None:
    """Kill them, and return when the lock is free; what the supervisor ran is left to the sweep."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while is_running(paths):
        for pid in holders(paths):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimedOut(
                f"cluster {paths.name!r} could not be ended within {GONE_WITHIN_S:g} s",
                str(paths.lock),
                "what holds that file is no process of it that can be found",
            )
        time.sleep(0.02)


def mute(paths: ClusterPaths) -> TimedOut:
    """The error for a cluster that runs and does not answer."""
    pids = ", ".join(map(str, holders(paths)))
    return TimedOut(
        f"cluster {paths.name!r} runs, but its supervisor does not answer"
        + (f" (pid {pids})" if pids else ""),
        hint="it starts or ends, or somebody has stopped it; "
        f"etcd-sandbox -c {paths.name} down --kill ends it",
    )


def _holds(process: psutil.Process, file: Path) -> bool:
    return any(held.path == os.path.realpath(file) for held in process.open_files())


LOOKED_AT_EVERY_S = 1.0


class Loss(NamedTuple):
    """What is gone, in words, and whether the directory is still this cluster's own."""

    what: str
    has_directory: bool


class Ground:
    """What makes a running cluster reachable: its directory, its lock, its socket. Without them nobody can end it.

    `loss` looks whether they are what they were when this was made.
    """

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
