"""Whether clients were served, tenth of a second by tenth, and what hindsight makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag

from msgspec import Struct

BUCKET_S = 0.1

OPEN_FOR_A_MOMENT = 2
"""So many tenths without an end of any request are none to speak of: requests come in their own rhythm."""


class Bucket(Struct, frozen=True, kw_only=True):
    """What became of the requests that ended within 100 ms.

    `time_us` is when it began, in microseconds since the epoch. The counts are of linearizable reads,
    tried on the members in turn, and of writes: served, served late (those are among the served), failed.
    `waiting` ones have been under way for a while at its end, without an answer. `asked` is how many
    members ran. `first_read_us` and `last_read_us` are when the first and the last read was
    served. `leaderless`: at its end nobody led, by the logs. All are 0 where none was tried.
    """

    time_us: int
    reads: int = 0
    reads_late: int = 0
    reads_failed: int = 0
    reads_waiting: int = 0
    writes: int = 0
    writes_late: int = 0
    writes_failed: int = 0
    writes_waiting: int = 0
    asked: int = 0
    first_read_us: int | None = None
    last_read_us: int | None = None
    leaderless: bool = False

    @property
    def read(self) -> Served:
        """How readers fared."""
        if self.reads:
            return Served.LATE if self.reads_late == self.reads else Served.YES
        if self.reads_failed or not self.asked or self.leaderless:
            return Served.NO
        return Served.OPEN

    @property
    def written(self) -> Served | None:
        """How writers fared; None where no write was tried."""
        if self.writes:
            return Served.LATE if self.writes_late == self.writes else Served.YES
        if self.writes_failed:
            return Served.NO
        if not self.writes_waiting:
            return None
        return Served.NO if self.leaderless else Served.OPEN

    @property
    def is_served(self) -> bool:
        """Nothing shows that a client was not."""
        return Served.NO not in (self.read, self.written)


class Served(IntFlag):
    """How the requests of a time fared; of a longer time several may hold.

    YES: some were served in time. LATE: all that were served had waited. NO: none was served, and
    some failed or had to. OPEN: no request has ended; what comes after tells what that was.
    """

    YES = 1
    NO = 2
    LATE = 4
    OPEN = 8


def with_hindsight(fared: Sequence[Served | None]) -> list[Served | None]:
    """These in the order of time, OPEN replaced by what it turned out to be.

    Requests that wait and are served in the end were late; beside a failure, nobody was served. At the
    end it stays open.
    """
    found = list(fared)
    at = 0
    while at < len(found):
        if found[at] is not Served.OPEN:
            at += 1
            continue
        end = at
        while end < len(found) and found[end] is Served.OPEN:
            end += 1
        before = found[at - 1] if at else None
        after = found[end] if end < len(found) else None
        found[at:end] = [_turned_out(before, after, end - at)] * (end - at)
        at = end
    return found


def _turned_out(before: Served | None, after: Served | None, tenths: int) -> Served:
    if Served.NO in (before, after):
        return Served.NO
    if after is not None:
        return after
    return before if before is not None and tenths <= OPEN_FOR_A_MOMENT else Served.OPEN
