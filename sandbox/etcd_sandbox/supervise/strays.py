"""What no signal to a process comes to: what it leaves running, in its group or outside of it; another user's processes.

What a process leaves running is known by the marks in the environment that they inherit.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.obstacle import owner_name
from etcd_sandbox.supervise.ledger import MARK

if TYPE_CHECKING:
    import psutil


PROCESS_MARK = "SANDBOX_PROCESS"
"""Beside `MARK`: which process of the cluster it was."""

_SHOWN = 60


def left_by(process: str, run: str) -> list[psutil.Process]:
    """The live descendants of a process of this run that its end has made orphans.

    Reads the process table: not for the event loop.
    """
    import psutil

    found = []
    for each in _orphans():
        with contextlib.suppress(psutil.Error, OSError):
            if each.pid == os.getpid() or each.status() == psutil.STATUS_ZOMBIE:
                continue
            marks = each.environ()
            if marks.get(MARK) == run and marks.get(PROCESS_MARK) == process:
                found.append(each)
    return found


def in_group(processes: Iterable[psutil.Process], group: int) -> list[psutil.Process]:
    """Those of them that are in this process group."""
    return [each for each in processes if _group(each.pid) == group]


def words(processes: Iterable[psutil.Process]) -> list[str]:
    """Each as its command with its pid: `sleep 1000 (pid 12)`."""
    import psutil

    shown = []
    for each in processes:
        with contextlib.suppress(psutil.Error):
            command = " ".join(each.cmdline()) or each.name()
            cut = command if len(command) <= _SHOWN else command[: _SHOWN - 1] + "…"
            shown.append(f"{cut} (pid {each.pid})")
    return shown


def signal_group(process: psutil.Process, number: int) -> None:
    """Signal the process and its group, unless the group is our own."""
    group = _group(process.pid)
    with contextlib.suppress(OSError):
        if group in (-1, os.getpgrp()):
            os.kill(process.pid, number)
        else:
            os.killpg(group, number)


def _orphans() -> Iterator[psutil.Process]:
    """On Linux they come to the guard, which is our parent; elsewhere any process may be one."""
    import psutil

    if sys.platform == "linux":
        with contextlib.suppress(psutil.Error):
            yield from psutil.Process(os.getppid()).children()
    else:
        yield from psutil.process_iter()


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return -1


LOOKED_AT_EVERY_S = 0.5


def is_out_of_reach(group: int) -> bool:
    """Whether all that is left of a process group is another user's."""
    try:
        os.killpg(group, 0)
    except PermissionError:
        # macOS answers so when only zombies are left in the group.
        return sys.platform != "darwin"
    except ProcessLookupError:
        return False
    return False


def passed_over(name: str, group: int | None, left: dict[str, int] | None) -> bool:
    """Whether it is out of reach, and then noted in `left`; raises the error where there is no `left`."""
    if group is None or not is_out_of_reach(group):
        return False
    if left is None:
        raise out_of_reach(name, group)
    left[name] = group
    return True


def out_of_reach(name: str, group: int) -> SandboxError:
    """The error for whoever wants something of such a process."""
    return SandboxError(
        f"{name} (pid {group}) runs as {_owner(group)}, so that its supervisor, which runs as "
        f"{owner_name(os.geteuid())}, may not signal it",
        hint=f"sudo kill {group} ends it",
    )


def _owner(pid: int) -> str:
    import psutil

    try:
        return owner_name(psutil.Process(pid).uids().real)
    except psutil.Error:
        return "another user"
