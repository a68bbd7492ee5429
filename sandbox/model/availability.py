"""Whether clients were served, tenth of a second by tenth."""

from __future__ import annotations

from dataclasses import dataclass

BUCKET_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What became of the requests that began within 100 ms.

    `time_us` is when it began, in microseconds since the epoch. The counts are of linearizable
    reads, one on each running member, and of writes; both are 0 where none was tried.
    """

    time_us: int
    reads: int = 0
    reads_failed: int = 0
    writes: int = 0
    writes_failed: int = 0

    @property
    def readable(self) -> bool:
        """Whether any read succeeded; with no member running none can."""
        return self.reads > 0

    @property
    def writable(self) -> bool | None:
        """Whether any write succeeded; None where none was tried."""
        return self.writes > 0 if self.writes + self.writes_failed else None
