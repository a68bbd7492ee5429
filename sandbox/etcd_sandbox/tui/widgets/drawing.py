"""A widget that is a list of styled lines, of which it repaints only those that changed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.text import Line, width_of


class Drawing(ScrollView):
    """Draws what the store holds whenever there is news of it, and nothing while it is hidden.

    A widget of this kind says in `news` what it depends on and in `draw` how it looks.
    """

    DEFAULT_CSS = """
    Drawing { overflow-x: hidden; scrollbar-size-vertical: 1; }
    """
    ALLOW_SELECT = False
    WIDE: ClassVar[bool] = False
    """Whether lines that are wider than the widget can be scrolled to."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._store: Store | None = None
        self._drawn: object = None
        self._lines: Sequence[Line] = ()

    def show(self, store: Store) -> None:
        """Take news; paint it now if the widget can be seen, else as soon as it can."""
        self._store = store
        if self._drawn != self._what(store):
            self.redraw()

    def news(self, store: Store) -> object:
        """What changes whenever there is something to draw."""
        raise NotImplementedError

    def draw(self, store: Store, size: Size) -> Sequence[Line]:
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw again, and repaint the lines that changed; a hidden widget has no size."""
        if self._store is None or not self.size:
            return
        self._drawn = self._what(self._store)
        self._put(self.draw(self._store, self.scrollable_content_region.size))

    def on_show(self) -> None:
        self.redraw()

    def on_resize(self, _: events.Resize) -> None:
        self.redraw()

    def watch_show_vertical_scrollbar(self) -> None:
        """Draw again: a scrollbar that comes or goes changes the room."""
        if self.is_mounted:
            self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        if self._store is not None and self._drawn != self._what(self._store):
            self.redraw()

    def render_line(self, y: int) -> Strip:
        return self.painted(self._line_at(y), self.rich_style)

    def _line_at(self, y: int) -> Line:
        number = y + self.scroll_offset.y
        return self._lines[number] if number < len(self._lines) else ()

    def painted(self, line: Line, style: Style) -> Strip:
        """A line on the ground of `style`, as wide as the widget."""
        width = self.scrollable_content_region.width
        left = self.scroll_offset.x
        segments = [Segment(text, style + Style.parse(name)) for text, name in line]
        return Strip(segments).crop_extend(left, left + width, style)

    def _what(self, store: Store) -> object:
        return self.news(store), self.scrollable_content_region.size

    def _put(self, lines: Sequence[Line]) -> None:
        before, self._lines = self._lines, lines
        width, height = self.scrollable_content_region.size
        if self.WIDE:
            width = max((width, *map(width_of, lines)))
        self.virtual_size = Size(width, len(lines))
        changed = [n for n, pair in enumerate(zip_longest(before, lines)) if pair[0] != pair[1]]
        if len(changed) >= height:
            self.refresh()
        else:
            for number in changed:
                self.refresh_line(number)
