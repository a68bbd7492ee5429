"""How many files may be open: the supervisor takes what it can get, its children have what they would have had."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.spec import ProcessSpec

OF_THE_SUPERVISOR = 64
PER_PROCESS = 4
"""A pipe, a log file, what watches the process, and one to spare."""

PER_MEMBER = 4
"""Its link, and questions to it."""

_LARGEST_ON_MACOS = 10_240
"""OPEN_MAX: macOS refuses more, also where it says that there is no limit."""

_before: tuple[int, int] | None = None


def take_all() -> None:
    """Raise the soft limit to the hard one; of shells it is 256 on macOS, and 1,024 on Linux."""
    global _before
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return
    for most in (hard, _LARGEST_ON_MACOS):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (ValueError, OSError):
            continue
        _before = (soft, hard)
        return


def give_back(pid: int) -> None:
    """Have a child live under the limit that the caller had set (Linux): a test of it may be meant."""
    if _before is not None and sys.platform == "linux":
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, _before)
        except (OSError, ValueError):
            return  # it has ended already, or is another user's by now


def check(wanted: Sequence[ProcessSpec]) -> None:
    """Raise SandboxError where so many processes cannot be watched under the limit that there is."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    needed = files_needed(wanted)
    if limit == resource.RLIM_INFINITY or needed <= limit:
        return
    raise SandboxError(
        f"{_processes_need(len(wanted))} up to {needed} open files, and no more than {limit} are allowed",
        hint=f"ulimit -n {needed} allows them, where the hard limit does (ulimit -Hn); or start fewer",
    )


def files_needed(wanted: Sequence[ProcessSpec]) -> int:
    """How many files the supervisor of these processes may have open at once."""
    members = sum(process.member is not None for process in wanted)
    return OF_THE_SUPERVISOR + PER_PROCESS * len(wanted) + PER_MEMBER * members


def _processes_need(count: int) -> str:
    return "1 process needs" if count == 1 else f"{count} processes need"
