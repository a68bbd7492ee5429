"""Dots and text on a canvas of characters."""

from __future__ import annotations

from etcd_sandbox.tui.ring import Canvas
from etcd_sandbox.tui.text import text_of


def drawn(canvas: Canvas) -> list[str]:
    return [text_of(line) for line in canvas.lines()]


def test_a_canvas_without_anything_is_blank() -> None:
    assert drawn(Canvas(3, 2)) == ["   ", "   "]


def test_each_dot_of_a_cell_has_its_bit() -> None:
    for x, y, character in [(0, 0, "⠁"), (1, 0, "⠈"), (0, 2, "⠄"), (0, 3, "⡀"), (1, 3, "⢀")]:
        canvas = Canvas(1, 1)
        canvas.dot(x, y, "")
        assert drawn(canvas) == [character]


def test_dots_of_one_cell_add_up() -> None:
    canvas = Canvas(1, 1)
    for x in range(2):
        for y in range(4):
            canvas.dot(x, y, "")
    assert drawn(canvas) == ["⣿"]


def test_a_level_line_goes_from_middle_to_middle() -> None:
    canvas = Canvas(5, 1)
    canvas.line((0, 0), (4, 0), "")
    assert drawn(canvas) == ["⠠⠤⠤⠤⠤"]


def test_a_line_can_be_dotted_and_broken() -> None:
    dotted, broken = Canvas(9, 1), Canvas(9, 1)
    dotted.line((0, 0), (8, 0), "", every=4)
    broken.line((0, 0), (8, 0), "", gap=(0.3, 0.7))
    assert drawn(dotted) == ["⠠ ⠠ ⠠ ⠠ ⠠"]
    assert drawn(broken) == ["⠠⠤⠤   ⠠⠤⠤"]


def test_text_covers_dots_and_is_cut_at_the_edges() -> None:
    canvas = Canvas(5, 1)
    canvas.line((0, 0), (4, 0), "")
    canvas.text(1, 0, "ab", "red")
    canvas.text(4, 0, "xyz", "")
    canvas.text(-1, 0, "-", "")
    assert drawn(canvas) == ["⠠ab⠤x"]
    assert ("ab", "red") in canvas.lines()[0]


def test_a_wide_character_takes_two_cells() -> None:
    canvas = Canvas(4, 1)
    canvas.text(0, 0, "数a", "")
    assert drawn(canvas) == ["数a "]


def test_what_is_outside_or_covered_is_not_free() -> None:
    canvas = Canvas(5, 1)
    canvas.text(2, 0, "x", "")
    assert canvas.is_free(0, 0, 2)
    assert not canvas.is_free(1, 0, 2)
    assert not canvas.is_free(4, 0, 2)
    assert not canvas.is_free(0, 1, 1)
