"""Guard and supervisor, executed before it is known what they are to run: they import meanwhile.

Imported before anything else of the command line, and imports next to nothing itself. Until they
have their orders they hold nothing, and end when this process closes its end of the socket or dies.
"""

from __future__ import annotations

import _socket
import _thread
import os
import sys
import time

TYPE_CHECKING = False  # as in `typing`, whose import would take longer than all of this
if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = "etcd_sandbox.daemon"
_CODE = f"import gc; gc.disable(); from {_NAME} import main; main()"
DAEMON = (sys.executable, "-P", "-c", _CODE, _NAME)
"""How the supervisor's program is executed: `-m` takes 4 ms longer, looking for garbage amid imports 7; its name is there to be found by."""

ENDED_WITHIN_S = 5.0

_GUARD = os.path.join(os.path.dirname(os.path.dirname(__file__)), "supervise", "guard.py")  # noqa: PTH118, PTH120 - no pathlib

_STARTING = ("up", "run", "restore")
"""The commands that start a cluster, but for a few who only look."""
_ONLY_LOOKS = {"--dry-run", "--help", "-h"}

_early: Standby | None = None


class Child:
    """A process in a session of its own, without `subprocess`: its import takes as long as all that comes before."""

    def __init__(self, command: list[str], stdin: int) -> None:
        nowhere = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (1, 2)]
        self.pid = os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, stdin, 0), *nowhere],
            setsid=True,
        )
        self.returncode: int | None = None
        self._lock = _thread.allocate_lock()

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs, or while a thread waits for it."""
        if self._lock.acquire(blocking=False):
            try:
                self._collect(os.WNOHANG)
            finally:
                self._lock.release()
        return self.returncode

    def wait(self, within_s: float | None = None) -> int | None:
        """Its exit code once it has ended; None where it has not within the time."""
        if within_s is None:
            with self._lock:
                self._collect(0)
            return self.returncode
        deadline, pause_s = time.monotonic() + within_s, 0.0005
        while self.poll() is None and (left_s := deadline - time.monotonic()) > 0:
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, 0.05)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Signal it, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _collect(self, how: int) -> None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, how)
            except ChildProcessError:  # somebody else has collected it
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None


class Standby:
    """A guard and its supervisor that wait for their orders. Raises OSError where none can be executed."""

    def __init__(self) -> None:
        self._socket, theirs = _socket.socketpair()
        self._whose = f"{os.getpid()}-{self._socket.fileno()}-{os.urandom(4).hex()}"
        command = [sys.executable, "-I", "-S", _GUARD, *DAEMON, "--for", self._whose]
        try:
            self.guard = Child(command, theirs.fileno())
        except BaseException:
            self._socket.close()
            raise
        finally:
            theirs.close()

    def order(self, message: bytes, fds: Sequence[int]) -> None:
        """Say what there is to run, with what they need open; nobody hears it where the guard was killed."""
        from array import array

        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", fds))
        try:
            self._socket.sendmsg([message], [rights])
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self._socket.close()

    def dismiss(self) -> None:
        """Have them end, and return when they have."""
        self._socket.close()
        if self.guard.wait(ENDED_WITHIN_S) != 0:
            self.end_supervisor()

    def end_supervisor(self) -> None:
        """End a supervisor whose guard was killed: it may be stopped, and see nothing of that."""
        from contextlib import suppress

        import psutil

        for process in psutil.process_iter():
            with suppress(psutil.Error):
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
        try:  # noqa: SIM105 - no contextlib
            _early = Standby()
        except OSError:
            pass  # whoever launches tries again, and says what is in the way


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
