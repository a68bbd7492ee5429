"""The lines of all processes as one stream: a clock and a name before each line."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from etcd_sandbox.cli.cells import cells, padded
from etcd_sandbox.cli.escapes import harmless
from etcd_sandbox.cli.output import PALETTE
from etcd_sandbox.control.wire import Frame, LinesFrame, SkippedFrame

OWN_NAME = "sandbox"
"""Stands in the place of a process's name before what we say ourselves."""

PIECE_BYTES = 48 * 1024
"""Larger pieces are slower: the memory for them is asked of the kernel each time (measured: 3 times)."""


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
