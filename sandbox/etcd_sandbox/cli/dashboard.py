"""`dashboard`: shown at a terminal or in browsers; and the one of a cluster that `up` owns, a process of its own."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from etcd_sandbox.cli import diagnostics
from etcd_sandbox.errors import EXIT_INTERRUPTED, InputError, SandboxError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from etcd_sandbox.control.client import ControlClient
    from etcd_sandbox.host.launch import Launched
    from etcd_sandbox.paths import ClusterPaths
    from etcd_sandbox.tui.app import Dashboard


def look(*, owned: bool, notices: int | None = None) -> int:
    """Show the dashboard of the cluster that is meant; `owned` as `up` has it, with its lines by `notices`."""
    from etcd_sandbox.cli.choice import running

    app = shown(running(), owned=owned, notices=notices)
    if not owned:
        return app.return_code or 0
    left = app.return_value
    from etcd_sandbox.tui.actions import Leave

    return EXIT_RUNNING if left is Leave.RUNNING else EXIT_STOP if left is Leave.STOP else 1


def check_it_can_be_shown(hint: str) -> None:
    """Raises InputError with the hint where there is neither a terminal nor a browser."""
    if not _is_fed() and not can_be_shown():
        raise InputError("the dashboard needs a terminal", hint=hint)


def shown(client: ControlClient, **options: Any) -> Dashboard:
    """The dashboard of a cluster, once it was left. `options` are the dashboard's own.

    Raises whatever it crashed of.
    """
    check_it_can_be_shown(
        "etcd-sandbox dashboard --web shows it in a browser;"
        " status --watch and logs -f work without either"
    )
    if _is_fed():
        threading.Thread(target=_end_with_server, name="server-gone", daemon=True).start()
    # What is imported stays: nobody need look whether it is garbage.
    gc.disable()
    known_status = _asked(client.status)
    import msgspec

    from etcd_sandbox.control.async_client import AsyncControlClient
    from etcd_sandbox.model.state import ClusterStatus
    from etcd_sandbox.tui.app import Dashboard
    from etcd_sandbox.tui.terminalapp import ENDING_SIGNALS, TerminalDriver

    try:
        known = msgspec.convert(known_status.result(), ClusterStatus)
    except msgspec.MsgspecError as error:
        raise SandboxError(
            f"the supervisor's answer is not understood: {error}",
            hint="it may be of another version: etcd-sandbox down, then up",
        ) from error
    # Between Textual's taking the terminal and the dashboard's heeding them, these would leave
    # the terminal as it is then.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    gc.freeze()
    gc.enable()
    app = Dashboard(
        AsyncControlClient(client.paths),
        known=known,
        driver_class=None if _is_fed() else TerminalDriver,
        **options,
    )
    app.run()
    if app.crash is not None:
        raise app.crash
    return app


def _is_fed() -> bool:
    """Whether a server shows this dashboard to a browser, over pipes instead of a terminal."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def _end_with_server() -> None:
    """Come to an end when nobody holds the other side of stdin any more.

    Textual ends its reader then, and goes on without input.
    """
    gone = select.poll()
    # No events are asked for, so that only a hang-up is told and nothing of the input is taken.
    gone.register(0, 0)
    gone.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ENDS_WITHIN_S)
    os._exit(1)


def _asked(question: Callable[[], dict[str, Any]]) -> Future[dict[str, Any]]:
    """The answer, waited for by a thread."""
    from concurrent.futures import Future

    answer: Future[dict[str, Any]] = Future()

    def wait() -> None:
        try:
            answer.set_result(question())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=wait, daemon=True).start()
    return answer


def serve_web(paths: ClusterPaths, bind: str | None, port: int | None, viewers: int) -> int:
    """Serve it to browsers until Ctrl-C."""
    from etcd_sandbox.cli import output
    from etcd_sandbox.cli.waiting import heeded

    try:
        from etcd_sandbox.web.server import serve
    except ModuleNotFoundError as error:
        raise SandboxError(
            "the dashboard in a browser needs textual-serve, which is not installed",
            hint="pip install 'etcd-sandbox[web]'",
        ) from error
    from etcd_sandbox.web.listening import listen

    listening = listen(bind, port)
    if listening.beyond_this_machine:
        diagnostics.warn(
            f"everybody who can reach {listening.address} port {listening.port} and has the URL"
            " can run commands on this machine as you; the traffic is not encrypted"
        )

    def ready(url: str) -> None:
        output.line(url)
        output.flush()
        diagnostics.note(f"cluster {paths.name}: open that URL in a browser; Ctrl-C ends it")

    def say(text: str) -> None:
        diagnostics.raw(text.encode())

    serve(paths.name, listening, heeded(), ready, say, viewers)
    return EXIT_INTERRUPTED


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


class Notices:
    """Where words about edits go: to the dashboard, then among the plain lines; kept until then."""

    def __init__(self) -> None:
        self._say: Callable[[str], None] | None = None
        self._kept: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, text: str) -> None:
        """Say it, or keep it until somebody listens."""
        with self._lock:
            if self._say is None:
                self._kept.append(text)
            else:
                self._say(text)

    def tell(self, say: Callable[[str], None]) -> None:
        """From now on say it there."""
        with self._lock:
            self._say = say
            for text in self._kept:
                say(text)
            self._kept.clear()


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
