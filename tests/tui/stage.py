"""A bare app to put widgets on, and what its screen says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from etcd_sandbox.tui.colours import DARK, LIGHT
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.text import Line
from etcd_sandbox.tui.widgets.drawing import Drawing
from etcd_sandbox.tui.widgets.members import MembersTable
from textual.app import App, ComposeResult
from textual.geometry import Size
from textual.message import Message
from textual.pilot import Pilot

StagePilot = Pilot[None]

DEADLINE_S = 30.0


class Stage(App[None]):
    """Shows the widgets one above the other, in the colours of the dashboard."""

    CSS = """
    MembersTable { max-height: 45%; }
    Ring { height: 2fr; }
    EventLine { height: 1fr; }
    """
    TITLE = "stage"

    def __init__(self, store: Store, *widgets: Drawing) -> None:
        super().__init__()
        self.store = store
        self.widgets = widgets
        self.ansi_theme_dark, self.ansi_theme_light = DARK, LIGHT
        self.heard: list[Message] = []

    def compose(self) -> ComposeResult:
        yield from self.widgets

    def on_mount(self) -> None:
        self.widgets[0].focus()
        self.show()

    def show(self) -> None:
        """Tell the widgets that there is news."""
        for widget in self.widgets:
            widget.show(self.store)

    def on_members_table_selected(self, message: MembersTable.Selected) -> None:
        self.heard.append(message)

    def text(self) -> list[str]:
        """The lines of the screen without their styles."""
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]  # noqa: SLF001 - what a terminal would get

    def whole(self) -> str:
        """The screen as one text."""
        return "\n".join(self.text())


def play(
    stage: Stage,
    scene: Callable[[StagePilot], Awaitable[Any]],
    size: tuple[int, int] = (100, 30),
) -> None:
    """Run the app without a terminal, and the scene on it."""

    async def run() -> None:
        async with stage.run_test(size=size) as pilot:
            await pilot.pause()
            await scene(pilot)

    asyncio.run(run())


async def at_rest(pilot: Pilot[Any]) -> str:
    """Wait until the screen stays the same; its picture."""
    before: object = None
    same = 0
    deadline = time.monotonic() + DEADLINE_S
    while same < 2:
        assert time.monotonic() < deadline, "the screen does not come to rest"
        await pilot.pause(0.11)
        now = pilot.app.screen._compositor.render_strips()  # noqa: SLF001 - a picture costs much more
        before, same = now, same + 1 if now == before else 0
    return pilot.app.export_screenshot()


def draws_of(widget: Drawing) -> list[Size]:
    """A list that grows with each drawing of the widget from now on."""
    drawn: list[Size] = []
    real = widget.draw

    def draw(store: Store, size: Size) -> Sequence[Line]:
        drawn.append(size)
        return real(store, size)

    widget.draw = draw  # type: ignore[method-assign]
    return drawn


def picture(stage: Stage, size: tuple[int, int], press: Sequence[str] = ()) -> str:
    """What the screen looks like, as an SVG."""
    taken: list[str] = []

    async def scene(pilot: StagePilot) -> None:
        await pilot.press(*press)
        await pilot.pause()
        taken.append(stage.export_screenshot())

    play(stage, scene, size)
    return taken[0]
