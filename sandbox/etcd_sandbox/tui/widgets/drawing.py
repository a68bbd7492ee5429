"""What is drawn as styled lines, of which only those that changed are painted: the ring, the strip of availability, the events."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, zip_longest
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from etcd_sandbox.model.event import Event
from etcd_sandbox.tui import ring, stripdrawing
from etcd_sandbox.tui.colours import BAD, FAINT, GOOD, PLAIN, of_process
from etcd_sandbox.tui.store import Store, TimedEvent
from etcd_sandbox.tui.stripdrawing import mark_of
from etcd_sandbox.tui.text import Line, joined, printable, width_of
from etcd_sandbox.words import story
from etcd_sandbox.words.shown import span


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


class Ring(Drawing, can_focus=False):
    """The members on an ellipse; a list of them, or nothing, where there is no room."""

    DEFAULT_CSS = """
    Ring { height: 1fr; overflow-y: hidden; }
    """

    def news(self, store: Store) -> object:
        return None if store.status is None else ring.shown_of(store.status)

    def draw(self, store: Store, size: Size) -> Sequence[Line]:
        if store.status is None:
            return []
        return ring.draw(store.status, size.width, size.height)


class AvailabilityStrip(Drawing, can_focus=False):
    """A time line that moves to the left as the tenths of a second come."""

    DEFAULT_CSS = """
    AvailabilityStrip { height: 5; overflow-y: hidden; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._marks: list[tuple[int, Event]] = []
        self._marks_of = -1

    def news(self, store: Store) -> object:
        return store.bucket_news, store.event_news

    def draw(self, store: Store, size: Size) -> Sequence[Line]:
        if store.event_news != self._marks_of:
            self._marks, self._marks_of = list(store.marks()), store.event_news
        count = min(len(store.buckets), stripdrawing.in_view(size.width))
        buckets = list(islice(reversed(store.buckets), count))[::-1]
        return stripdrawing.draw(buckets, self._marks, store.outages, size.width, size.height)


class EventLine(Drawing):
    """The newest at the bottom. It follows while its end is in view; a reader who scrolled up stays put."""

    DEFAULT_CSS = """
    EventLine { height: 1fr; overflow-x: auto; scrollbar-size-horizontal: 0; }
    """

    WIDE = True

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._drawn_events: dict[tuple[str, int], Line] = {}
        self._colours: dict[str, str] = {}
        self._following = True

    def news(self, store: Store) -> object:
        return store.event_news, tuple(member.name for member in store.members)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow from the moment that the end is in view."""
        super().watch_scroll_y(old_value, new_value)
        self._following = self.is_vertical_scroll_end

    def redraw(self) -> None:
        """Draw again, and stay at the end, or at the lines that were read."""
        if self._store is None or not self.size:
            return
        before = self._drawn_events
        super().redraw()
        kept = self._drawn_events
        dropped = next((at for at, event in enumerate(before) if event in kept), len(before))
        if self._following:
            self.scroll_end(animate=False, immediate=True)
        elif dropped:
            self.scroll_to(y=max(0, self.scroll_offset.y - dropped), animate=False, immediate=True)

    def draw(self, store: Store, size: Size) -> Sequence[Line]:
        colours = {member.name: of_process(i) for i, member in enumerate(store.members)}
        if colours != self._colours:
            self._colours, self._drawn_events = colours, {}
        drawn = self._drawn_events
        self._drawn_events = {
            key: drawn.get(key) or line_of(each, colours)
            for each in store.events
            for key in ((each.event.ts, each.event.seq),)
        }
        return list(self._drawn_events.values())


def line_of(timed: TimedEvent, colours: dict[str, str]) -> Line:
    """`14:30:05.123  +0.12 s  ★ infra2 leads (term 3)`; the member's name in its colour."""
    event = timed.event
    mark = mark_of(event)
    words = printable(story.sentence(event.to_wire()))
    style = BAD if event.kind in story.BAD else GOOD if event.kind in story.GOOD else PLAIN
    who = printable(event.member or "")
    name = who if who and words.startswith(who) else ""
    return joined(
        [
            (f"{story.clock(event.ts)} {since(timed.after_s):>9}  ", FAINT),
            (f"{mark.sign} ", mark.style),
            (name, colours.get(event.member or "", PLAIN)),
            (words[len(name) :], style),
        ]
    )


def since(seconds: float | None) -> str:
    """The time since the event before: `+0.12 s`, `+3m12s`; empty for the first."""
    if seconds is None:
        return ""
    return f"{seconds:+.2f} s" if seconds < 60 else f"+{span(seconds)}"
