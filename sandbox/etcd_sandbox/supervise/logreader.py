"""One viewer's place in a logbook: what it reads at its own pace, and what it is told is lost to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from etcd_sandbox.supervise.logbook import Logbook


class Chunk(Struct, frozen=True):
    """Whole lines of one process; `seq` numbers the chunks of a cluster in order of arrival."""

    seq: int
    time_us: int
    process: str
    data: bytes


class Gap(Struct, frozen=True):
    """So many lines were rotated away, or forgotten, before the reader came to them."""

    lines: int


class Reader:
    """One viewer's place in a logbook: the entry it is at and how much of that it has read."""

    def __init__(
        self,
        book: Logbook,
        processes: frozenset[str] | None,
        tail: int | None,
        since_us: int | None,
        lost_lines: int = 0,
    ) -> None:
        self._book = book
        self._processes = processes
        self.changed = asyncio.Event()
        self.entry = book.first_entry
        self._done_bytes = 0
        self._cut_lines = 0
        self._lost_lines = lost_lines
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
