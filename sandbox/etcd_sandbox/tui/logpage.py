"""Which rows of which lines are on the screen: at the end, or where a reader stays, by the lines' numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from etcd_sandbox.tui.logfilter import Listing
from etcd_sandbox.tui.logrows import Cells

Drawn = Callable[[int], list[Cells]]
"""The rows of the line of that number."""


class Row(NamedTuple):
    """A row of the screen: the number of its line, which row of the line it is, how it looks."""

    number: int
    part: int
    cells: Cells


class Place(NamedTuple):
    """A row of a line, whether the line is listed, kept, or not any more."""

    number: int
    part: int = 0


class Reader:
    """Where the screen stands among the listed lines. `top` is None while it follows the end."""

    def __init__(self, drawn: Drawn) -> None:
        self._drawn = drawn
        self.top: Place | None = None
        self.left_at = 0
        """The number that the next line would have got when the end was left."""

    def page(self, listing: Listing, height: int) -> list[Row]:
        """The rows that are seen; fewer than `height` only when there are no more."""
        if self.top is None:
            return self._last(listing, height)
        page: list[Row] = []
        for number in listing.from_(self.top.number, height + 1):
            skip = self.top.part if number == self.top.number else 0
            page += [Row(number, part, cells) for part, cells in self._rows(number) if part >= skip]
            if len(page) >= height:
                return page[:height]
        return self._last(listing, height)

    def leave_end(self, page: list[Row], end: int) -> None:
        """Stay with the rows that are seen. `end` is the number that the next line gets."""
        if self.top is None and page:
            self.top = Place(page[0].number, page[0].part)
            self.left_at = end

    def follow(self) -> None:
        self.top = None

    def go(self, listing: Listing, number: int, above: int) -> None:
        """Show that line, with about `above` rows above it."""
        before = listing.before(number, above)
        self.top = Place(before[0] if before else number)

    def restart_line(self) -> None:
        """Stay with the line, from its first row on: its rows have changed."""
        if self.top is not None:
            self.top = Place(self.top.number)

    def walk(self, listing: Listing, rows: int, height: int) -> None:
        """So many rows down, or up if negative; at the last row the end is followed again."""
        if self.top is None:
            return
        number, part = self._nearest(listing, self.top)
        while rows < 0:
            if part:
                step = min(part, -rows)
                part, rows = part - step, rows + step
            elif before := listing.before(number, 1):
                number = before[0]
                part, rows = len(self._drawn(number)) - 1, rows + 1
            else:
                break
        while rows > 0:
            rest = len(self._drawn(number)) - 1 - part
            if rest:
                step = min(rest, rows)
                part, rows = part + step, rows - step
            elif after := listing.from_(number + 1, 1):
                number, part, rows = after[0], 0, rows - 1
            else:
                break
            if rows == 0 and self._ends(listing, Place(number, part), height):
                self.top = None
                return
        self.top = Place(number, part)

    def _ends(self, listing: Listing, top: Place, height: int) -> bool:
        rows = -top.part
        for number in listing.from_(top.number, height + 1):
            rows += len(self._drawn(number))
            if rows > height:
                return False
        return True

    def _nearest(self, listing: Listing, place: Place) -> Place:
        listed = listing.from_(place.number, 1) or listing.before(place.number, 1)
        if not listed:
            return place
        return place if listed[0] == place.number else Place(listed[0])

    def _last(self, listing: Listing, height: int) -> list[Row]:
        page: list[Row] = []
        for number in reversed(listing.before(listing.ring.end, height)):
            page[:0] = [Row(number, part, cells) for part, cells in self._rows(number)]
            if len(page) >= height:
                return page[-height:]
        return page

    def _rows(self, number: int) -> enumerate[Cells]:
        return enumerate(self._drawn(number))
