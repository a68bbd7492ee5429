"""The page on the dashboard names every key, and what it does, as the code has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from etcd_sandbox.tui.actions import ACTIONS, keys_shown
from etcd_sandbox.tui.keys import PANEL_KEYS, VIEW_KEYS, help_of

PAGE = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text()


def table(head: str) -> list[tuple[str, str]]:
    """The rows of the table under a heading, without the first two lines."""
    section = PAGE[PAGE.index(f"\n## {head}\n") + 4 :]
    section = section[: section.find("\n## ")]
    return re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE)[1:]


def test_the_table_of_keys_is_that_of_the_code() -> None:
    assert table("Keys") == [(each.keys_shown, each.help) for each in ACTIONS]


def test_the_table_of_the_logs_keys_is_that_of_the_panel() -> None:
    bindings = (*PANEL_KEYS, *VIEW_KEYS)
    assert table("Logs") == [(keys_shown(each.key), help_of(each)) for each in bindings]


@pytest.mark.parametrize("theme", re.findall(r"(?:textual|ansi)-(?:light|dark)", PAGE))
def test_the_themes_that_are_named_exist(theme: str) -> None:
    from textual.theme import BUILTIN_THEMES

    assert theme in BUILTIN_THEMES


def test_the_room_that_is_named_is_that_of_the_code() -> None:
    from etcd_sandbox.tui.app import LEAST_COLUMNS, LEAST_ROWS, Dashboard

    assert f"{LEAST_COLUMNS} columns and {LEAST_ROWS} rows are needed" in PAGE
    wide = {name: at for at, name in Dashboard.HORIZONTAL_BREAKPOINTS}["-wide"]
    high = {name: at for at, name in Dashboard.VERTICAL_BREAKPOINTS}["-high"]
    words = " ".join(PAGE.split())
    assert f"appears from {wide} columns on, the events from {high} rows on" in words
