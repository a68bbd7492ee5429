"""Whether this machine can stop the calls of a process that we start, and why not."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys

from etcd_sandbox.disks import filter as shim
from etcd_sandbox.disks.calls import MACHINES, SYNC, program

TRIED_WITHIN_S = 10.0


def why_not() -> str | None:
    """Why no process can have the filter here; None where a process that was executed under one has shown that it can.

    It takes some 30 ms where it can.
    """
    if sys.platform != "linux":
        return f"they need seccomp, which is Linux's; this is {platform.system()}"
    machine = MACHINES.get(os.uname().machine)
    if machine is None:
        return (
            f"the calls of {os.uname().machine} are not known, only those of {', '.join(MACHINES)}"
        )
    if why := too_old(os.uname().release):
        return why
    steps = program(machine, SYNC).hex()
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        fd = theirs.fileno()
        try:
            tried = subprocess.run(
                [
                    *(sys.executable, "-I", "-S", shim.__file__),
                    *(str(fd), str(machine.seccomp), steps, "true"),
                ],
                capture_output=True,
                check=False,
                pass_fds=[fd],
                timeout=TRIED_WITHIN_S,
            )
        except subprocess.TimeoutExpired:
            return f"a program under the filter has not ended within {TRIED_WITHIN_S:g} s"
    return why_of(tried.returncode, tried.stderr.decode(errors="replace"))


def too_old(release: str) -> str | None:
    """Why a Linux of that release cannot let a stopped call happen, as it can from 5.5 on; None where it can."""
    found = re.match(r"(\d+)\.(\d+)", release)
    if found is None or (int(found[1]), int(found[2])) >= (5, 5):
        return None
    return f"they need Linux 5.5 or newer, and this is {release}"


def why_of(code: int, said: str) -> str | None:
    """Why not, by how the trial ended and what it said; None where it went well."""
    if code == 0:
        return None
    reason = said.strip().removeprefix("etcd-sandbox: ") or f"the trial ended with {code}"
    return f"{reason}; a sandbox around us has to allow seccomp, and no filter of its own that answers calls"
