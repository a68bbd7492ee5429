"""Processes of another user, as `sudo` starts them: their supervisor can neither signal nor end them."""

from __future__ import annotations

import os
import sys

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.obstacle import owner_name

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
