"""What is drawn of the cluster: the ring of members, the strip of availability, the list of events."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from textual.geometry import Size

from etcd_sandbox.model.event import Event
from etcd_sandbox.tui import ring, stripdrawing
from etcd_sandbox.tui.marks import mark_of
from etcd_sandbox.tui.store import Store, TimedEvent
from etcd_sandbox.tui.text import Line, joined, printable
from etcd_sandbox.tui.widgets.colours import BAD, FAINT, GOOD, PLAIN, of_process
from etcd_sandbox.tui.widgets.drawing import Drawing
from etcd_sandbox.words import story
from etcd_sandbox.words.shown import span


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
