"""How clients were served: while something was measured, in figures and words; and tenth of a second by tenth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntFlag, StrEnum

from msgspec import Struct

UNNOTICED_S = 0.1
"""What a client does not notice: a wait, or a time between two requests that were served."""

LATE_S = 0.25
"""A request that takes longer is late. Late is not failed: it was served."""

NOTABLY_S = 0.3
"""By how much writes must suffer longer than reads to be spoken of. They are tried every 0.2 s."""


BUCKET_S = 0.1

OPEN_FOR_A_MOMENT = 2
"""So many tenths without an end of any request are none to speak of: requests come in their own rhythm."""


class How(StrEnum):
    """How requests fared.

    WENT_ON: nobody noticed anything. WAITED: some took longer for a while. SLOW: they do so still.
    FAILED: for a time none was served, and some failed. FAILING, WAITING: that time has not ended;
    with WAITING no answer has come at all, not even an error.
    """

    WENT_ON = "went-on"
    WAITED = "waited"
    SLOW = "slow"
    FAILED = "failed"
    FAILING = "failing"
    WAITING = "waiting"


class Service(Struct, frozen=True, kw_only=True):
    """How reads, or writes, were served.

    `gap_s` is the time that `how` is about: with FAILED, FAILING and WAITING the longest one in which none
    was served, else the longest between two that were. `wait_s` is how long the slowest took that
    was served; with SLOW the slowest of the last ones.
    """

    how: How
    gap_s: float
    wait_s: float = 0.0

    @property
    def suffered_s(self) -> float:
        """For how long a client stood still at most."""
        if self.how in (How.FAILED, How.FAILING, How.WAITING):
            return self.gap_s
        return self.wait_s if self.how is not How.WENT_ON else 0.0

    @property
    def outage_s(self) -> float:
        """For how long none was served while some failed; 0.0 where there was no such time."""
        return self.gap_s if self.how in (How.FAILED, How.FAILING) else 0.0


class LostWrites(Struct, frozen=True, kw_only=True):
    """Writes that were sent while nobody led and whose answer is still awaited: so many, until so long after."""

    count: int
    within_s: float


def words(what: str, service: Service | None) -> str:
    """How `reads` or `writes` were served, in words; empty where nothing is known."""
    if service is None:
        return ""
    match service.how:
        case How.WENT_ON:
            return f"{what} went on"
        case How.WAITED:
            return f"{what} waited for up to {service.wait_s:.2f} s"
        case How.SLOW:
            return f"{what} take up to {service.wait_s:.2f} s"
        case How.FAILED:
            return f"{what} failed for {service.gap_s:.2f} s"
        case How.FAILING:
            return f"{what} still fail, after {service.gap_s:.2f} s"
        case How.WAITING:
            return f"{what} still wait, after {service.gap_s:.2f} s"


def writes_words(
    reads: Service | None, writes: Service | None, lost: LostWrites | None
) -> Iterable[str]:
    """What is to be said of writes beside reads: only where they suffer noticeably longer."""
    if lost is None and writes is not None and reads is not None:
        longer_s = writes.suffered_s - reads.suffered_s
        yield from [words("writes", writes)] if longer_s > NOTABLY_S else []
    if lost is not None:
        yield f"writes sent meanwhile wait for up to {lost.within_s:g} s"


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
