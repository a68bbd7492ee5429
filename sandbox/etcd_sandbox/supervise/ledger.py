"""Which operating-system processes are ours, written down, so that a later command can clear up.

`supervisor.json` names the supervisor and every live process by pid and start time; a pid that
was reused by another program has another start time and is left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from etcd_sandbox import __version__

if TYPE_CHECKING:
    import psutil

MARK = "SANDBOX_RUN"
"""A variable in every child's environment, by which descendants in other groups are found."""

_START_TOLERANCE_S = 0.05
_KILL_TIMEOUT_S = 5.0


class Held(Struct, frozen=True):
    """One live process: its pid, which is its group's number too, and its start time."""

    pid: int
    started: float


class Ledger:
    """The file of one running supervisor."""

    def __init__(self, path: Path, run: str) -> None:
        self._path = path
        self._run = run
        self._held: dict[str, Held] = {}
        self._closed = False
        self._started = _started(os.getpid())
        self.write()

    def add(self, name: str, pid: int) -> None:
        """A process was started."""
        with contextlib.suppress(OSError):
            self._held[name] = Held(pid, _started(pid))
            self.write()

    def drop(self, name: str) -> None:
        """A process and its group are gone."""
        if self._held.pop(name, None) is not None:
            self.write()

    def write(self) -> None:
        """Replace the file, whole or not at all."""
        if self._closed:
            return
        content = {
            "pid": os.getpid(),
            "started": self._started,
            "version": __version__,
            "run": self._run,
            "processes": {
                name: {"pid": held.pid, "started": held.started}
                for name, held in self._held.items()
            },
        }
        draft = self._path.with_name(self._path.name + ".new")
        # A full disk must not end the supervisor: the guard clears up without this file.
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps(content))
            draft.replace(self._path)

    def disown(self) -> None:
        """Write nothing more: the place of the file is another's."""
        self._closed = True

    def close(self) -> None:
        """Everything has ended in order: there is nothing to clear up, and nothing more to write."""
        self._closed = True
        self._path.unlink(missing_ok=True)


def _started(pid: int) -> float:
    """When a process was started, as psutil has it. Raises OSError where there is no such process.

    On Linux without psutil, whose import would come before the first member is executed.
    """
    if sys.platform == "linux":
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK") + _boot_time()
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.Error as error:
        raise ProcessLookupError from error


def _boot_time() -> float:
    with Path("/proc/stat").open("rb") as stat:
        return next(float(line.split()[1]) for line in stat if line.startswith(b"btime"))


def sweep(path: Path) -> list[str]:
    """End what the supervisor that wrote `path` left running; the names of what was ended.

    To be called by whoever holds the cluster's lock.
    """
    try:
        content = json.loads(path.read_text())
        run = str(content["run"])
        held = {
            str(name): Held(int(entry["pid"]), float(entry["started"]))
            for name, entry in content["processes"].items()
        }
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        # Cut off by a full disk: nothing can be learnt from it.
        return []
    # What follows a slash tells the parts of one process apart.
    names = {entry.pid: name.partition("/")[0] for name, entry in held.items()}
    ended: list[str] = []
    refused: set[int] = set()
    deadline = time.monotonic() + _KILL_TIMEOUT_S
    while found := [each for each in _left(held, run) if each.pid not in refused]:
        for process in found:
            name = names.get(_group(process.pid), process.pid)
            if name not in ended:
                ended.append(str(name))
            try:
                os.kill(process.pid, signal.SIGKILL)
            except PermissionError:  # what `sudo` started runs on
                refused.add(process.pid)
                ended = [each for each in ended if each != str(name)]
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return list(dict.fromkeys(ended))


def _left(held: dict[str, Held], run: str) -> list[psutil.Process]:
    """The live processes of a run: by pid and start time, or by the mark it gave them."""
    import psutil

    begun = {entry.pid: entry.started for entry in held.values()}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            if _is_same(process, begun) or _marked(process, run):
                found.append(process)
    return found


def _is_same(process: psutil.Process, begun: dict[int, float]) -> bool:
    started = begun.get(process.pid)
    return started is not None and abs(process.create_time() - started) < _START_TOLERANCE_S


def _marked(process: psutil.Process, run: str) -> bool:
    if process.uids().real != os.getuid():
        return False
    return process.environ().get(MARK) == run


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1
