"""Guard and supervisor, executed before it is known what they are to run: they import meanwhile.

Imported before anything else of the command line, and imports next to nothing itself. Until they
have their orders they hold nothing, and end when this process closes its end of the socket or dies.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Sequence

DAEMON = (sys.executable, "-P", "-m", "etcd_sandbox.daemon")
"""How the supervisor's program is executed."""

ENDED_WITHIN_S = 5.0

_GUARD = os.path.join(os.path.dirname(os.path.dirname(__file__)), "supervise", "guard.py")  # noqa: PTH118, PTH120 - no pathlib

_STARTING = ("up", "run", "restore")
"""The commands that start a cluster, but for a few who only look."""
_ONLY_LOOKS = {"--dry-run", "--help", "-h"}

_early: Standby | None = None


class Standby:
    """A guard and its supervisor that wait for their orders. Raises OSError where none can be executed."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._whose = f"{os.getpid()}-{self._socket.fileno()}-{os.urandom(4).hex()}"
        try:
            self.guard = subprocess.Popen(
                [sys.executable, "-I", "-S", _GUARD, *DAEMON, "--for", self._whose],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self._socket.close()
            raise
        finally:
            theirs.close()

    def order(self, message: bytes, fds: Sequence[int]) -> None:
        """Say what there is to run, with what they need open; nobody hears it where the guard was killed."""
        with self._socket, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self._socket, [message], fds)

    def dismiss(self) -> None:
        """Have them end, and return when they have."""
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.guard.wait(ENDED_WITHIN_S)
        if self.guard.returncode != 0:
            self.end_supervisor()

    def end_supervisor(self) -> None:
        """End a supervisor whose guard was killed: it may be stopped, and see nothing of that."""
        import psutil

        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if self._whose in process.cmdline():
                    process.kill()


def will_start(words: Sequence[str]) -> bool:
    """Whether this command line is one that starts a cluster, if nothing is wrong with it."""
    command = words[2:3] if words and words[0] in ("-c", "--cluster") else words[:1]
    return bool(command) and command[0] in _STARTING and not _ONLY_LOOKS.intersection(words)


def begin(words: Sequence[str]) -> None:
    """Execute them now, if this command line is one that will start a cluster."""
    global _early
    if will_start(words):
        with contextlib.suppress(
            OSError
        ):  # whoever launches tries again, and says what is in the way
            _early = Standby()


def end() -> None:
    """Dismiss those that were executed early and got no orders."""
    global _early
    early, _early = _early, None
    if early is not None:
        early.dismiss()


def ordered(message: bytes, fds: Sequence[int]) -> Standby:
    """A guard and a supervisor that have these orders: those executed early, else new ones. Raises OSError."""
    global _early
    early, _early = _early, None
    # One that ended by itself tells nobody why: a new one does.
    usable = early is not None and (early.guard.poll() or 0) <= 0
    standby = early if early is not None and usable else Standby()
    standby.order(message, fds)
    return standby
