"""Which log lines are listed, found in short steps, newest first; searched; saved."""

from __future__ import annotations

import re
import time
import warnings
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.logline import GRAVITY, level_of
from etcd_sandbox.tui.logring import Chunk, LogRing
from etcd_sandbox.tui.text import decoded

SEARCHED_BYTES = 16 << 10
"""Of a longer line only the beginning is searched: a greedy expression may take the square of it."""


class Level(StrEnum):
    """How grave a line is; what ends etcd (panic, fatal) counts as an error."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


def pattern_of(text: str) -> re.Pattern[str]:
    """The regular expression; it looks at capitals only when it has some.

    Raises InputError when it is none.
    """
    exact = any(letter.isupper() for letter in re.sub(r"\\.", "", text, flags=re.DOTALL))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(text, 0 if exact else re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise InputError(
            f"{text!r} is not a regular expression: {error}",
            hint="put a backslash before characters that are meant as they are",
        ) from None


class LogFilter(Struct, frozen=True):
    """None means any process, any level, any text. Skipped lines always pass."""

    processes: frozenset[str] | None = None
    level: Level | None = None
    pattern: re.Pattern[str] | None = None

    @property
    def is_open(self) -> bool:
        return self.processes is None and not self.reads

    @property
    def reads(self) -> bool:
        """Whether a line has to be read, beyond the name of its process."""
        return self.level not in (None, Level.DEBUG) or self.pattern is not None

    def admits(self, chunk: Chunk) -> bool:
        return self.processes is None or chunk.process in self.processes or bool(chunk.skipped)

    def keeps(self, line: bytes) -> bool:
        """Whether a line of an admitted chunk passes."""
        # A line that tells no level counts as info.
        if self.level is not None and GRAVITY[level_of(line) or "info"] < GRAVITY[self.level]:
            return False
        return self.pattern is None or found_in(self.pattern, line)


def found_in(pattern: re.Pattern[str], line: bytes) -> bool:
    """Whether the expression matches anywhere in the line, colours left aside."""
    return pattern.search(decoded(line[:SEARCHED_BYTES])) is not None


def kept(chunks: Iterable[Chunk], chosen: LogFilter) -> Iterator[tuple[Chunk, list[bytes]]]:
    """The lines that pass, by chunk; a chunk of skipped lines comes without lines."""
    for chunk in chunks:
        if not chosen.admits(chunk):
            continue
        if chunk.skipped:
            yield chunk, []
        elif lines := [line for line in chunk.split() if not chosen.reads or chosen.keeps(line)]:
            yield chunk, lines


class Listing:
    """The numbers of the lines in a ring that pass a filter.

    An open filter needs no looking. Else `scan` is called now and then: it first looks at what is
    new, then goes back from where it began, so that the newest lines are there first.
    """

    def __init__(self, ring: LogRing, chosen: LogFilter) -> None:
        self.ring = ring
        self.filter = chosen
        self._numbers: deque[int] = deque()
        self._low = self._high = ring.end

    @property
    def complete(self) -> bool:
        """Whether all lines of the ring were looked at."""
        ring = self.ring
        return self.filter.is_open or (self._low <= ring.first and self._high == ring.end)

    def scan(self, budget_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Look at more lines, for about as long as that (one chunk may be over it)."""
        if self.complete:
            self._forget()
            return
        until = clock() + budget_s
        self._forget()
        for chunk in self.ring.chunks_from(self._high):
            self._numbers.extend(self._passing(chunk))
            self._high = chunk.end
            if clock() >= until:
                return
        for chunk in self.ring.chunks_before(self._low):
            self._numbers.extendleft(reversed(self._passing(chunk)))
            self._low = chunk.first
            if clock() >= until:
                return

    def __len__(self) -> int:
        return self.count_from(self.ring.first)

    def count_from(self, number: int) -> int:
        """How many listed lines have this number or a higher one."""
        if self.filter.is_open:
            return max(0, self.ring.end - max(number, self.ring.first))
        return len(self._numbers) - bisect_left(self._numbers, number)

    def from_(self, number: int, count: int) -> list[int]:
        """The first `count` listed lines with this number or a higher one, oldest first."""
        if self.filter.is_open:
            start = max(number, self.ring.first)
            return list(range(start, min(start + count, self.ring.end)))
        start = self._place(number)
        return [self._numbers[at] for at in range(start, min(start + count, len(self._numbers)))]

    def before(self, number: int, count: int) -> list[int]:
        """The last `count` listed lines with lower numbers, oldest first."""
        if self.filter.is_open:
            end = min(number, self.ring.end)
            return list(range(max(end - count, self.ring.first), end))
        end = self._place(number)
        return [self._numbers[at] for at in range(max(end - count, self._place(0)), end)]

    def _place(self, number: int) -> int:
        return bisect_left(self._numbers, max(number, self.ring.first))

    def _forget(self) -> None:
        first = self.ring.first
        if self._high < first:
            self._low = self._high = self.ring.end
            self._numbers.clear()
        self._low = max(self._low, first)
        while self._numbers and self._numbers[0] < first:
            self._numbers.popleft()

    def _passing(self, chunk: Chunk) -> list[int] | range:
        numbers = range(chunk.first, chunk.end)
        if not self.filter.admits(chunk):
            return range(0)
        if chunk.skipped or not self.filter.reads:
            return numbers
        keeps = self.filter.keeps
        lines = self.ring.split(chunk)
        return [number for number, line in zip(numbers, lines, strict=True) if keeps(line)]


_STEP_LINES = 200


class Search:
    """Looks for the nearest listed line that matches, from `start` on.

    Upwards: the lines before `start`, newest first. Downwards: `start` and those after it.
    `found` is its number, None until then; `ended` tells that there is none.
    """

    def __init__(self, listing: Listing, pattern: re.Pattern[str], start: int, *, up: bool) -> None:
        self.listing = listing
        self.pattern = pattern
        self.up = up
        self.found: int | None = None
        self.ended = False
        self._at = start

    @property
    def done(self) -> bool:
        return self.ended or self.found is not None

    def step(self, budget_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Look at more lines, for about as long as that."""
        until = clock() + budget_s
        while not self.done:
            self._batch()
            if clock() >= until:
                return

    def _batch(self) -> None:
        numbers = (
            self.listing.before(self._at, _STEP_LINES)[::-1]
            if self.up
            else self.listing.from_(self._at, _STEP_LINES)
        )
        for number in numbers:
            line = self.listing.ring.line(number)
            if line is not None and not line.skipped and found_in(self.pattern, line.data):
                self.found = number
                return
        if numbers:
            self._at = numbers[-1] if self.up else numbers[-1] + 1
        # Until the filter has looked at everything, more lines may yet be listed above.
        elif not self.up or self.listing.complete:
            self.ended = True


def save(path: Path, chunks: Iterable[Chunk], chosen: LogFilter) -> int:
    """Write the lines that pass to a new file, each behind the name of its process; how many.

    Raises FileExistsError where the file exists.
    """
    count = 0
    with path.open("xb") as file:
        for chunk, lines in kept(chunks, chosen):
            if chunk.skipped:
                file.write(f"… {chunk.skipped} lines skipped …\n".encode())
            prefix = chunk.process.encode() + b" | "
            file.writelines(prefix + line + b"\n" for line in lines)
            count += len(lines)
    return count
