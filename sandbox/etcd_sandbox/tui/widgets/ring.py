"""The picture of the cluster: who leads, who follows, and which links are broken."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from etcd_sandbox.tui import ringdrawing
from etcd_sandbox.tui.pieces import Line
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.widgets.drawing import Drawing


class Ring(Drawing, can_focus=False):
    """The members on an ellipse; a list of them, or nothing, where there is no room."""

    DEFAULT_CSS = """
    Ring { height: 1fr; overflow-y: hidden; }
    """

    def news(self, store: Store) -> object:
        """What the picture is made of; most answers of the supervisor change nothing of it."""
        return None if store.status is None else ringdrawing.shown_of(store.status)

    def draw(self, store: Store, size: Size) -> Sequence[Line]:
        """The ring."""
        if store.status is None:
            return []
        return ringdrawing.draw(store.status, size.width, size.height)
