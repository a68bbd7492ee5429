"""A cluster whose lock is held by processes that do not answer: found by the lock's file, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from etcd_sandbox.errors import TimedOut
from etcd_sandbox.host.clusterlock import is_running
from etcd_sandbox.paths import ClusterPaths

if TYPE_CHECKING:
    import psutil

GONE_WITHIN_S = 10.0

_DAEMONS = {"etcd_sandbox.daemon", "sandbox.daemon"}
"""How a supervisor is executed; the second name is that of versions before the package was renamed."""


def processes_of(paths: ClusterPaths) -> list[int]:
    """The pids of guard and supervisor of a cluster."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _DAEMONS & set(process.cmdline()) and _holds(process, paths.lock):
                found.append(process.pid)
    return found


def end(paths: ClusterPaths) -> None:
    """Kill them, and return when the lock is free; what the supervisor ran is left to the sweep."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while is_running(paths):
        for pid in processes_of(paths):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimedOut(
                f"cluster {paths.name!r} could not be ended within {GONE_WITHIN_S:g} s",
                str(paths.lock),
                "what holds that file is no process of it that can be found",
            )
        time.sleep(0.02)


def silent(paths: ClusterPaths) -> TimedOut:
    """The error for a cluster that runs, and cannot be asked."""
    pids = ", ".join(map(str, processes_of(paths)))
    return TimedOut(
        f"cluster {paths.name!r} runs, but its supervisor does not answer"
        + (f" (pid {pids})" if pids else ""),
        hint="it starts or ends, or somebody has stopped it; "
        f"etcd-sandbox -c {paths.name} down --kill ends it",
    )


def _holds(process: psutil.Process, file: Path) -> bool:
    return any(held.path == os.path.realpath(file) for held in process.open_files())
