"""One process from near, asked for once a second while it is looked at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Footer

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.access import as_value
from etcd_sandbox.model.state import Detail
from etcd_sandbox.tui import detailrows
from etcd_sandbox.tui.detailrows import Near
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.text import Line
from etcd_sandbox.tui.widgets.drawing import Drawing

ASKED_EVERY_S = 1.0
"""A page of metrics costs the member some 30 ms."""

PAINTED_EVERY_S = 0.2


class DetailsScreen(ModalScreen[str]):
    """What a process is and how it does; goes to its neighbours, and ends with the one last seen.

    `ask` gives a Detail as JSON. What it says is kept for each process while the screen is open.
    """

    DEFAULT_CSS = """
    DetailsScreen { background: $background; }
    """
    HORIZONTAL_BREAKPOINTS = []  # noqa: RUF012 - Textual's; the lines fit themselves to any width
    VERTICAL_BREAKPOINTS = []  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,i,q", "close", "Close", tooltip="Back to the dashboard."),
        Binding("left,left_square_bracket", "step(-1)", "Previous", tooltip="The process before."),
        Binding("right,right_square_bracket", "step(1)", "Next", tooltip="The process after."),
        Binding("y", "copy", "Copy command", tooltip="Copy the command line as one shell line."),
        Binding("up", "move(-1)", "Up", show=False, tooltip="Scroll up a line."),
        Binding("down", "move(1)", "Down", show=False, tooltip="Scroll down a line."),
        Binding("pageup", "page(-1)", "Page up", show=False, tooltip="Scroll up a page."),
        Binding("pagedown", "page(1)", "Page down", show=False, tooltip="Scroll down a page."),
        Binding("home", "top", "Top", show=False, tooltip="Scroll to the top."),
        Binding("end", "bottom", "Bottom", show=False, tooltip="Scroll to the bottom."),
    ]

    def __init__(
        self,
        ask: Callable[[str], Awaitable[dict[str, Any]]],
        store: Store,
        process: str,
        *,
        every_s: float = ASKED_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._ask = ask
        self._store = store
        self._every_s = every_s
        self._clock = clock
        self._near = Near(process)
        self._seen = {process: self._near}
        self._view = DetailsView(self._near)

    def compose(self) -> ComposeResult:
        yield self._view
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._view.show(self._store)
        self.set_interval(PAINTED_EVERY_S, lambda: self._view.show(self._store))

    def on_screen_resume(self) -> None:
        self._begin()

    def on_screen_suspend(self) -> None:
        self.workers.cancel_group(self, "details")

    def action_close(self) -> None:
        """Back, with the process that was seen last."""
        self.dismiss(self._near.process)

    def action_step(self, places: int) -> None:
        """Show the neighbour; the first comes after the last."""
        names = self._store.names
        if not names:
            return
        at = names.index(self._near.process) if self._near.process in names else 0
        process = names[(at + places) % len(names)]
        if process != self._near.process:
            self._near = self._seen.setdefault(process, Near(process))
            self._view.look_at(self._near)
            self._begin()

    def action_copy(self) -> None:
        if self._near.detail is None:
            self.notify("the command line is not known yet", severity="warning")
            return
        self.app.copy_to_clipboard(detailrows.command_line(self._near.detail))
        self.notify(f"copied the command line of {self._near.process}", markup=False)

    def action_move(self, lines: int) -> None:
        self._view.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * (self._view.scrollable_content_region.height - 2))

    def action_top(self) -> None:
        self._view.scroll_home(animate=False)

    def action_bottom(self) -> None:
        self._view.scroll_end(animate=False)

    def _begin(self) -> None:
        self.run_worker(self._again_and_again(self._near), group="details", exclusive=True)

    async def _again_and_again(self, near: Near) -> None:
        while True:
            try:
                answer = await self._ask(near.process)
                detail = msgspec.convert(answer, Detail, dec_hook=as_value)
            except SandboxError as error:
                near.trouble, near.hint = str(error), error.hint
                near.history.miss()
            except msgspec.ValidationError as error:
                near.trouble, near.hint = "the supervisor's answer is not understood", str(error)
                near.history.miss()
            else:
                near.trouble = near.hint = ""
                near.detail = detail
                near.history.take(detail, self._clock())
            self._view.tell()
            await asyncio.sleep(self._every_s)


class DetailsView(Drawing, can_focus=False):
    """The lines of one process; the first stays in view while the others scroll."""

    DEFAULT_CSS = """
    DetailsView { height: 1fr; }
    DetailsView > .details--head { background: $panel; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"details--head"}

    def __init__(self, near: Near) -> None:
        super().__init__()
        self._near = near
        self._changes = 0

    def look_at(self, near: Near) -> None:
        """Show another process, from the top."""
        self._near = near
        self.scroll_home(animate=False)
        self.tell()

    def tell(self) -> None:
        """Draw again: the answer about the process is new, and the store does not know."""
        self._changes += 1
        if self._store is not None:
            self.show(self._store)

    def news(self, store: Store) -> object:
        return self._changes, store.status_news, store.event_news

    def draw(self, store: Store, size: Size) -> Sequence[Line]:
        return detailrows.draw(self._near, store, size.width)

    def render_line(self, y: int) -> Strip:
        if y == 0 and self._lines:
            return self.painted(self._lines[0], self.get_component_rich_style("details--head"))
        return super().render_line(y)
