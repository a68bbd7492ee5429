"""What the processes wrote: raw lines in one rotated file each, and the order of their arrival.

The order is kept in memory as a compact index of chunks, 40 bytes each; chunks of one process
that follow each other closely become one. Readers read the bytes from the files, at their own
pace: whoever is overtaken by rotation is told how many lines were lost to them. Lines are
counted only then, and for a tail: counting all of them would cost more than writing them.
What the disk refuses is held in memory as long as it fits, counted, and told.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from etcd_sandbox.host.obstacle import FULL
from etcd_sandbox.model.state import LogLoss
from etcd_sandbox.supervise.logreader import Chunk, Gap, Reader

__all__ = ["Chunk", "Gap", "Logbook", "Reader"]

SEGMENT_BYTES = 64 << 20
SEGMENTS_KEPT = 3
"""Rotated files per process beside the one that is written."""

INDEX_ENTRIES = 500_000
MERGE_WINDOW_US = 50_000
CHUNK_BYTES = 256 << 10

HELD_BYTES = 512 << 10
"""Of what the disk refuses, so much is held in memory for those who look on, and as much again."""

CALM_US = 2_000_000
"""The disk takes lines again when it has refused none for so long: a full one takes short ones at times."""

_log = logging.getLogger(__name__)


class _Segment(Struct):
    """Lines of one process that lie together: in a file, or in memory while the disk refuses them."""

    number: int
    fd: int = -1
    size: int = 0
    held: bytearray = field(default_factory=bytearray)

    def read(self, length: int, start: int) -> bytes:
        if self.fd < 0:
            return bytes(self.held[start : start + length])
        return os.pread(self.fd, length, start)


class _File:
    """The files of one process, and in memory the last of what they could not take.

    `drop` is told of the number of a segment before it goes.
    """

    def __init__(self, name: str, path: Path, limit: int, drop: Callable[[int], None]) -> None:
        self.name = name
        self.path = path
        self.lost_lines = 0
        """So many lines are not in the files since the last one that is."""
        self.gone_lines = 0
        """So many of them are not in memory either."""
        self.why_lost = ""
        self._limit = limit
        self._drop = drop
        self._numbers = count()
        self._all: dict[int, _Segment] = {}
        self._files: list[_Segment] = []
        self._held: list[_Segment] = []

    def append(self, lines: bytes | memoryview) -> tuple[_Segment, int]:
        """Keep the lines: where they begin is the segment's size; with their length, which grew by a notice."""
        try:
            segment = self._writable(len(lines))
        except OSError as error:
            return self._hold(lines, error), len(lines)
        try:
            if self.lost_lines:
                notice = b"... %d lines lost: %s ...\n" % (self.lost_lines, self.why_lost.encode())
                lines = notice + lines
            _write_all(segment.fd, lines)
        except OSError as error:
            # A partial write must not leave half a line before the next one.
            with suppress(OSError):
                os.ftruncate(segment.fd, segment.size)
            own = lines[len(notice) :] if self.lost_lines else lines
            return self._hold(own, error), len(own)
        self.lost_lines = self.gone_lines = 0
        return segment, len(lines)

    def settle(self) -> None:
        """Let go what is held in memory of a loss that is over: those who looked on have read it."""
        if not self.lost_lines:
            self._let_go(self._held)

    def holds(self, number: int) -> bool:
        """Whether the lines of that segment can still be read."""
        return number in self._all

    def read(self, number: int, length: int, start: int) -> bytes:
        """So many bytes of a segment from `start` on; none of one that is gone."""
        return self._all[number].read(length, start) if number in self._all else b""

    def _writable(self, size: int) -> _Segment:
        """The file that is written; raises OSError where there is none."""
        if not self._files:
            fd = _open_segment(self.path)
            self._add(self._files, _Segment(next(self._numbers), fd, os.fstat(fd).st_size))
        last = self._files[-1]
        if last.size and last.size + size > self._limit:
            # Where no further file can be had, the last one grows: better than losing lines.
            with suppress(OSError):
                self._rotate()
        return self._files[-1]

    def _rotate(self) -> None:
        # The new one first: without it nothing is moved.
        fresh = self.path.with_name(f"{self.path.name}.new")
        fd = _open_segment(fresh)
        try:
            for number in range(SEGMENTS_KEPT, 0, -1):
                older = self.path.with_name(f"{self.path.name}.{number}")
                newer = self.path.with_name(f"{self.path.name}.{number - 1}")
                newer = newer if number > 1 else self.path
                if newer.exists():
                    newer.replace(older)
            fresh.replace(self.path)
        except OSError:
            os.close(fd)
            raise
        self._add(self._files, _Segment(next(self._numbers), fd))
        self._let_go(self._files[: -(SEGMENTS_KEPT + 1)])

    def _hold(self, lines: bytes | memoryview, error: OSError) -> _Segment:
        """Keep the lines in memory, for those who look on, and count them as lost to the files."""
        self.settle()
        if not self.lost_lines:
            _log.error("lines of %s are lost: %s: %s", self.name, self.path, error.strerror)
        self.why_lost = "the disk was full" if error.errno in FULL else str(error.strerror)
        self.lost_lines += bytes(lines).count(b"\n")
        if not self._held or self._held[-1].size + len(lines) > HELD_BYTES:
            self._add(self._held, _Segment(next(self._numbers)))
            self.gone_lines += sum(segment.held.count(b"\n") for segment in self._held[:-2])
            self._let_go(self._held[:-2])
        self._held[-1].held += lines
        return self._held[-1]

    def _add(self, where: list[_Segment], segment: _Segment) -> None:
        where.append(segment)
        self._all[segment.number] = segment

    def _let_go(self, segments: list[_Segment]) -> None:
        for segment in list(segments):
            self._drop(segment.number)
            del self._all[segment.number]
            (self._held if segment.fd < 0 else self._files).remove(segment)
            if segment.fd >= 0:
                os.close(segment.fd)


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
        self._last_loss_us = 0
        self.loss = LogLoss()
        self.on_loss: Callable[[LogLoss, Path], None] = lambda loss, path: None
        """Told when the disk begins to refuse lines, and when it takes them again."""
        self.closed = False

    def append(self, process: str, lines: bytes | memoryview) -> None:
        """Keep whole lines that `process` wrote just now."""
        number = self._by_name.get(process)
        if number is None:
            number = self._open(process)
        file = self._files[number]
        lost_before = file.lost_lines
        segment, length = file.append(lines)
        self._note(number, segment, length)
        for reader in self._readers:
            reader.changed.set()
        if file.lost_lines or self.loss.losing:
            self._note_loss(file, lost_before)

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
        for file in self._files:
            file.settle()
        lost = 0
        if tail is None and since_us is None:
            wanted = [file for file in self._files if processes is None or file.name in processes]
            lost = sum(file.gone_lines for file in wanted)
        return Reader(self, processes, tail, since_us, lost)

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
        number = len(self._files)
        path = self._root / f"{process}.log"
        drop = partial(self._drop, number)
        self._files.append(_File(process, path, self._segment_bytes, drop))
        self._by_name[process] = number
        return number

    def _note_loss(self, file: _File, lost_before: int) -> None:
        """Tell when lines begin to be lost, and when for a while none was."""
        now_us, was = self._now_us(), self.loss
        if file.lost_lines:
            self._last_loss_us = now_us
            lines = was.lines + file.lost_lines - lost_before
            self.loss = LogLoss(lines=lines, losing=True, why=file.why_lost)
        elif now_us - self._last_loss_us >= CALM_US:
            self.loss = replace(was, losing=False)
        if self.loss.losing is not was.losing:
            self.on_loss(self.loss, file.path)

    def _note(self, number: int, segment: _Segment, length: int) -> None:
        now_us = self._now_us()
        offset = segment.size
        segment.size += length
        if (
            self._file
            and self._file[-1] == number
            and self._segment[-1] == segment.number
            and now_us - self._time_us[-1] < MERGE_WINDOW_US
            and self._length[-1] + length <= CHUNK_BYTES
        ):
            self._length[-1] += length
        else:
            self._time_us.append(now_us)
            self._file.append(number)
            self._segment.append(segment.number)
            self._offset.append(offset)
            self._length.append(length)
            if len(self._file) > self._index_entries:
                self._forget(len(self._file) // 10)

    def _drop(self, number: int, segment: int) -> None:
        """Give up a segment of a file, telling the readers that have not come to it."""

        def goes(index: int) -> bool:
            return self._file[index] == number and self._segment[index] == segment

        self._warn(goes, len(self._file))
        # Entries at the front that only point to what is gone are of no use to anybody.
        useless = 0
        while useless < len(self._file) and (goes(useless) or not self._is_held(useless)):
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

    # Reading.

    def _is_held(self, index: int) -> bool:
        return self._files[self._file[index]].holds(self._segment[index])

    def _bytes_of(self, index: int, skip_bytes: int) -> bytes:
        length, start = self._length[index] - skip_bytes, self._offset[index] + skip_bytes
        return self._files[self._file[index]].read(self._segment[index], length, start)


def _open_segment(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _write_all(fd: int, content: bytes | memoryview) -> None:
    written = os.write(fd, content)
    while written < len(content):
        written += os.write(fd, content[written:])
