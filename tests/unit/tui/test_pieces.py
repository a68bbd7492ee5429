"""Text in cells, and text that comes from outside."""

from __future__ import annotations

import pytest
from etcd_sandbox.tui.text import fit, joined, padded, printable, text_of, width_of
from rich.cells import cell_len


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("Größe 数", "Größe 数"),
        ("\x1b[2J", "␛[2J"),
        ("a\nb\tc\x00", "a␊b␉c␀"),
        ("\x7f\x9b", "␡�"),
        ("abc\u202egnp", "abc�gnp"),
    ],
)
def test_what_would_act_on_a_terminal_is_made_visible(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("infra1", 6, "infra1"),
        ("infra10", 6, "infra…"),
        ("数数数", 6, "数数数"),
        ("数数数", 5, "数数…"),
        ("infra1", 1, "…"),
        ("infra1", 0, ""),
    ],
)
def test_text_is_cut_to_cells_with_an_ellipsis(text: str, width: int, shown: str) -> None:
    assert fit(text, width) == shown


@pytest.mark.parametrize("text", ["", "a", "数", "a数b数c数", "a long text that is cut"])
def test_padded_text_takes_exactly_its_cells(text: str) -> None:
    for width in range(12):
        assert cell_len(padded(text, width)) == width
        assert cell_len(padded(text, width, right=True)) == width


def test_numbers_are_padded_on_the_left() -> None:
    assert padded("12", 5, right=True) == "   12"


def test_neighbours_of_one_style_become_one_piece() -> None:
    line = joined([("a", "red"), ("b", "red"), ("c", ""), ("d", "red")])
    assert line == (("ab", "red"), ("c", ""), ("d", "red"))
    assert text_of(line) == "abcd"
    assert width_of(line) == 4
