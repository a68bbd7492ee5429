"""How clients were served while something was measured: figures, and the words made of them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

UNNOTICED_S = 0.1
"""What a client does not notice: a wait, or a time between two requests that were served."""

LATE_S = 0.25
"""A request that takes longer is late. Late is not failed: it was served."""


NOTABLY_S = 0.3
"""By how much writes must suffer longer than reads to be spoken of. They are tried every 0.2 s."""


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
