"""The whole dashboard on a fake cluster, without a terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from etcd_sandbox.tui.actions import Leave
from etcd_sandbox.tui.app import Dashboard
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.fakecluster import FakeCluster
from tests.tui.stage import DEADLINE_S, at_rest

DashboardPilot = Pilot[Leave]


async def until(pilot: DashboardPilot, there_is: Callable[[], bool]) -> None:
    """Wait for something that the app is about to do."""
    deadline = time.monotonic() + DEADLINE_S
    while not there_is():
        assert time.monotonic() < deadline, text_of(pilot.app)
        await pilot.pause(0.02)


def told(app: Dashboard) -> list[str]:
    """What is told in the corner."""
    return [note.message for note in app._notifications]  # noqa: SLF001 - it has no other way


def text_of(app: Any) -> str:
    """The screen without its styles, with whatever lies over it."""
    strips = app.screen._compositor.render_strips()  # noqa: SLF001 - what a terminal would get
    return "\n".join(strip.text.rstrip() for strip in strips)


async def settled(app: Dashboard, pilot: DashboardPilot) -> str:
    """Wait until the screen stays the same; its picture."""
    await until(pilot, lambda: app.store.status is not None)
    for entry in app.screen.query(Input):
        entry.cursor_blink = False
    return await at_rest(pilot)


def playing(
    fake: FakeCluster,
    scene: Callable[[Dashboard, DashboardPilot], Awaitable[Any]],
    size: tuple[int, int] = (120, 40),
    **options: Any,
) -> Dashboard:
    """Run the dashboard and the scene on it, from the moment that the cluster is shown."""
    app = Dashboard(fake.client, **options)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.store.status is not None and app.selected is not None)
            await pilot.pause()
            await scene(app, pilot)

    asyncio.run(run())
    return app
