"""What processes use of the machine, each with all that it started: a shell alone uses next to nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from etcd_sandbox.model.spec import ProcessSpec

_TOLD = Path(f"/proc/self/task/{os.getpid()}/children").exists()
"""Whether the system tells of a process's children: Linux does, if it was built so."""

_CHILDREN_BYTES = 1 << 16


class Meters:
    """Figures since the last look, by the pid of the process that leads a group."""

    def __init__(self) -> None:
        self._groups: dict[int, dict[int, psutil.Process]] = {}

    def knows(self, leader: int) -> bool:
        """Whether the group was measured before."""
        return leader in self._groups

    def keep(self, leaders: set[int | None]) -> None:
        """Forget all groups but those of these leaders."""
        self._groups = {pid: group for pid, group in self._groups.items() if pid in leaders}

    def measure(self, leader: int, *, alone: bool) -> tuple[float | None, int | None]:
        """CPU in percent of one core, and resident bytes, of a group; None where it is gone.

        `alone`: the leader starts no other processes, so nobody looks for them.
        """
        before = self._groups.get(leader, {})
        pids = [leader] if alone else [leader, *_others(leader)]
        group: dict[int, psutil.Process] = {}
        cpu_percent, rss_bytes = 0.0, 0
        for pid in dict.fromkeys(pids):
            with contextlib.suppress(psutil.Error):
                meter = before.get(pid) or psutil.Process(pid)
                with meter.oneshot():
                    cpu_percent += meter.cpu_percent(None)
                    rss_bytes += meter.memory_info().rss
                group[pid] = meter
        self._groups[leader] = group
        return (cpu_percent, rss_bytes) if group else (None, None)


def is_alone(process: ProcessSpec) -> bool:
    """Whether the process is a member that no shell stands before: etcd starts no other processes."""
    shell = process.argv[:2] == ("/bin/sh", "-c") and not process.argv[2].startswith("exec ")
    return process.member is not None and not shell


def _others(leader: int) -> Iterator[int]:
    """The pids of what a process started, and of what is left of its group when the ones between have gone."""
    if not _TOLD:
        with contextlib.suppress(psutil.Error):
            yield from (child.pid for child in psutil.Process(leader).children(recursive=True))
        return
    left = [leader]
    # The guard inherits those whose parents have ended.
    for pid in _children(os.getppid()):
        with contextlib.suppress(OSError):
            if os.getpgid(pid) == leader:
                left.append(pid)
                yield pid
    while left:
        for pid in _children(left.pop()):
            left.append(pid)
            yield pid


def _children(pid: int) -> list[int]:
    """The pids that the threads of a process have started, as far as they are there while they are read."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        # Plain calls: there may be hundreds of processes, and objects of paths take most of the time.
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with contextlib.suppress(OSError):
                file = os.open(f"/proc/{pid}/task/{task}/children", os.O_RDONLY)
                try:
                    found += map(int, os.read(file, _CHILDREN_BYTES).split())
                finally:
                    os.close(file)
    return found
