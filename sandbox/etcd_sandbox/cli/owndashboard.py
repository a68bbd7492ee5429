"""The dashboard of a cluster that `up` owns: a process of its own, so that its crash is only its own."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Protocol

from etcd_sandbox.cli import diagnostics
from etcd_sandbox.host.launch import Launched
from etcd_sandbox.paths import ClusterPaths

EXIT_STOP, EXIT_RUNNING = 10, 11
"""The exit codes by which the dashboard says what is to become of the cluster."""

_ENDS_WITHIN_S = 3.0
_RESTORED_WITHIN_S = 1.0

AS_BEFORE = (
    b"\x18\x1b\\\x1b[?2026l\x1b[?2048l\x1b[?1016l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[?2004l"
    b"\x1b[?7h\x1b[?25h\x1b[?1049h\x1b[<u\x1b[?1049l"
)
"""Ends what may be half written, and undoes what Textual asks of a terminal: pictures in one piece, sizes, mouse, focus, paste, no wrap, no cursor, keys, the other screen.

The dashboard may have undone any part of that before it was killed. Leaving the other screen twice
would move the cursor, and taking the keys twice would take those of the shell. So the other screen
is entered again, which changes nothing where it is shown, and the keys are taken from its own stack.
"""


def can_be_shown() -> bool:
    """Whether this is a terminal throughout, and one that can paint: Textual reads stdin, paints on stderr."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream.isatty() for stream in streams) and os.environ.get("TERM") != "dumb"


class Left(Enum):
    """Why the dashboard is there no more."""

    STOP = auto()
    RUNNING = auto()
    CRASHED = auto()
    OVERTAKEN = auto()
    """The cluster ended, or somebody wants `up` to end."""


class Notices(Protocol):
    """What is to be said while the dashboard is shown, or not."""

    def tell(self, say: Callable[[str], None]) -> None:
        """From now on say it there."""


def watch(paths: ClusterPaths, launched: Launched, signals: int, notices: Notices) -> Left:
    """Show the dashboard until it is left, the cluster has ended, or `signals` can be read."""
    settings = termios.tcgetattr(sys.stdin)
    heard, told = os.pipe()
    command = [sys.executable, "-P", "-m", "etcd_sandbox", "-c", paths.name, "dashboard"]
    command += ["--owned", "--notices", str(heard)]
    dashboard = subprocess.Popen(command, pass_fds=[heard])
    os.close(heard)

    def say(text: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # the dashboard is gone: so are its readers
            os.write(told, text.encode(errors="backslashreplace") + b"\n")

    notices.tell(say)
    news, tell = os.pipe()

    def when(ended: Callable[[], object]) -> None:
        def wait() -> None:
            ended()
            with contextlib.suppress(OSError):
                os.write(tell, b".")

        threading.Thread(target=wait, daemon=True).start()

    when(dashboard.wait)
    when(launched.guard.wait)
    either = select.poll()
    for fd in (news, signals):
        either.register(fd, select.POLLIN)
    either.poll()
    code = dashboard.poll()
    if code is None:
        dashboard.terminate()
        try:
            dashboard.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            dashboard.kill()
            dashboard.wait()
    if dashboard.returncode < 0:
        # A terminal that takes nothing any more must not hold up the end.
        restoring = threading.Thread(target=_restore, args=[settings], daemon=True)
        restoring.start()
        restoring.join(_RESTORED_WITHIN_S)
    if code is None:
        return Left.OVERTAKEN
    if _is_gone():
        # Only a controlling terminal tells of its end by itself.
        os.kill(os.getpid(), signal.SIGHUP)
        return Left.OVERTAKEN
    return {EXIT_STOP: Left.STOP, EXIT_RUNNING: Left.RUNNING}.get(code, Left.CRASHED)


def _is_gone() -> bool:
    """Whether the terminal was closed."""
    try:
        termios.tcgetattr(sys.stdin)
    except termios.error:
        return True
    return False


def _restore(settings: list[Any]) -> None:
    """Make the terminal usable again, which a dashboard that was killed could not do itself."""
    with contextlib.suppress(termios.error, OSError):  # the terminal may be gone
        termios.tcsetattr(sys.stdin, termios.TCSANOW, settings)
        diagnostics.raw(AS_BEFORE)
