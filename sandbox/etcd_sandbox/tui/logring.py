"""The newest log lines as bytes, in a bounded space, each under a number that it never loses."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from etcd_sandbox.control.wire import Frame, LinesFrame, SkippedFrame

LINES_KEPT = 200_000
BYTES_KEPT = 64 << 20

CHUNK_BYTES = 64 << 10
"""Larger frames are cut, so that one step of a scan stays short."""

_CHUNK_COST_BYTES = 210
"""What a chunk takes besides its bytes (measured with tracemalloc: 206), so that short frames are bounded as well."""

_SPLIT_KEPT = 32

_first = attrgetter("first")


class Chunk(NamedTuple):
    """Whole lines of one process under the numbers from `first` to before `end`.

    `skipped` is 0, or how many lines are missing here; then the chunk is one line without bytes.
    """

    first: int
    lines: int
    process: str
    time_us: int
    data: bytes
    skipped: int = 0

    @property
    def end(self) -> int:
        """The number after its last line's."""
        return self.first + self.lines

    def split(self) -> list[bytes]:
        return self.data[:-1].split(b"\n")


class Line(NamedTuple):
    """One line, without its newline. `skipped` as in a chunk."""

    process: str
    time_us: int
    data: bytes
    skipped: int = 0


class LogRing:
    """Lines are numbered from 0 in their order of arrival; the oldest are given up, chunk by chunk.

    At most `lines` lines and `size` bytes are kept, but always the newest chunk.
    """

    def __init__(self, lines: int = LINES_KEPT, size: int = BYTES_KEPT) -> None:
        self._most_lines = lines
        self._most_bytes = size
        self._chunks: list[Chunk] = []
        self._head = 0
        self._oldest = 0
        self._bytes = 0
        self._split: OrderedDict[int, list[bytes]] = OrderedDict()
        self.end = 0
        """The number that the next line gets."""
        self.skipped = 0
        """How many lines were never received."""

    @property
    def first(self) -> int:
        """The number of the oldest line that is kept; `end` when there is none."""
        return self._oldest

    @property
    def size(self) -> int:
        """The bytes that are kept, with what keeping them costs."""
        return self._bytes

    def take(self, frame: Frame) -> None:
        """One frame of a log stream: nothing is decoded or split, its newlines are counted."""
        if isinstance(frame, LinesFrame):
            _, time_us, process, data = frame
            if not data.endswith(b"\n"):
                data += b"\n"
            if len(data) <= CHUNK_BYTES:
                self._keep(Chunk(self.end, data.count(b"\n"), process, time_us, data))
                return
            start = 0
            while start < len(data):
                end = data.rfind(b"\n", start, start + CHUNK_BYTES) + 1
                end = end or data.find(b"\n", start) + 1
                piece = data[start:end]
                self._keep(Chunk(self.end, piece.count(b"\n"), process, time_us, piece))
                start = end
        elif isinstance(frame, SkippedFrame):
            self.skipped += frame.lines
            self._keep(Chunk(self.end, 1, "", 0, b"", frame.lines))

    def line(self, number: int) -> Line | None:
        """The line of that number; None when it is not kept any more, or not there yet."""
        chunk = self.chunk(number)
        if chunk is None:
            return None
        if chunk.skipped:
            return Line("", 0, b"", chunk.skipped)
        return Line(chunk.process, chunk.time_us, self.split(chunk)[number - chunk.first])

    def chunk(self, number: int) -> Chunk | None:
        """The chunk that holds the line of that number, if it is kept."""
        if not self.first <= number < self.end:
            return None
        return self._chunks[self._index(number)]

    def split(self, chunk: Chunk) -> list[bytes]:
        found = self._split.get(chunk.first)
        if found is None:
            found = self._split[chunk.first] = chunk.split()
            if len(self._split) > _SPLIT_KEPT:
                self._split.popitem(last=False)
        else:
            self._split.move_to_end(chunk.first)
        return found

    def chunks(self) -> list[Chunk]:
        """All that is kept, oldest first, for a reader that takes its time."""
        return self._chunks[self._head :]

    def chunks_from(self, number: int) -> Iterator[Chunk]:
        """The chunks from the one that holds this line on, oldest first; take nothing meanwhile."""
        if number < self.end:
            for index in range(self._index(max(number, self.first)), len(self._chunks)):
                yield self._chunks[index]

    def chunks_before(self, number: int) -> Iterator[Chunk]:
        """The chunks of the lines before this one, newest first; take nothing meanwhile."""
        if number > self.first:
            for index in range(self._index(min(number, self.end) - 1), self._head - 1, -1):
                yield self._chunks[index]

    def _index(self, number: int) -> int:
        return bisect_right(self._chunks, number, lo=self._head, key=_first) - 1

    def _keep(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self.end += chunk.lines
        self._bytes += len(chunk.data) + _CHUNK_COST_BYTES
        if self._bytes > self._most_bytes or self.end - self._oldest > self._most_lines:
            self._give_up()

    def _give_up(self) -> None:
        chunks, head = self._chunks, self._head
        last = len(chunks) - 1
        while head < last and (
            self._bytes > self._most_bytes or self.end - chunks[head].first > self._most_lines
        ):
            oldest = chunks[head]
            self._bytes -= len(oldest.data) + _CHUNK_COST_BYTES
            self._split.pop(oldest.first, None)
            # The chunk goes at once, its place in the list later: that moves all the others.
            chunks[head] = _GONE
            head += 1
        self._head, self._oldest = head, chunks[head].first
        if head > 1024 and head > len(chunks) // 2:
            del chunks[:head]
            self._head = 0


_GONE = Chunk(-1, 0, "", 0, b"")
