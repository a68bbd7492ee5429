"""The members' processes as the operating system has them: found by what was executed, not told by anybody."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from tests.witness.observed import Pulse, Seen

_YOUNG_S = 5.0
"""A process that came so lately may not have executed its program yet: it is looked at again."""

_DEAD = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class ProcessTable:
    """Finds the etcds whose data is under `root`, and says of each member whether it lives."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._offset_s = _offset_s()
        self._others: dict[int, float] = {}
        self._ours: dict[int, tuple[str, psutil.Process]] = {}

    def look(self) -> dict[str, Seen]:
        """Each member with a process, as it is now; one that has none is not in it."""
        pids = psutil.pids()
        present = set(pids)
        self._others = {pid: at for pid, at in self._others.items() if pid in present}
        for pid in pids:
            if pid not in self._ours and self._is_news(pid):
                self._meet(pid)
        found: dict[str, Seen] = {}
        for pid, (name, process) in sorted(
            self._ours.items(), key=lambda each: each[1][1].create_time()
        ):
            seen = self._seen(process)
            if seen is None:
                del self._ours[pid]
                self._others.pop(pid, None)
            elif seen.pulse is not Pulse.ENDED or name not in found:
                found[name] = seen
        return found

    def _seen(self, process: psutil.Process) -> Seen | None:
        """None: the pid is another process's by now, or nobody's."""
        try:
            if not process.is_running():
                return None
            status = process.status()
        except psutil.Error:
            return None
        pulse = Pulse.ALIVE
        if status in _DEAD:
            pulse = Pulse.ENDED
        elif status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
            pulse = Pulse.STOPPED
        return Seen(pulse=pulse, pid=process.pid, created=process.create_time() + self._offset_s)

    def _is_news(self, pid: int) -> bool:
        return time.time() < self._others.setdefault(pid, time.time() + _YOUNG_S)

    def _meet(self, pid: int) -> None:
        try:
            process = psutil.Process(pid)
            name = self._member_of(process.cmdline())
        except psutil.Error:
            return
        if name is not None:
            self._ours[pid] = (name, process)

    def _member_of(self, words: list[str]) -> str | None:
        if not words or Path(words[0]).name != "etcd":
            return None
        options = _options(words)
        return options.get("name") if options.get("data-dir", "").startswith(self._root) else None


def _options(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("-"):
            name, equals, value = word.lstrip("-").partition("=")
            found[name] = value if equals else following
    return found


def _offset_s() -> float:
    """What psutil's times of creation lack on Linux: the kernel tells the time of the boot in whole seconds."""
    uptime = Path("/proc/uptime")
    if not uptime.exists():
        return 0.0
    return time.time() - float(uptime.read_text().split()[0]) - psutil.boot_time()
