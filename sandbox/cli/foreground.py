"""`up` in the foreground: owns the cluster, shows its lines, and goes only when everything has ended.

The main thread does nothing but wait for signals and for the guard's end, so that both are
heeded whatever stdout, stderr or the supervisor are doing.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.cli import diagnostics, output
from sandbox.cli.edits import EditWatch
from sandbox.cli.inputs import Caller, Planned
from sandbox.cli.interrupts import EndSignals
from sandbox.cli.merged import Merger
from sandbox.cli.settings import settings
from sandbox.cli.streams import EventStream, LogStream, Speaker
from sandbox.control.client import ControlClient
from sandbox.errors import EXIT_FAILED, EXIT_INTERRUPTED, NotRunning, SandboxError, TimedOut
from sandbox.launch import Launched, launch, sweep, wait_until_gone
from sandbox.model.event import Kind
from sandbox.paths import ClusterPaths

NAMED_AFTER_S = 2.0
"""When a stop lasts so long, it is said whom it waits for."""

FORCED_AFTER_S = 3.0
"""A supervisor that has not ended so long after it was asked to hurry is killed; the guard does the rest."""

STALLED_S = 0.5
"""A reader of stdout that took nothing for so long does not hold up the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How the foreground is to behave."""

    fresh: bool = False
    apply_edits: bool = False
    timeout_s: float = 30.0


def own(planned: Planned, paths: ClusterPaths, caller: Caller, wishes: Wishes) -> int:
    """Bring the cluster up and stay until it has ended; the exit code."""
    signals = EndSignals()
    signals.install()
    began_us = time.time_ns() // 1000
    launched = launch(
        planned.spec, paths, owned=True, fresh=wishes.fresh, inherited_fds=planned.held
    )
    signals.raising = False
    return _Foreground(planned, paths, caller, wishes, launched, signals, began_us).run()


class _Foreground:
    def __init__(
        self,
        planned: Planned,
        paths: ClusterPaths,
        caller: Caller,
        wishes: Wishes,
        launched: Launched,
        signals: EndSignals,
        began_us: int,
    ) -> None:
        self._paths = paths
        self._wishes = wishes
        self._launched = launched
        self._signals = signals
        self._client = ControlClient(paths)
        self._stdout = Speaker(output.raw)
        self._stderr = Speaker(diagnostics.raw)
        self._gone, self._gone_write = os.pipe()
        self._owning = threading.Lock()
        self._asked = 0
        self._quiet = settings().quiet
        spec = planned.spec
        names = [process.name for process in spec.members]
        names += [process.name for process in spec.processes if process.member is None]
        colour = output.colour()
        self._own_lines = Merger(names, colour=colour)
        self._logs = LogStream(self._client, Merger(names, colour=colour), began_us, self._note)
        self._events = EventStream(
            self._client,
            names,
            [process.member.client_url for process in spec.members if process.member is not None],
            self._stdout,
            colour=colour,
        )
        self._edits = (
            EditWatch(
                self._client,
                Path(spec.source.path),
                caller,
                self._say,
                apply=wishes.apply_edits,
            )
            if spec.source.path
            else None
        )

    def run(self) -> int:
        """Stay until the cluster has ended; the exit code."""
        self._logs.start()
        self._events.start()
        if self._edits is not None:
            self._edits.start()
        _in_background(self._await_guard)
        _in_background(self._await_ready)
        self._wait()
        code = self._outcome()
        self._logs.finish(STALLED_S)
        self._stdout.drain(STALLED_S)
        self._stderr.drain(STALLED_S)
        return code

    def _wait(self) -> None:
        """Return when nothing of the cluster runs any more."""
        alarms: list[tuple[float, Callable[[], None]]] = []
        while True:
            timeout = max(0.0, alarms[0][0] - time.monotonic()) if alarms else None
            ready = select.select([self._gone, self._signals.fd], [], [], timeout)[0]
            if self._gone in ready:
                return
            for _ in range(self._signals.taken()):
                self._asked += 1
                now = time.monotonic()
                _in_background(self._kill_all if self._asked > 1 else self._stop_all)
                if self._asked == 1:
                    alarms.append((now + NAMED_AFTER_S, self._name_the_late))
                elif self._asked == 2:
                    alarms.append((now + FORCED_AFTER_S, self._kill_supervisor))
            alarms.sort(key=lambda alarm: alarm[0])
            while alarms and alarms[0][0] <= time.monotonic():
                _in_background(alarms.pop(0)[1])

    def _outcome(self) -> int:
        if self._launched.guard.returncode != 0:
            with contextlib.suppress(SandboxError):
                sweep(self._paths)
            self._complain(SandboxError("the guard was killed; everything was stopped"))
            return EXIT_FAILED
        if self._asked:
            return EXIT_INTERRUPTED
        ended = self._events.ended if self._events.ended is not None else _told_end(self._paths)
        if ended is None:
            with contextlib.suppress(SandboxError):
                sweep(self._paths)
            self._complain(
                SandboxError(
                    "the supervisor ended unexpectedly; everything was stopped",
                    hint=f"its log is {self._paths.supervisor_log}",
                )
            )
            return EXIT_FAILED
        return ended

    def _await_guard(self) -> None:
        if self._launched.guard.wait() != 0:
            # Without its guard the supervisor is to go as well, in order as long as it can.
            with contextlib.suppress(SandboxError):
                self._client.shutdown()
            with contextlib.suppress(SandboxError):
                wait_until_gone(self._paths, 60.0)
        os.write(self._gone_write, b".")

    def _await_ready(self) -> None:
        try:
            answer = self._client.ready(self._wishes.timeout_s)
            if why := answer.get("why"):
                self._say(str(why))
        except TimedOut as error:
            self._note(diagnostics.one_line(error))
        except SandboxError as error:
            if not self._asked and not isinstance(error, NotRunning):
                # Its last lines were shown among the others just now.
                self._complain(SandboxError(error.what, error.where, error.hint))

    def _stop_all(self) -> None:
        self._shut_down(kill=False)

    def _kill_all(self) -> None:
        self._shut_down(kill=True)

    def _shut_down(self, *, kill: bool) -> None:
        try:
            self._client.shutdown(kill=kill)
        except SandboxError:
            with self._owning:
                self._launched.let_go()

    def _name_the_late(self) -> None:
        with contextlib.suppress(SandboxError):
            answer = self._client.status()
            late = [
                f"{process['name']} (pid {process['pid']})"
                for process in (*answer["members"], *answer["processes"])
                if process["pid"] is not None
            ]
            if late and self._asked == 1:
                self._note(f"waiting for {', '.join(late)}; Ctrl-C again kills at once")

    def _kill_supervisor(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            pid = int(json.loads(self._paths.supervisor.read_bytes())["pid"])
            os.kill(pid, signal.SIGKILL)

    def _say(self, text: str) -> None:
        self._stdout.say(self._own_lines.own(text, time.time_ns() // 1000))

    def _note(self, text: str) -> None:
        if not self._quiet:
            self._stderr.say(f"etcd-sandbox: {text}\n".encode(errors="backslashreplace"))

    def _complain(self, error: SandboxError) -> None:
        self._stderr.say(diagnostics.render(error).encode(errors="backslashreplace"))


def _told_end(paths: ClusterPaths) -> int | None:
    """The exit code in the last line of the events' file, if the supervisor came to its end there."""
    try:
        last = json.loads(paths.events.read_bytes().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return None
    if last.get("kind") != Kind.CLUSTER_STOPPED:
        return None
    return int(last.get("exit_code") or 0)


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()
