"""What processes use of the machine, each with all that it started: a shell alone uses next to nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from sandbox.model.spec import ProcessSpec

_PROC = Path("/proc")


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
    if not (_PROC / str(leader) / "task" / str(leader) / "children").exists():
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


def _children(pid: int) -> Iterator[int]:
    # Each thread has the children that it started; both come and go while they are read.
    with contextlib.suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                yield from map(int, (task / "children").read_text().split())
