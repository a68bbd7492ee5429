"""The lines of all processes as one stream: prefixed, fit for a terminal, written by threads that may block."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from etcd_sandbox.cli import output
from etcd_sandbox.cli.output import PALETTE, cells, padded
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.control.wire import Frame, LinesFrame, SkippedFrame
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.obstacle import FULL
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.selector import OWN_NAME
from etcd_sandbox.words import story
from etcd_sandbox.words.shown import lines_were

PIECE_BYTES = 48 * 1024
"""Larger pieces are slower: the memory for them is asked of the kernel each time (measured: 3 times)."""

LOOKS_EVERY_S = 0.02

_ACTS = tuple(bytes([code]) for code in b"\x1b\x08\x07\x05\x0b\x0c\x0e\x0f")
"""Each is looked for by itself: that is four times as fast as one pass over them all (measured)."""

_COLOURS = re.compile(rb"\x1b\[[0-9;:]{0,64}m")
_RETURN = re.compile(rb"\r(?!\r*\n)")
"""At the end of a line it changes nothing."""

_C1 = re.compile(rb"\xc2([\x80-\x9f])")
"""Control characters of one byte in Latin-1, as UTF-8 has them: each is short for ESC and a letter."""

_SEQUENCES = re.compile(
    rb"""\x1b(?:
        (\[[0-9;:]{0,64}m)                      # a colour or weight: it may stay
      | \][^\x07\x1b\n]*(?:\x07|\x1b\\)?        # titles, links, the clipboard
      | [PX^_][^\x1b\n]*(?:\x1b\\)?             # strings for devices
      | \[[0-?]*[ -/]*[@-~]?                    # cursor, screen, modes
      | [ -/]+[0-~]?                            # character sets
      | [0-~]?                                  # two characters
    )""",
    re.VERBOSE,
)
_LONE = re.compile(rb"[\x05\x07\x08\x0b\x0c\x0e\x0f]|\r(?!\r*\n)")


def harmless(lines: bytes) -> bytes:
    """Whole lines without what moves the cursor, clears the screen, sets a title or a mode.

    Control characters that act become the pictures of themselves (`␍`, `␈`), as in the dashboard.
    Bytes that do nothing to a terminal stay as they are.
    """
    # Nothing but colours is in most lines, and finding that out costs little.
    if not _acts(lines) or (b"\x1b" in lines and not _acts(_COLOURS.sub(b"", lines))):
        return lines
    spelt = lines if lines.isascii() else _C1.sub(_in_two, lines)
    # What is left of two broken sequences may be a whole one.
    return harmless(_LONE.sub(_picture, _SEQUENCES.sub(_kept, spelt)))


def _acts(lines: bytes) -> bool:
    if any(code in lines for code in _ACTS) or (b"\r" in lines and _RETURN.search(lines)):
        return True
    return not lines.isascii() and _C1.search(lines) is not None


def _in_two(found: re.Match[bytes]) -> bytes:
    return b"\x1b%c" % (found[1][0] - 0x40)


def _kept(found: re.Match[bytes]) -> bytes:
    return found[0] if found[1] else b""


def _picture(found: re.Match[bytes]) -> bytes:
    return chr(0x2400 + found[0][0]).encode()


def order(processes: Iterable[dict[str, Any]]) -> list[str]:
    """Process names in the order that gives each its colour: members first, as `status` lists them."""
    listed = list(processes)
    members = [process["name"] for process in listed if process.get("member")]
    return members + [process["name"] for process in listed if not process.get("member")]


class Merger:
    """Puts `HH:MM:SS name | ` before lines. `names` are the processes in the order of their colours.

    The bytes of the lines stay as they are, unless they are to be `tame`: then nothing in them acts
    on a terminal but colours.
    """

    def __init__(self, names: Sequence[str], *, colour: bool, tame: bool = False) -> None:
        self._colour = colour
        self._tame = tame
        self._width = max(map(cells, (*names, OWN_NAME)))
        self._labels: dict[str, bytes] = {
            name: self._label(name, PALETTE[index % len(PALETTE)])
            for index, name in enumerate(names)
        }
        self._labels[OWN_NAME] = self._label(OWN_NAME, "1")
        self._second = -1
        self._clock = b""

    def frame(self, frame: Frame) -> Iterator[bytes]:
        """What to write for one frame of a log stream, in pieces of whole lines."""
        match frame:
            case LinesFrame(_, time_us, process, data):
                start = 0
                while start < len(data):
                    end = data.find(b"\n", start + PIECE_BYTES) + 1 or len(data)
                    yield self.lines(process, time_us, data[start:end])
                    start = end
            case SkippedFrame(count):
                yield "… {} line{} skipped …\n".format(count, "s" * (count != 1)).encode()

    def lines(self, process: str, time_us: int, data: bytes) -> bytes:
        """Whole lines of one process, each ended by a newline, prefixed."""
        prefix = self._prefix(process, time_us)
        if self._tame:
            data = harmless(data)
        return b"".join((prefix, data[:-1].replace(b"\n", b"\n" + prefix), b"\n"))

    def own(self, text: str, time_us: int) -> bytes:
        """A line of ours."""
        return self.lines(OWN_NAME, time_us, text.encode(errors="backslashreplace") + b"\n")

    def _prefix(self, process: str, time_us: int) -> bytes:
        second = time_us // 1_000_000
        if second != self._second:
            self._second = second
            self._clock = time.strftime("%H:%M:%S ", time.localtime(second)).encode()
        label = self._labels.get(process)
        if label is None:
            # A process that came by `apply` after the stream was opened.
            label = self._label(process, PALETTE[(len(self._labels) - 1) % len(PALETTE)])
            self._labels[process] = label
        return self._clock + label

    def _label(self, name: str, sgr: str) -> bytes:
        text = f"{padded(name, self._width)} |"
        return (f"\x1b[{sgr}m{text}\x1b[0m " if self._colour else f"{text} ").encode()


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
        self._waits_since: float | None = None
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
                self._complain(f"{lines_were(self._unshown)} not shown: standard output was full")

    def _show(self, piece: bytes) -> None:
        """Write it; on a disk that is full count its lines, and say when there is room how many are missing."""
        if self._unshown:
            # The disk may have taken half of a line.
            piece = (
                f"\n… {lines_were(self._unshown)} not shown: there was no room …\n".encode() + piece
            )
        self._waits_since = time.monotonic()
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
        finally:
            self._waits_since = None

    def finish(self, stalled_s: float) -> bool:
        """Wait for the end of the stream as long as it moves; whether it came.

        A reader that has taken nothing for `stalled_s`, from before this call on, is not waited for.
        """
        seen, moved = -1, 0.0
        while self.is_alive():
            if seen != self._pieces:
                seen, moved = self._pieces, time.monotonic()
            if time.monotonic() - (self._waits_since or moved) > stalled_s:
                return False
            self.join(LOOKS_EVERY_S)
        return True


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
