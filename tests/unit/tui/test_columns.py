"""Tables that give up columns when there is no room."""

from __future__ import annotations

import pytest
from etcd_sandbox.tui.text import Column, table, text_of, width_of

COLUMNS = (
    Column(head="NAME", squeezed=4),
    Column(head="SIZE", right=True, wanted=2),
    Column(head="TERM", right=True, wanted=1),
    Column(head="STATE", least=8),
)
ROWS = [
    [("infra1", "red"), ("20 KiB", ""), ("2", ""), ("running", "green")],
    [("a-long-name", ""), ("7 B", ""), ("13", ""), ("paused", "")],
]


def shown(width: int) -> list[str]:
    head, rows = table(COLUMNS, ROWS, width)
    return [text_of(line).rstrip() for line in (head, *rows)]


def test_texts_are_aligned_under_their_heads() -> None:
    assert shown(80) == [
        "NAME           SIZE  TERM  STATE",
        "infra1       20 KiB     2  running",
        "a-long-name     7 B    13  paused",
    ]


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (35, ["NAME", "SIZE", "TERM", "STATE"]),
        (34, ["NAME", "TERM", "STATE"]),
        (27, ["NAME", "TERM", "STATE"]),
        (26, ["NAME", "STATE"]),
        (14, ["NAME", "STATE"]),
    ],
)
def test_the_least_wanted_column_goes_first_and_some_always_stay(
    width: int, heads: list[str]
) -> None:
    assert shown(width)[0].split() == heads


def test_a_column_that_stays_is_squeezed_before_anything_is_cut_off() -> None:
    assert shown(16) == ["NAME    STATE", "infra1  running", "a-lon…  paused"]


def test_no_line_is_ever_wider_than_the_room() -> None:
    for width in range(40):
        head, rows = table(COLUMNS, ROWS, width)
        assert all(width_of(line) <= width for line in (head, *rows)), width


def test_the_width_of_a_column_does_not_depend_on_short_texts() -> None:
    head, _ = table(COLUMNS, [], 80)
    assert text_of(head) == "NAME  SIZE  TERM  STATE   "
