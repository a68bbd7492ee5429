"""The availability strip: whether clients were served, a minute of it, and what happened meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from textual.geometry import Size

from etcd_sandbox.model.event import Event
from etcd_sandbox.tui import stripdrawing
from etcd_sandbox.tui.pieces import Line
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.widgets.drawing import Drawing


class Strip(Drawing, can_focus=False):
    """A time line that moves to the left as the tenths of a second come."""

    DEFAULT_CSS = """
    Strip { height: 5; overflow-y: hidden; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._marks: list[tuple[int, Event]] = []
        self._marks_of = -1

    def news(self, store: Store) -> object:
        """The buckets, and the events beside them."""
        return store.bucket_news, store.event_news

    def draw(self, store: Store, size: Size) -> Sequence[Line]:
        """The rows that fit."""
        if store.event_news != self._marks_of:
            self._marks, self._marks_of = list(store.marks()), store.event_news
        count = min(len(store.buckets), stripdrawing.in_view(size.width))
        buckets = list(islice(reversed(store.buckets), count))[::-1]
        return stripdrawing.draw(buckets, self._marks, store.outages, size.width, size.height)
