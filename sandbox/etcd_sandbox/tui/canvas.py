"""A canvas of characters for lines in braille dots, with text over them; styled lines come out."""

from __future__ import annotations

from rich.cells import cell_len

from etcd_sandbox.tui.pieces import Line, joined

DOTS_WIDE, DOTS_HIGH = 2, 4
"""The dots of one cell: `⣿`."""

_BLANK = 0x2800
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot in a braille character, by row and column (Unicode, Braille Patterns)."""


class Canvas:
    """`width` × `height` cells; what lies outside is not drawn. Text covers dots."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._dots: dict[tuple[int, int], tuple[int, str]] = {}
        self._text: dict[tuple[int, int], tuple[str, str]] = {}

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        style: str,
        *,
        every: int = 1,
        gap: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """A straight line between the middles of two cells: each `every`th dot, none within `gap`.

        The gap is given as two shares of the way.
        """
        x0, y0 = ((start[0] + 0.5) * DOTS_WIDE, (start[1] + 0.5) * DOTS_HIGH)
        x1, y1 = ((end[0] + 0.5) * DOTS_WIDE, (end[1] + 0.5) * DOTS_HIGH)
        steps = max(1, round(max(abs(x1 - x0), abs(y1 - y0))))
        for step in range(0, steps + 1, every):
            share = step / steps
            if not gap[0] < share < gap[1]:
                self.dot(int(x0 + (x1 - x0) * share), int(y0 + (y1 - y0) * share), style)

    def dot(self, x: int, y: int, style: str) -> None:
        """One dot, counted in dots from the upper left; of two styles in a cell the later is taken."""
        cell = (x // DOTS_WIDE, y // DOTS_HIGH)
        bits, _ = self._dots.get(cell, (0, ""))
        self._dots[cell] = (bits | _BITS[y % DOTS_HIGH][x % DOTS_WIDE], style)

    def text(self, x: int, y: int, text: str, style: str) -> None:
        """Text whose first cell is at `x`, `y`."""
        for character in text:
            wide = cell_len(character)
            if x >= 0 and x + wide <= self.width and 0 <= y < self.height and wide:
                self._text[x, y] = (character, style)
                if wide == 2:
                    self._text[x + 1, y] = ("", style)
            x += wide

    def is_free(self, x: int, y: int, width: int) -> bool:
        """Whether a text of `width` cells would be inside and cover no other text."""
        return (
            x >= 0
            and x + width <= self.width
            and 0 <= y < self.height
            and not any((column, y) in self._text for column in range(x, x + width))
        )

    def lines(self) -> list[Line]:
        """What was drawn, line by line."""
        return [joined(self._cell(x, y) for x in range(self.width)) for y in range(self.height)]

    def _cell(self, x: int, y: int) -> tuple[str, str]:
        if (x, y) in self._text:
            return self._text[x, y]
        if (x, y) in self._dots:
            bits, style = self._dots[x, y]
            return chr(_BLANK | bits), style
        return " ", ""
