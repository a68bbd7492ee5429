"""What `up` shows while a cluster runs: each stream in a thread that may block without harm."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from etcd_sandbox.cli import output
from etcd_sandbox.cli.merged import Merger
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.obstacle import FULL
from etcd_sandbox.model.event import Kind
from etcd_sandbox.words import story


class Speaker:
    """Pieces of text from any thread, written in order by one that nobody has to wait for."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._said = 0
        self._written = 0
        threading.Thread(target=self._run, name="speaker", daemon=True).start()

    def say(self, piece: bytes) -> None:
        """Have it written; returns at once."""
        self._said += 1
        self._pieces.put(piece)

    def drain(self, timeout_s: float) -> None:
        """Wait until everything said is written, but no longer than this."""
        deadline = time.monotonic() + timeout_s
        while self._written < self._said and time.monotonic() < deadline:
            time.sleep(0.005)

    def _run(self) -> None:
        gone = False
        while True:
            piece = self._pieces.get()
            if not gone:
                try:
                    self._write(piece)
                except OSError as error:
                    gone = error.errno not in FULL
            self._written += 1


class LogStream(threading.Thread):
    """The log lines since `since_us`, merged onto stdout until the supervisor ends; `began` once it is open."""

    def __init__(
        self, client: ControlClient, merger: Merger, since_us: int, complain: Callable[[str], None]
    ) -> None:
        super().__init__(name="logs", daemon=True)
        self._client = client
        self._merger = merger
        self._since_us = since_us
        self._complain = complain
        self._pieces = 0
        self.began = threading.Event()
        self._unshown = 0

    def run(self) -> None:
        """Write until the end of the stream."""
        try:
            for frame in self._client.logs(follow=True, since_us=self._since_us):
                self.began.set()
                for piece in self._merger.frame(frame):
                    self._show(piece)
                    self._pieces += 1
        except SandboxError:
            # The supervisor is gone; whoever waits for it tells so.
            return
        except OSError as error:
            self._complain(_why_silent(error))
        finally:
            if self._unshown:
                self._complain(f"{_lines(self._unshown)} not shown: standard output was full")

    def _show(self, piece: bytes) -> None:
        """Write it; on a disk that is full count its lines, and say when there is room how many are missing."""
        if self._unshown:
            # The disk may have taken half of a line.
            piece = f"\n… {_lines(self._unshown)} not shown: there was no room …\n".encode() + piece
        try:
            output.raw(piece)
        except OSError as error:
            if error.errno not in FULL:
                raise
            if not self._unshown:
                self._complain("standard output is full; lines follow when there is room again")
            else:
                piece = piece.split(b"\n", 2)[2]
            self._unshown += piece.count(b"\n")
        else:
            self._unshown = 0

    def finish(self, stalled_s: float) -> None:
        """Wait for the end of the stream as long as it moves; a blocked reader is not waited for."""
        seen = -1
        while self.is_alive() and seen != self._pieces:
            seen = self._pieces
            self.join(stalled_s)


def _lines(count: int) -> str:
    return "1 line was" if count == 1 else f"{count} lines were"


def _why_silent(error: OSError) -> str:
    if isinstance(error, BrokenPipeError):
        return "nobody reads the output any more; the cluster goes on"
    return f"standard output cannot be written ({error.strerror}); the cluster goes on"


class EventStream(threading.Thread):
    """The notable events among the log lines, as lines of our own.

    `ended` is the exit code that the supervisor's last event told, None until then; `began` is set
    once it is open.
    """

    def __init__(
        self,
        client: ControlClient,
        names: Sequence[str],
        endpoints: Sequence[str],
        speaker: Speaker,
        *,
        colour: bool,
    ) -> None:
        super().__init__(name="events", daemon=True)
        self.ended: int | None = None
        self.began = threading.Event()
        self._client = client
        self._merger = Merger(names, colour=colour)
        self._endpoints = ",".join(endpoints)
        self._speaker = speaker

    def run(self) -> None:
        """Tell until the end of the stream."""
        try:
            for event in self._client.events(follow=True):
                self.began.set()
                self._take(event)
        except SandboxError:
            # The supervisor is gone; whoever waits for it tells so.
            return

    def _take(self, event: story.Event) -> None:
        kind = event["kind"]
        if kind == Kind.CLUSTER_STOPPED:
            self.ended = int(event.get("exit_code") or 0)
        if kind not in story.NOTABLE:
            return
        text = story.sentence(event)
        if kind == Kind.CLUSTER_READY and self._endpoints:
            text += f": ETCDCTL_ENDPOINTS={self._endpoints}"
        moment_us = int(datetime.fromisoformat(event["ts"]).timestamp() * 1_000_000)
        self._speaker.say(self._merger.own(text, moment_us))
