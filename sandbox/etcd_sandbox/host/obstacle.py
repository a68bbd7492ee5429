"""What the machine refuses, as one error with its mend: a full disk is no mistake of etcd-sandbox."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.paths import existing_parent, state_home

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The errors of a disk that has no room: what cannot be written now can be later."""

STARVED = (
    b"failed to create new OS thread",
    b"pthread_create failed",
    b"fork: Resource temporarily unavailable",
    b"fork: retry: Resource temporarily unavailable",
)
"""What programs in Go and shells print when they get no further thread or process."""

_OWN_HOME = "set ETCD_SANDBOX_HOME to a directory of your own"

_SENTENCES = {
    errno.ENOSPC: (
        "no space is left on the disk",
        "free some space (df shows it; df -i shows whether files are what has run out), "
        "or set ETCD_SANDBOX_HOME to another disk",
    ),
    errno.EDQUOT: (
        "your quota of the disk is used up",
        "free some space, or set ETCD_SANDBOX_HOME to another disk",
    ),
    errno.EROFS: ("this file system is read-only", "set ETCD_SANDBOX_HOME to one that is not"),
    errno.EIO: (
        "the disk or the terminal failed at reading or writing",
        "the system's log says why",
    ),
    errno.ENFILE: ("this machine may open no more files", "end some programs"),
    errno.ENOMEM: ("no memory is left", "end some programs"),
    errno.ENAMETOOLONG: (
        "this path is too long",
        "use a shorter one; for the state directory set ETCD_SANDBOX_HOME",
    ),
    errno.ENOTDIR: ("a part of this path is a file and no directory", _OWN_HOME),
    errno.ELOOP: ("a part of this path is a symbolic link to itself", _OWN_HOME),
}


def obstacle(error: BaseException) -> SandboxError | None:
    """The error that tells what the machine refused; None where the fault may be our own."""
    if isinstance(error, MemoryError):
        return _told(errno.ENOMEM, "")
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return no_more_processes()
    if not isinstance(error, OSError):
        return None
    path = "" if error.filename is None else os.fsdecode(error.filename)
    if error.errno in (errno.EACCES, errno.EPERM) and path:
        return _forbidden(Path(path))
    if error.errno == errno.EAGAIN:
        return no_more_processes()
    if error.errno == errno.EMFILE:
        return _no_more_files()
    if error.errno == errno.ENOENT and not path and _is_adrift():
        return adrift()
    return _told(error.errno or 0, path) if error.errno in _SENTENCES else None


def no_more_processes() -> SandboxError:
    """The error for a process or thread that could not be had."""
    return SandboxError(
        "the machine gives no more processes and threads",
        hint="ulimit -u shows how many you may have; end some programs, or raise the limit",
    )


def no_room(place: Path, needed: int, what: str, fewer: str) -> SandboxError | None:
    """The error where `needed` bytes `what` is for do not fit on the disk of `place`; None where they do."""
    disk = os.statvfs(place)
    free = disk.f_bavail * disk.f_frsize
    if free >= needed:
        return None
    return SandboxError(
        f"not enough room {what}: {free // 10**6} MB free, {needed // 10**6} MB needed",
        str(place),
        f"free some space, {fewer}, or set ETCD_SANDBOX_HOME to another disk",
    )


def not_writable(place: Path, what: str, mend: str) -> SandboxError | None:
    """The error where `what` cannot be kept at `place`, which need not be there yet; None where it can."""
    there = existing_parent(place)
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return None
    return SandboxError(f"{what} cannot be written", str(place), mend)


def adrift() -> SandboxError:
    """The error for a working directory that was deleted."""
    return SandboxError(
        "the working directory is gone", hint="change to a directory that exists: cd"
    )


def owner_name(uid: int) -> str:
    """`root` for 0; the number where it has no name."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _told(number: int, path: str) -> SandboxError:
    what, mend = _SENTENCES[number]
    # Thousands of letters would hide the sentence.
    return SandboxError(what, path if len(path) <= 300 else f"{path[:150]}…{path[-100:]}", mend)


def _no_more_files() -> SandboxError:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    raised = soft < hard or hard == resource.RLIM_INFINITY
    mend = f"ulimit -n {most}" if raised else f"only root allows more than {most}"
    return SandboxError(f"this process may open no more than {soft} files", hint=mend)


def _forbidden(path: Path) -> SandboxError:
    """Whose it is, and how it becomes ours: after one `sudo`, files of root lie among ours."""
    place, owner = _decisive(path)
    me = os.geteuid()
    if owner is None or owner == me:
        return SandboxError(
            "you may not read or write this",
            str(place),
            f"chmod u+rwX {place}{_or_elsewhere(place)}",
        )
    return SandboxError(
        f"this belongs to {owner_name(owner)}, and you ({owner_name(me)}) may not use it",
        str(place),
        _mend_of_foreign(place, owner, me),
    )


def _decisive(path: Path) -> tuple[Path, int | None]:
    """The part of the path that keeps us out, and its owner as far as it can be seen.

    The first directory on the way that may not be entered; else the file; else what holds it.
    """
    for part in (*reversed(path.absolute().parents), path):
        try:
            found = part.stat()
        except OSError:
            break
        if stat.S_ISDIR(found.st_mode) and part != path and not os.access(part, os.X_OK):
            return part, found.st_uid
    try:
        found = path.stat()
    except OSError:
        with_parents = (parent for parent in path.absolute().parents if parent.exists())
        path = next(with_parents, path)
        return path, path.stat().st_uid if path.exists() else None
    return path, found.st_uid


def _mend_of_foreign(place: Path, owner: int, me: int) -> str:
    """What helps where the place is another user's: only what etcd-sandbox made is taken with `sudo`."""
    home = state_home()
    if place in home.parents:
        return _OWN_HOME
    if place != home and home not in place.parents:
        return f"use one that is yours, or have {owner_name(owner)} allow it"
    if home.stat().st_uid == me:
        ours = home / place.relative_to(home).parts[0]
    elif home.name == "etcd-sandbox":
        ours = home
    else:
        # ETCD_SANDBOX_HOME may be any directory, one of the system's as well.
        return _OWN_HOME
    name = owner_name(me).removeprefix("uid ")
    return f"sudo chown -R {name} {ours} makes it yours; or {_OWN_HOME}"


def _or_elsewhere(place: Path) -> str:
    home = state_home()
    return f"; or {_OWN_HOME}" if place == home or home in place.parents else ""


def _is_adrift() -> bool:
    try:
        Path.cwd()
    except OSError:
        return True
    return False
