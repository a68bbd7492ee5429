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
from pathlib import Path
from typing import Any

from msgspec import Struct

from etcd_sandbox.cli import diagnostics, output
from etcd_sandbox.cli.apply import EditWatch
from etcd_sandbox.cli.dashboard import Left, Notices, watch
from etcd_sandbox.cli.settings import settings
from etcd_sandbox.cli.streams import EventStream, LogStream, Merger, Speaker
from etcd_sandbox.cli.waiting import NAMED_AFTER_S, EndSignals, waits_for
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    NotRunning,
    ProcessFailed,
    SandboxError,
    TimedOut,
)
from etcd_sandbox.host.clusterlock import Ground
from etcd_sandbox.host.launch import Launched, launch, sweep, wait_until_gone
from etcd_sandbox.inputs.caller import Caller, Planned
from etcd_sandbox.model.event import Kind
from etcd_sandbox.paths import ClusterPaths

FORCED_AFTER_S = 6.0
"""A supervisor that has not ended so long after it was asked to hurry is killed; the guard does the rest."""

SHOWN_AGAIN_US = 5_000_000
"""After a crash of the dashboard the lines of so long ago are shown once more, and not all of them."""

STREAMS_WITHIN_S = 5.0
"""Streams that cannot be opened do not keep the answer of the start back for longer."""

LAST_LINES = 20
LAST_BYTES = 64 << 10
"""So many last lines tell of a process that nobody was shown."""

STALLED_S = 2.0
"""A reader of stdout that took nothing for so long does not hold up the end; see `control.streams`."""


_Alarm = tuple[float, Callable[[], None]]


class Wishes(Struct, frozen=True, kw_only=True):
    """How the foreground is to behave; `fresh` and `restored` are as `launch` takes them.

    `raw`: log lines keep what acts on a terminal. `notice` is what the dashboard says first, since
    it hides what was said before it.
    """

    fresh: bool = False
    restored: Path | None = None
    apply_edits: bool = False
    dashboard: bool = False
    raw: bool = False
    notice: str = ""
    timeout_s: float = 30.0


def own(planned: Planned, paths: ClusterPaths, caller: Caller, wishes: Wishes) -> int:
    """Bring the cluster up and stay until it has ended; the exit code."""
    signals = EndSignals()
    signals.install()
    began_us = time.time_ns() // 1000
    launched = launch(
        planned.spec,
        paths,
        owned=True,
        fresh=wishes.fresh,
        restored=wishes.restored,
        inherited_fds=planned.held,
    )
    signals.raising = False
    ground = Ground(paths)
    asked = False
    notices = Notices()
    _watch_edits(planned, paths, caller, wishes, notices)
    if wishes.dashboard:
        if wishes.notice:
            notices(wishes.notice)
        left = watch(paths, launched, signals.fd, notices)
        if left is Left.RUNNING:
            launched.release()
            diagnostics.note(
                f"cluster {paths.name} runs on: etcd-sandbox -c {paths.name} down ends it"
            )
            return 0
        now_us = time.time_ns() // 1000
        if left is Left.CRASHED:
            diagnostics.warn("the dashboard ended unexpectedly; plain lines follow")
            began_us = max(began_us, now_us - SHOWN_AGAIN_US)
        else:
            asked, began_us = left is Left.STOP, now_us
    foreground = _Foreground(planned, paths, ground, wishes, launched, signals, began_us)
    notices.tell(foreground.say)
    if not asked:
        return foreground.run()
    code = foreground.end()
    if code != EXIT_INTERRUPTED:
        return code
    # Asked for in the dashboard, the end is no interruption.
    output.line(f"stopped {paths.name}")
    output.next_step("up")
    return EXIT_DONE


def _watch_edits(
    planned: Planned, paths: ClusterPaths, caller: Caller, wishes: Wishes, notices: Notices
) -> None:
    source = planned.spec.source
    # What came through a pipe cannot be edited.
    if (path := source.path) and path not in source.texts:
        client = ControlClient(paths)
        EditWatch(client, Path(path), caller, notices, apply=wishes.apply_edits).start()


class _Foreground:
    def __init__(
        self,
        planned: Planned,
        paths: ClusterPaths,
        ground: Ground,
        wishes: Wishes,
        launched: Launched,
        signals: EndSignals,
        began_us: int,
    ) -> None:
        self._paths = paths
        self._ground = ground
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
        lines = Merger(names, colour=colour, tame=not wishes.raw)
        self._logs = LogStream(self._client, lines, began_us, self._note)
        self._events = EventStream(
            self._client,
            names,
            spec.client_urls,
            self._stdout,
            colour=colour,
        )

    def run(self) -> int:
        """Stay until the cluster has ended, and show its lines; the exit code."""
        self._logs.start()
        self._events.start()
        _in_background(self._await_ready)
        return self._until_gone([])

    def end(self) -> int:
        """Stop the cluster, which was asked for elsewhere, without its lines; the exit code."""
        self._asked = 1
        _in_background(self._stop_all)
        self._note(f"stopping {self._paths.name}")
        return self._until_gone([(time.monotonic() + NAMED_AFTER_S, self._name_the_late)])

    def _until_gone(self, alarms: list[_Alarm]) -> int:
        _in_background(self._await_guard)
        self._wait(alarms)
        code = self._outcome()
        taken = self._logs.finish(STALLED_S)
        if self._events.is_alive():
            self._events.join(STALLED_S)
        self._stdout.drain(STALLED_S if taken else 0.0)
        self._stderr.drain(STALLED_S)
        return code

    def _wait(self, alarms: list[_Alarm]) -> None:
        """Return when nothing of the cluster runs any more; each alarm is rung in its time."""
        news = select.poll()
        for fd in (self._gone, self._signals.fd):
            news.register(fd, select.POLLIN)
        while True:
            timeout = max(0.0, alarms[0][0] - time.monotonic()) if alarms else None
            ready = {fd for fd, _ in news.poll(None if timeout is None else timeout * 1000)}
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
            self._complain(SandboxError(f"the guard was killed; {self._swept()}"))
            return EXIT_FAILED
        if self._asked:
            return EXIT_INTERRUPTED
        ended = self._events.ended
        if ended is None and (last := _last_event(self._paths)) is not None:
            # Nobody was shown how it ended: the dashboard had the terminal, or the streams came too late.
            ended = int(last.get("exit_code") or 0)
            self._tell_failure(last)
        if ended is None and (loss := self._ground.loss()) and not loss.has_directory:
            # So the last event is in no file; the supervisor ended of it.
            self._complain(SandboxError(f"{loss.what}; everything was stopped"))
            return EXIT_FAILED
        if ended is None:
            self._complain(
                SandboxError(
                    f"the supervisor ended unexpectedly; {self._swept()}",
                    hint=f"its log is {self._paths.supervisor_log}",
                )
            )
            return EXIT_FAILED
        return ended

    def _swept(self) -> str:
        """Clear up after a supervisor that died; a clause that says what is left."""
        try:
            return "; ".join(sweep(self._paths).left) or "everything was stopped"
        except SandboxError as error:
            return error.what

    def _tell_failure(self, stopped: dict[str, Any]) -> None:
        if why := stopped.get("why"):
            lines = b"\n".join(_last_lines(self._paths, str(stopped.get("process"))))
            self._complain(SandboxError(str(why), detail=lines.decode(errors="replace")))

    def _await_guard(self) -> None:
        if self._launched.guard.wait() != 0:
            # Without its guard the supervisor is to go as well, in order as long as it can.
            with contextlib.suppress(SandboxError):
                self._client.shutdown()
            with contextlib.suppress(SandboxError):
                wait_until_gone(self._paths, 60.0)
        os.write(self._gone_write, b".")

    def _await_ready(self) -> None:
        # A failure that ends the cluster is told among the lines; only what has no lines is left to this.
        for stream in (self._logs, self._events):
            stream.began.wait(STREAMS_WITHIN_S)
        try:
            answer = self._client.ready(self._wishes.timeout_s)
            if why := answer.get("why"):
                self.say(str(why))
        except TimedOut as error:
            self._note(diagnostics.one_line(error))
        except SandboxError as error:
            if not self._asked and not isinstance(error, NotRunning | ProcessFailed):
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
            late = waits_for(self._client.status())
            if late and self._asked == 1:
                self._note(f"waiting for {late}; Ctrl-C again kills at once")

    def _kill_supervisor(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            pid = int(json.loads(self._paths.supervisor.read_bytes())["pid"])
            os.kill(pid, signal.SIGKILL)

    def say(self, text: str) -> None:
        """A line of the sandbox itself, among those of the processes."""
        self._stdout.say(self._own_lines.own(text, time.time_ns() // 1000))

    def _note(self, text: str) -> None:
        if not self._quiet:
            self._stderr.say(f"etcd-sandbox: {text}\n".encode(errors="backslashreplace"))

    def _complain(self, error: SandboxError) -> None:
        self._stderr.say(diagnostics.render(error).encode(errors="backslashreplace"))


def _last_event(paths: ClusterPaths) -> dict[str, Any] | None:
    """The last event in the file, if the supervisor came to its end there."""
    try:
        last: dict[str, Any] = json.loads(paths.events.read_bytes().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return None
    return last if last.get("kind") == Kind.CLUSTER_STOPPED else None


def _last_lines(paths: ClusterPaths, process: str) -> list[bytes]:
    """The last lines of a process in its file; none where there is no file."""
    try:
        with (paths.logs / f"{process}.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_BYTES))
            return file.read().splitlines()[-LAST_LINES:]
    except OSError:
        return []


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()
