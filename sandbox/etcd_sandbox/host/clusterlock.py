"""The lock of one cluster: whoever starts it, runs it, clears up after it, or deletes it holds it.

It is a lock on a file in the cluster's directory, held by descriptors that processes hand on to
each other. The file goes with the directory; a lock on a file that is gone is worth nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.obstacle import obstacle
from etcd_sandbox.paths import ClusterPaths

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
        paths.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            fd = take_lock(paths)
        except FileNotFoundError:
            if time.monotonic() > deadline:
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
