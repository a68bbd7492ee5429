"""What is typed in one burst: it all belongs to the box that its first key opens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from etcd_sandbox import verbs
from etcd_sandbox.tui.actions import Leave
from etcd_sandbox.tui.app import Dashboard
from etcd_sandbox.tui.screens.ctl import CtlScreen
from etcd_sandbox.tui.widgets.logpanel import LogPanel
from textual import events
from textual.command import CommandPalette
from textual.message import Message
from textual.widgets import Input

from tests.tui.appstage import DashboardPilot, playing, text_of, told, until
from tests.tui.fakecluster import Asked, sample

_NAMES = {
    "/": "slash",
    "\r": "enter",
    " ": "space",
    "\x10": "ctrl+p",
    "\x1b": "escape",
    "\x03": "ctrl+c",
}


def type_at_once(app: Dashboard, text: str) -> None:
    """As a terminal's driver hands over what came in one piece: nothing is painted in between."""
    for character in text:
        key = _NAMES.get(character, character)
        app.post_message(events.Key(key, character if character.isprintable() else None))


def words(app: Dashboard) -> str:
    """What the box on the screen holds; nothing while none is mounted yet."""
    boxes = app.screen.query(Input)
    return boxes.first().value if boxes else ""


async def palette_closed(app: Dashboard, pilot: DashboardPilot) -> None:
    """Its search would still ask for widgets that go with the app."""
    if isinstance(app.screen, CommandPalette):
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, CommandPalette))


def test_a_search_that_is_typed_in_one_burst_kills_no_member() -> None:
    fake = sample(3)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        type_at_once(app, "/kill\r")
        panel = app.query_one(LogPanel)
        await until(pilot, lambda: panel.view.notice != "")
        assert words(app) == "kill"

    playing(fake, scene)
    assert not fake.asked


@pytest.mark.parametrize("key", ["/", "f", "c", "\x10"])
def test_nothing_is_lost_that_is_typed_ahead_of_a_box(key: str) -> None:
    fake = sample(3)
    text = "start kapstxhmr"

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        type_at_once(app, key + text)
        await until(pilot, lambda: bool(app.screen.query(Input)) and words(app) == text)
        await palette_closed(app, pilot)

    playing(fake, scene)
    assert not fake.asked


def test_a_box_that_is_closed_in_the_same_burst_gives_the_keys_back() -> None:
    fake = sample(3)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        type_at_once(app, "ckkk\x1bk")
        await until(pilot, lambda: bool(fake.asked))
        assert not isinstance(app.screen, CtlScreen)

    playing(fake, scene)
    assert fake.asked == [Asked(verbs.KILL, ("infra1",), 0.0)]


def test_what_is_pasted_right_after_the_key_is_in_the_box_as_well() -> None:
    fake = sample(3)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        type_at_once(app, "c")
        app.post_message(events.Paste("get --prefix k"))
        type_at_once(app, "1")
        await until(pilot, lambda: bool(app.screen.query(Input)))
        await until(pilot, lambda: words(app) == "get --prefix k1")

    playing(fake, scene)


def test_the_menu_takes_what_is_typed_after_its_key() -> None:
    fake = sample(3)

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        type_at_once(app, " \x1b\x10kill")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await until(pilot, lambda: words(app) == "kill")
        assert "infra1" in text_of(app)
        await palette_closed(app, pilot)

    playing(fake, scene)
    assert not fake.asked


def typing_blind(
    app: Dashboard, text: str, scene: Callable[[DashboardPilot], Awaitable[None]]
) -> None:
    """Type before there is anything to see; the scene follows."""
    rest = [text]

    def hook(message: Message) -> None:
        if rest:
            type_at_once(app, rest.pop())

    async def run() -> None:
        async with app.run_test(size=(120, 40), message_hook=hook) as pilot:
            await scene(pilot)

    asyncio.run(run())


@pytest.mark.parametrize("text", ["k", "kill\r", "/kill\r", "etcdctl get k\r", "\x10kill\r", "cqs"])
def test_what_is_typed_before_the_first_picture_does_nothing_and_is_repeated(text: str) -> None:
    fake = sample(3)
    app = Dashboard(fake.client)

    async def scene(pilot: DashboardPilot) -> None:
        await until(pilot, lambda: bool(told(app)) and app.selected is not None)
        await pilot.press("k")
        await until(pilot, lambda: bool(fake.asked))
        assert len(app.screen_stack) == 1

    typing_blind(app, text, scene)
    assert [words for words in told(app) if "not heeded" in words] == [
        "typed too early, not heeded: " + text.strip("\r\x10")
    ]
    assert fake.asked == [Asked(verbs.KILL, ("infra1",), 0.0)]


def test_ctrl_c_ends_a_dashboard_that_nobody_has_seen_yet() -> None:
    app = Dashboard(sample(3).client)

    async def scene(pilot: DashboardPilot) -> None:
        await until(pilot, lambda: app.return_value is not None)

    typing_blind(app, "ab\x03", scene)
    assert app.return_value is Leave.RUNNING
