"""The members, one row each, and the other processes below them; one of them is selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from etcd_sandbox.tui.colours import FAINT
from etcd_sandbox.tui.memberrows import TableLine, lines
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.text import Line
from etcd_sandbox.tui.widgets.drawing import Drawing

FOCUSED, SELECTED, OTHER = "▸", "▹", " "
"""Before the selected row, while the keys go to the table and while they go elsewhere; before others."""


class MembersTable(Drawing):
    """A table that keeps its selection by name while the rows change.

    The head stays in view when the rows scroll. Rows are as old as the last answer; while the
    supervisor is gone they are faint.
    """

    DEFAULT_CSS = """
    MembersTable { height: auto; }
    MembersTable > .members--selected { background: $panel; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"members--selected"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", "Previous", show=False, tooltip="Select the row above"),
        Binding("down", "step(1)", "Next", show=False, tooltip="Select the row below"),
        Binding("home", "step(-1000)", "First", show=False, tooltip="Select the first row"),
        Binding("end", "step(1000)", "Last", show=False, tooltip="Select the last row"),
    ]

    @dataclass
    class Selected(Message):
        """Another row was selected; `process` is the name of its process."""

        process: str

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._rows: list[TableLine] = []
        self._known: list[str] = []
        self._selected: str | None = None

    @property
    def selected(self) -> str | None:
        """The process of the selected row; None while there is no row."""
        return self._selected

    def select(self, process: str) -> None:
        """Select a row by the name of its process, if there is such a row."""
        if process == self._selected or process not in self._known:
            return
        before, self._selected = self._selected, process
        for number, row in enumerate(self._rows):
            if row.process in (before, process):
                self.refresh_line(number)
        self._into_view()
        self.post_message(self.Selected(process))

    def action_step(self, rows: int) -> None:
        names = self._known
        if names:
            at = names.index(self._selected) if self._selected in names else 0
            self.select(names[max(0, min(len(names) - 1, at + rows))])

    def on_click(self, event: events.Click) -> None:
        number = self._number(event.get_content_offset_capture(self).y)
        if number < len(self._rows) and (process := self._rows[number].process) is not None:
            self.select(process)

    def show(self, store: Store) -> None:
        """Take news; where the selected row is gone, select its neighbour."""
        names = store.names
        before, self._known = self._known, names
        super().show(store)
        if names and self._selected not in names:
            at = before.index(self._selected) if self._selected in before else 0
            self._selected = names[min(at, len(names) - 1)]
            self.refresh()
            self.post_message(self.Selected(self._selected))

    def news(self, store: Store) -> object:
        return store.status_news

    def draw(self, store: Store, size: Size) -> Sequence[Line]:
        old = not store.connected
        self._rows = [] if store.status is None else lines(store.status, size.width - 1, old=old)
        if not old:
            return [row.line for row in self._rows]
        return [tuple((text, f"{style} {FAINT}") for text, style in row.line) for row in self._rows]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, self.virtual_size.height)

    def render_line(self, y: int) -> Strip:
        """The head, or a row with the cursor before it."""
        number = self._number(y)
        style = self.rich_style
        if number >= len(self._rows):
            return self.painted((), style)
        process = self._rows[number].process
        cursor = OTHER
        if process is not None and process == self._selected:
            style = self.get_component_rich_style("members--selected")
            cursor = FOCUSED if self.has_focus else SELECTED
        return self.painted(((cursor, ""), *self._lines[number]), style)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def _number(self, y: int) -> int:
        return 0 if y == 0 else y + self.scroll_offset.y

    def _into_view(self) -> None:
        numbers = [i for i, row in enumerate(self._rows) if row.process == self._selected]
        number = numbers[0] if numbers else 1
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        if number - top < 1:
            self.scroll_to(y=number - 1, animate=False)
        elif number - top >= height:
            self.scroll_to(y=number - height + 1, animate=False)
