"""Whether this machine can stop the calls of a process that we start, and why not."""

from __future__ import annotations

import os
import platform
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
    steps = program(machine, SYNC).hex()
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        fd = theirs.fileno()
        tried = subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                shim.__file__,
                str(fd),
                str(machine.seccomp),
                steps,
                "true",
            ],
            capture_output=True,
            check=False,
            pass_fds=[fd],
            timeout=TRIED_WITHIN_S,
        )
    return why_of(tried.returncode, tried.stderr.decode(errors="replace"))


def why_of(code: int, said: str) -> str | None:
    """Why not, by how the trial ended and what it said; None where it went well."""
    if code == 0:
        return None
    reason = said.strip().removeprefix("etcd-sandbox: ") or f"the trial ended with {code}"
    return f"{reason}; it needs Linux 5.5 or newer, and a sandbox around us that allows seccomp"
