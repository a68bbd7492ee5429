"""What the processes wrote: raw lines in one rotated file each, and the order of their arrival.

The order is kept in memory as a compact index of chunks, 40 bytes each; chunks of one process
that follow each other closely become one. Readers read the bytes from the files, at their own
pace: whoever is overtaken by rotation is told how many lines were lost to them. Lines are
counted only then, and for a tail: counting all of them would cost more than writing them.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SEGMENT_BYTES = 64 << 20
SEGMENTS_KEPT = 3
"""Rotated files per process beside the one that is written."""

INDEX_ENTRIES = 500_000
MERGE_WINDOW_US = 50_000
CHUNK_BYTES = 256 << 10

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Segment:
    number: int
    fd: int
    size: int


@dataclass(slots=True)
class _File:
    """The files of one process: the last segment is the one that is written."""

    name: str
    path: Path
    segments: list[_Segment] = field(default_factory=list)
    lost_lines: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of one process; `seq` numbers the chunks of a cluster in order of arrival."""

    seq: int
    time_us: int
    process: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """So many lines were rotated away, or forgotten, before the reader came to them."""

    lines: int


class Logbook:
    """The log files of one cluster, in the directory `root`."""

    def __init__(
        self,
        root: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        index_entries: int = INDEX_ENTRIES,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        root.mkdir(mode=0o700, exist_ok=True)
        for place in (root, *root.iterdir()):
            # Better now than when lines come: after one `sudo` some belong to root.
            if not os.access(place, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        self._root = root
        self._segment_bytes = segment_bytes
        self._index_entries = index_entries
        self._now_us = now_us
        self._files: list[_File] = []
        self._by_name: dict[str, int] = {}
        self._first = 0  # the number of the oldest entry that is still held
        self._time_us = array("q")
        self._file = array("q")
        self._segment = array("q")
        self._offset = array("q")
        self._length = array("q")
        self._readers: set[Reader] = set()
        self.closed = False

    def append(self, process: str, lines: bytes | memoryview) -> None:
        """Keep whole lines that `process` wrote just now."""
        number = self._by_name.get(process)
        if number is None:
            number = self._open(process)
        file = self._files[number]
        if file.segments[-1].size + len(lines) > self._segment_bytes and file.segments[-1].size:
            self._rotate(file)
        segment = file.segments[-1]
        try:
            if file.lost_lines:
                notice = b"... %d lines lost: the disk was full ...\n" % file.lost_lines
                lines = notice + lines
            _write_all(segment.fd, lines)
        except OSError as error:
            self._lose(file, lines, error)
            return
        file.lost_lines = 0
        self._note(number, segment, lines)
        for reader in self._readers:
            reader.changed.set()

    def last_lines(self, process: str, count: int) -> list[bytes]:
        """The last lines of one process, without their newlines."""
        number = self._by_name.get(process)
        found: list[bytes] = []
        for entry in range(len(self._file) - 1, -1, -1):
            if self._file[entry] == number:
                found[:0] = self._bytes_of(entry, 0).splitlines()
                if len(found) >= count:
                    break
        return found[max(0, len(found) - count) :]

    def reader(
        self,
        processes: frozenset[str] | None = None,
        *,
        tail: int | None = None,
        since_us: int | None = None,
    ) -> Reader:
        """A reader of these processes (None: all) that begins so many lines, or so long, ago."""
        return Reader(self, processes, tail, since_us)

    def close(self) -> None:
        """No more will be written; readers that wait are let go."""
        self.closed = True
        for reader in self._readers:
            reader.changed.set()

    # What readers use.

    @property
    def first_entry(self) -> int:
        """The number of the oldest entry that is held."""
        return self._first

    @property
    def end_entry(self) -> int:
        """One past the number of the newest entry."""
        return self._first + len(self._file)

    def watch(self, reader: Reader) -> None:
        """Set `reader.changed` when something is appended, call `lose` before something goes."""
        self._readers.add(reader)

    def unwatch(self, reader: Reader) -> None:
        """Undo `watch`."""
        self._readers.discard(reader)

    def entry(self, number: int, skip_bytes: int) -> Chunk:
        """The chunk of that entry from `skip_bytes` on."""
        index = number - self._first
        return Chunk(
            number,
            self._time_us[index],
            self._files[self._file[index]].name,
            self._bytes_of(index, skip_bytes),
        )

    def entry_process(self, number: int) -> str:
        """Whose lines that entry holds."""
        return self._files[self._file[number - self._first]].name

    def entry_time_us(self, number: int) -> int:
        """When that entry's lines arrived."""
        return self._time_us[number - self._first]

    def entry_length(self, number: int) -> int:
        """How many bytes that entry has by now."""
        return self._length[number - self._first]

    # Writing.

    def _open(self, process: str) -> int:
        file = _File(process, self._root / f"{process}.log")
        fd = _open_segment(file.path)
        file.segments.append(_Segment(0, fd, os.fstat(fd).st_size))
        self._files.append(file)
        self._by_name[process] = len(self._files) - 1
        return self._by_name[process]

    def _note(self, number: int, segment: _Segment, lines: bytes | memoryview) -> None:
        now_us = self._now_us()
        offset = segment.size
        segment.size += len(lines)
        if (
            self._file
            and self._file[-1] == number
            and self._segment[-1] == segment.number
            and now_us - self._time_us[-1] < MERGE_WINDOW_US
            and self._length[-1] + len(lines) <= CHUNK_BYTES
        ):
            self._length[-1] += len(lines)
        else:
            self._time_us.append(now_us)
            self._file.append(number)
            self._segment.append(segment.number)
            self._offset.append(offset)
            self._length.append(len(lines))
            if len(self._file) > self._index_entries:
                self._forget(len(self._file) // 10)

    def _rotate(self, file: _File) -> None:
        for number in range(SEGMENTS_KEPT, 0, -1):
            older = file.path.with_name(f"{file.path.name}.{number}")
            newer = older.with_name(f"{file.path.name}.{number - 1}") if number > 1 else file.path
            if newer.exists():
                newer.replace(older)
        fd = _open_segment(file.path)
        file.segments.append(_Segment(file.segments[-1].number + 1, fd, 0))
        while len(file.segments) > SEGMENTS_KEPT + 1:
            self._drop(file)

    def _drop(self, file: _File) -> None:
        """Give up the oldest segment of a file, telling the readers that have not come to it."""
        number, segment = self._by_name[file.name], file.segments[0].number

        def goes(index: int) -> bool:
            return self._file[index] == number and self._segment[index] == segment

        self._warn(goes, len(self._file))
        os.close(file.segments.pop(0).fd)
        # Entries at the front that only point to what is gone are of no use to anybody.
        useless = 0
        while useless < len(self._file) and not self._is_held(useless):
            useless += 1
        if useless:
            self._delete(useless)

    def _forget(self, entries: int) -> None:
        self._warn(lambda index: index < entries and self._is_held(index), entries)
        self._delete(entries)

    def _warn(self, goes: Callable[[int], bool], end: int) -> None:
        for reader in self._readers:
            begin = max(0, reader.entry - self._first)
            reader.lose([self._first + index for index in range(begin, end) if goes(index)])

    def _delete(self, entries: int) -> None:
        for column in self._columns():
            del column[:entries]
        self._first += entries

    def _columns(self) -> Iterator[array[int]]:
        yield from (self._time_us, self._file, self._segment, self._offset, self._length)

    def _lose(self, file: _File, lines: bytes | memoryview, error: OSError) -> None:
        if not file.lost_lines:
            _log.error("lines of %s are lost: %s: %s", file.name, file.path, error.strerror)
        already = 1 if file.lost_lines else 0  # the notice itself is not a line of the process
        file.lost_lines += bytes(lines).count(b"\n") - already
        # A partial write must not leave half a line before the next one.
        segment = file.segments[-1]
        os.ftruncate(segment.fd, segment.size)

    # Reading.

    def _is_held(self, index: int) -> bool:
        file = self._files[self._file[index]]
        return self._segment[index] >= file.segments[0].number

    def _bytes_of(self, index: int, skip_bytes: int) -> bytes:
        file = self._files[self._file[index]]
        place = self._segment[index] - file.segments[0].number
        if place < 0:
            return b""
        start = self._offset[index] + skip_bytes
        return os.pread(file.segments[place].fd, self._length[index] - skip_bytes, start)


class Reader:
    """One viewer's place in a logbook: the entry it is at and how much of that it has read."""

    def __init__(
        self,
        book: Logbook,
        processes: frozenset[str] | None,
        tail: int | None,
        since_us: int | None,
    ) -> None:
        self._book = book
        self._processes = processes
        self.changed = asyncio.Event()
        self.entry = book.first_entry
        self._done_bytes = 0
        self._cut_lines = 0
        self._lost_lines = 0
        if since_us is not None:
            while self.entry < book.end_entry and book.entry_time_us(self.entry) < since_us:
                self.entry += 1
        if tail is not None:
            self._go_back(tail)
        book.watch(self)

    def close(self) -> None:
        """Give up the place."""
        self._book.unwatch(self)

    def read(self) -> Iterator[Chunk | Gap]:
        """Everything that is there now and was not read before."""
        book = self._book
        self.changed.clear()
        while True:
            if self._lost_lines:
                lost, self._lost_lines = self._lost_lines, 0
                yield Gap(lost)
            if self.entry < book.first_entry:
                self.entry, self._done_bytes = book.first_entry, 0
            if self.entry >= book.end_entry:
                return
            number, done = self.entry, self._done_bytes
            length = book.entry_length(number)
            if number + 1 < book.end_entry:
                self.entry, self._done_bytes = number + 1, 0
            else:
                # The newest entry may still grow: stay on it.
                self._done_bytes = length
            if done < length and self._is_wanted(number):
                chunk = book.entry(number, done)
                if chunk.data:
                    yield self._trimmed(chunk)
            if self.entry == number:
                return

    def lose(self, entries: list[int]) -> None:
        """Count the lines of these entries, which are about to go, as lost to this reader."""
        for number in entries:
            if self._is_wanted(number):
                done = self._done_bytes if number == self.entry else 0
                self._lost_lines += self._book.entry(number, done).data.count(b"\n")

    @property
    def at_end(self) -> bool:
        """Whether nothing will come after the next `read`."""
        return self._book.closed

    async def wait(self) -> None:
        """Wait for more, or for the end."""
        if not self._book.closed:
            await self.changed.wait()

    def _is_wanted(self, entry: int) -> bool:
        return self._processes is None or self._book.entry_process(entry) in self._processes

    def _go_back(self, lines: int) -> None:
        start, self.entry = self.entry, self._book.end_entry
        missing = lines
        while missing > 0 and self.entry > start:
            self.entry -= 1
            if self._is_wanted(self.entry):
                missing -= self._book.entry(self.entry, 0).data.count(b"\n")
        self._cut_lines = max(0, -missing)

    def _trimmed(self, chunk: Chunk) -> Chunk:
        if not self._cut_lines:
            return chunk
        place = 0
        for _ in range(self._cut_lines):
            place = chunk.data.index(b"\n", place) + 1
        cut, self._cut_lines = self._cut_lines, 0
        return Chunk(chunk.seq + cut, chunk.time_us, chunk.process, chunk.data[place:])


def _open_segment(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _write_all(fd: int, content: bytes | memoryview) -> None:
    written = os.write(fd, content)
    while written < len(content):
        written += os.write(fd, content[written:])
