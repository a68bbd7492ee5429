"""The whole dashboard as it looks for sample clusters, at the sizes of real terminals."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest
from etcd_sandbox.tui.app import Dashboard

from tests.tui.appstage import DashboardPilot, playing, settled, text_of
from tests.tui.fakecluster import sample
from tests.tui.samples import CONDITIONS, SIZES

SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (200, 60)
TERMINALS = (SMALL, MIDDLE, LARGE)
PICTURES = [
    (members, condition, TERMINALS[(row + column) % len(TERMINALS)])
    for row, members in enumerate(SIZES)
    for column, condition in enumerate(CONDITIONS)
]
"""Each number of members in each condition, and each of both at each size."""

OVER = [
    ("help", SMALL, ("question_mark",)),
    ("menu", SMALL, ("down", "space")),
    ("palette", SMALL, ("ctrl+p",)),
    ("ctl", SMALL, ("c",)),
    ("quit", SMALL, ("q",)),
    ("logs-only", MIDDLE, ("z",)),
    ("no-logs", SMALL, ("z", "z")),
    ("verdict", MIDDLE, ("k",)),
    ("quorum-lost", SMALL, ("k", "down", "k")),
]


@cache
def screen(
    members: int,
    condition: str,
    size: tuple[int, int],
    press: tuple[str, ...] = (),
    theme: str = "",
    colours: bool = True,
) -> tuple[str, str]:
    """The picture and the text of the screen."""
    taken: list[tuple[str, str]] = []

    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        app.theme = theme or app.theme
        for key in press:
            await settled(app, pilot)
            await pilot.press(key)
        svg = await settled(app, pilot)
        taken.append((svg, text_of(app)))

    with pytest.MonkeyPatch.context() as patch:
        if not colours:
            patch.setenv("NO_COLOR", "1")
        playing(sample(members, condition), scene, size, owned=True)
    return taken[0]


OF_THREE = {condition: size for members, condition, size in PICTURES if members == 3}
"""At which size there is a picture of three members."""


@pytest.mark.parametrize(("members", "condition", "size"), PICTURES)
def test_the_screen_looks_as_it_did(
    members: int, condition: str, size: tuple[int, int], golden: Callable[[str, str], None]
) -> None:
    picture, _ = screen(members, condition, size)
    golden(f"screen-{members}-{condition.replace(' ', '-')}-{size[0]}x{size[1]}", picture)


@pytest.mark.parametrize("members", SIZES)
def test_the_strip_and_some_log_lines_are_in_view_however_many_members(members: int) -> None:
    async def scene(app: Dashboard, pilot: DashboardPilot) -> None:
        for size in TERMINALS:
            await pilot.resize_terminal(*size)
            await settled(app, pilot)
            text = text_of(app)
            assert len(text.splitlines()) == size[1]
            assert "\nreads " in text
            assert len(re.findall(r"^infra\d │ ", text, re.MULTILINE)) >= 4
            assert "lines · pretty" in text

    playing(sample(members), scene, LARGE, owned=True)


@pytest.mark.parametrize(("name", "size", "press"), OVER)
def test_what_lies_over_the_screen_looks_as_it_did(
    name: str, size: tuple[int, int], press: tuple[str, ...], golden: Callable[[str, str], None]
) -> None:
    picture, _ = screen(3, "healthy", size, press)
    golden(f"over-{name}-{size[0]}x{size[1]}", picture)


@pytest.mark.parametrize("theme", ["textual-light", "ansi-dark", "nord"])
def test_other_themes_say_the_same(theme: str) -> None:
    assert screen(3, "partitioned", MIDDLE, theme=theme)[1] == screen(3, "partitioned", MIDDLE)[1]


def test_on_a_light_theme_it_looks_as_it_did(golden: Callable[[str, str], None]) -> None:
    golden("screen-light-120x40", screen(3, "partitioned", MIDDLE, theme="textual-light")[0])


@pytest.mark.parametrize("condition", CONDITIONS)
def test_without_colours_the_screen_says_the_same(condition: str) -> None:
    coloured = screen(3, condition, OF_THREE[condition])[1]
    assert screen(3, condition, OF_THREE[condition], colours=False)[1] == coloured
