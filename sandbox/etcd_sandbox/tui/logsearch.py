"""A search through the listed lines, up or down, in steps that are short enough for a screen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from etcd_sandbox.tui.logfilter import Listing, found_in

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
        """Whether there is nothing left to do."""
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
