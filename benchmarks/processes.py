"""What the operating system tells of processes: families, starts, CPU time, ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil


def family(pid: int) -> list[psutil.Process]:
    """The process and all its descendants; empty when it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def named(pid: int, name: str) -> list[psutil.Process]:
    """The members of a family whose program is called `name`."""
    found = []
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name() == name:
                found.append(process)
    return found


def started_at(pid: int) -> float:
    """When the process was made, on the clock of `time.monotonic`, to 10 ms on Linux.

    psutil's own answer is up to a second off there: it adds the boot time, which the kernel
    tells in whole seconds only.
    """
    if sys.platform == "linux":
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        since_boot_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot_s
    else:
        age_s = time.time() - psutil.Process(pid).create_time()
    return time.monotonic() - age_s


def cpu_s(processes: Iterable[psutil.Process]) -> float:
    """User and system time that these processes themselves have used, their children's left out."""
    total = 0.0
    for process in processes:
        times = process.cpu_times()
        total += times.user + times.system
    return total


def end(processes: list[psutil.Process]) -> None:
    """SIGKILL these and wait until they are gone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def wait_until_gone(processes: list[psutil.Process], timeout_s: float) -> float:
    """When the last of these was seen to be gone, on the monotonic clock, to about a millisecond."""
    deadline = time.monotonic() + timeout_s
    while any(_runs(process) for process in processes):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still there after {timeout_s:g} s")
        time.sleep(0.001)
    return time.monotonic()


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
