"""The log lines on the screen: painted only where and when they are seen, at most twelve times a second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from etcd_sandbox.tui.colours import of_process
from etcd_sandbox.tui.logfilter import Listing, LogFilter, Search
from etcd_sandbox.tui.logring import LogRing
from etcd_sandbox.tui.logrows import Cells, Reader, Row, RowLayout, rows
from etcd_sandbox.tui.text import decoded

PAINTED_EVERY_S = 1 / 12

STEP_S = 0.010
"""So long may a filter or a search hold the screen up at a time."""

AGAIN_S = 0.015

LONGEST_NAME = 16
WHEEL_ROWS = 3
SIDEWAYS_COLUMNS = 16


def log_binding(key: str, action: str, label: str, tooltip: str, *, show: bool = False) -> Binding:
    """A key of the logs; `show` is for the footer."""
    return Binding(key, action, label, show=show, tooltip=f"Logs: {tooltip}")


class LogView(Widget, can_focus=True):
    """A window on a ring of log lines, that follows its end until the reader scrolls back.

    `marked` is the number of the line that was clicked or found. The ring is fed by its owner;
    the view looks at it when it is time to paint.
    """

    DEFAULT_CSS = """
    LogView { width: 1fr; height: 1fr; background: $surface; color: $foreground; }
    LogView:focus { background-tint: $foreground 4%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        log_binding("up", "by_rows(-1)", "Up", "one row up"),
        log_binding("down", "by_rows(1)", "Down", "one row down"),
        log_binding("pageup", "by_pages(-1)", "Page up", "one page up"),
        log_binding("pagedown", "by_pages(1)", "Page down", "one page down"),
        log_binding("home", "oldest", "Oldest", "to the oldest line that is kept"),
        log_binding("end", "follow", "Follow", "to the newest line, and follow"),
        log_binding("left", "sideways(-1)", "Left", "towards the start of long lines"),
        log_binding("right", "sideways(1)", "Right", "towards the end of long lines"),
    ]

    class Changed(Message):
        """What the view has to tell about itself is new."""

    def __init__(self, ring: LogRing | None = None) -> None:
        super().__init__()
        self.ring = ring or LogRing()
        self.listing = Listing(self.ring, LogFilter())
        self.reader = Reader(self._drawn)
        self.marked: int | None = None
        self.notice = ""
        self.wrap = False
        self.pretty = False
        self._highlighted: re.Pattern[str] | None = None
        self._search: Search | None = None
        self._left_column = 0
        self._page: list[Row] = []
        self._bar = (0, 0)
        self._announced: tuple[object, ...] = ()
        self._indexes: dict[str, int] = {}
        self._name_styles: dict[str, Style] = {}
        self._row_layout: RowLayout | None = None
        self._cache: LRUCache[tuple[int, bool], list[Cells]] = LRUCache(512)
        self._again = False

    # What it shows.

    def show_indexes(self, indexes: Mapping[str, int]) -> None:
        """Which process has which colour: its index in the cluster."""
        if indexes != self._indexes:
            self._indexes = dict(indexes)
            self._name_styles = {name: Style(color=of_process(at)) for name, at in indexes.items()}
            self._redraw()

    def choose(self, chosen: LogFilter) -> None:
        """List only the lines that pass; the newest of them are there first."""
        if chosen != self.listing.filter:
            self.listing = Listing(self.ring, chosen)
            self._search = None
            self._step()

    def highlight(self, pattern: re.Pattern[str] | None) -> None:
        """Show what matches, in all lines that are seen; the next search is for it."""
        self._highlighted = pattern
        self._search = None
        self._redraw()

    def search(self, *, up: bool) -> None:
        """Go to the nearest line above or below that matches what is highlighted."""
        if self._highlighted is None:
            self.tell("nothing is searched for yet: press /")
            return
        numbers = [row.number for row in self._page]
        if self.marked is not None and self.marked in numbers:
            start = self.marked if up else self.marked + 1
        elif up:
            start = numbers[-1] + 1 if numbers else self.ring.end
        else:
            start = numbers[0] if numbers else self.ring.first
        self._search = Search(self.listing, self._highlighted, start, up=up)
        self.tell("searching …")
        self._step()

    def tell(self, notice: str) -> None:
        """Show a notice until the next one."""
        self.notice = notice
        self.post_message(self.Changed())

    def toggle_wrap(self) -> None:
        self.wrap = not self.wrap
        self._left_column = 0
        self.reader.restart_line()
        self._redraw()

    def toggle_pretty(self) -> None:
        self.pretty = not self.pretty
        self.reader.restart_line()
        self._redraw()

    # What it knows.

    @property
    def following(self) -> bool:
        return self.reader.top is None

    @property
    def new_below(self) -> int:
        """How many listed lines came since the reader left the end."""
        return 0 if self.following else self.listing.count_from(self.reader.left_at)

    @property
    def current(self) -> int | None:
        """The number of the marked line if it is seen, else of the lowest that is seen."""
        numbers = [row.number for row in self._page]
        if self.marked in numbers:
            return self.marked
        return numbers[-1] if numbers else None

    def texts(self, *, page: bool) -> list[str]:
        """The current line, or all that are seen: each in full and once, colours left aside."""
        numbers = [row.number for row in self._page] if page else [self.current]
        lines = [self.ring.line(number) for number in dict.fromkeys(numbers) if number is not None]
        return [decoded(line.data) for line in lines if line is not None and not line.skipped]

    # Moving.

    def action_by_rows(self, count: int) -> None:
        """Up or down; at the lowest row the end is followed again."""
        self._leave_end()
        self.reader.walk(self.listing, count, self.size.height)
        self._update()

    def action_by_pages(self, count: int) -> None:
        self.action_by_rows(count * max(1, self.size.height - 1))

    def action_oldest(self) -> None:
        self._leave_end()
        self.reader.go(self.listing, self.ring.first, 0)
        self._update()

    def action_follow(self) -> None:
        self.reader.follow()
        self._update()

    def action_toggle_follow(self) -> None:
        """Stay with what is seen, or go to the end and stay there."""
        if self.following:
            self._leave_end()
            self._update()
        else:
            self.action_follow()

    def action_sideways(self, count: int) -> None:
        """Along lines that are longer than the screen is wide."""
        if not self.wrap:
            self._left_column = max(0, self._left_column + count * SIDEWAYS_COLUMNS)
            self._redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_by_rows(-WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        if not self.following:
            self.action_by_rows(WHEEL_ROWS)

    def on_click(self, event: events.Click) -> None:
        """Mark the line; in the bar at the right, go to that place."""
        event.stop()
        if event.x >= self.size.width - 1 and self._bar[1]:
            oldest, height = self.ring.first, self.size.height
            self._leave_end()
            place = round((self.ring.end - oldest) * event.y / max(1, height - 1))
            if event.y >= height - 1:
                self.reader.follow()
            else:
                self.reader.go(self.listing, oldest + place, 0)
        elif 0 <= event.y < len(self._page):
            self.marked = self._page[event.y].number
        self._update()

    def _leave_end(self) -> None:
        self.reader.leave_end(self._page, self.ring.end)

    # Painting.

    def on_mount(self) -> None:
        self.set_interval(PAINTED_EVERY_S, self._step)

    def on_resize(self) -> None:
        self._redraw()

    def notify_style_update(self) -> None:
        """Another theme, or the focus came or went."""
        super().notify_style_update()
        self._row_layout = None

    def render_line(self, y: int) -> Strip:
        """One row of the page, with its piece of the bar."""
        if self._row_layout is None:
            self._make_page()
        layout = self._now()
        start, length = self._bar
        bar = " " if not length else "┃" if start <= y < start + length else "╎"
        cells = self._page[y].cells if y < len(self._page) else self._blank()
        return Strip([*cells, Segment(bar, layout.ground)], layout.width + 1)

    @property
    def seen(self) -> bool:
        """Whether any of the view is on the terminal now."""
        return bool(self.size) and self.screen.is_current and self.is_on_screen

    def _step(self) -> None:
        """Filter and search for a short while, then paint if what is seen has changed."""
        self._again = False
        if not self.is_mounted or not self.seen:
            return
        self.listing.scan(STEP_S)
        if self._search is not None:
            self._search.step(STEP_S)
            if self._search.done:
                self._end_search(self._search)
        if not self._again and (self._search is not None or not self.listing.complete):
            self._again = True
            self.set_timer(AGAIN_S, self._step)
        if not getattr(self.app, "behind", False):
            self._update()

    def _end_search(self, search: Search) -> None:
        self._search = None
        if search.found is None:
            self.tell(f"no match {'above' if search.up else 'below'}")
            return
        self.notice = ""
        self.marked = search.found
        self._leave_end()
        if all(row.number != search.found for row in self._page):
            self.reader.go(self.listing, search.found, self.size.height // 2)

    def _redraw(self) -> None:
        self._row_layout = None
        self.refresh()
        self._update()

    def _update(self) -> None:
        if not self.is_mounted or not self.size:
            return
        page, bar = self._page, self._bar
        self._make_page()
        if page != self._page or bar != self._bar:
            self.refresh()
        state = (
            self.ring.end,
            self.ring.skipped,
            len(self.listing),
            self.following,
            self.new_below,
        )
        if state != self._announced:
            self._announced = state
            self.post_message(self.Changed())

    def _make_page(self) -> None:
        height = self.size.height
        self._page = self.reader.page(self.listing, height)
        count = len(self.listing)
        if count <= height or not self._page:
            self._bar = (0, 0)
            return
        length = max(1, height * height // count)
        above = count - self.listing.count_from(self._page[0].number)
        room = height - length
        self._bar = (min(room, round(room * above / max(1, count - height))), length)

    def _now(self) -> RowLayout:
        if self._row_layout is None:
            longest = max(map(cell_len, self._indexes), default=8)
            self._row_layout = RowLayout(
                width=max(1, self.size.width - 1),
                ground=self.rich_style,
                name_columns=min(longest, LONGEST_NAME, max(1, self.size.width // 4)),
                wrap=self.wrap,
                pretty=self.pretty,
                left=self._left_column,
                found=self._highlighted,
            )
            self._cache.clear()
        return self._row_layout

    def _blank(self) -> Cells:
        layout = self._now()
        return [Segment(" " * layout.width, layout.ground)]

    def _drawn(self, number: int) -> list[Cells]:
        layout, marked = self._now(), number == self.marked
        found = self._cache.get((number, marked))
        if found is None:
            line = self.ring.line(number)
            if line is None:
                return [self._blank()]
            found = rows(line, layout, self._name_styles.get(line.process, _UNKNOWN), marked=marked)
            self._cache[number, marked] = found
        return found


_UNKNOWN = Style(bold=True)
