from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.learn import library
from etcd_sandbox.learn.lesson import parse_lesson
from etcd_sandbox.learn.library import Place, keep, only_guide, places

from tests.unit.learn.samples import PAGE


def test_a_place_is_kept_for_each_lesson(home: Path) -> None:
    assert places() == {}
    keep("one", Place(step=3))
    keep("two", Place(done=True))
    keep("one", Place(step=4))
    assert places() == {"one": Place(step=4), "two": Place(done=True)}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"lessons": {"one": {"step": "x"}}}', '{"lessons": 3}']
)
def test_a_file_that_cannot_be_read_counts_as_none(home: Path, text: str) -> None:
    home.mkdir()
    library.places_file().write_text(text)
    assert places() == {}
    keep("one", Place(step=1))
    assert places() == {"one": Place(step=1)}


def test_a_lesson_has_one_guide_at_a_time(home: Path) -> None:
    lesson = parse_lesson(PAGE, "05-small.md")
    with (
        only_guide(lesson),
        pytest.raises(InputError, match="open in another terminal"),
        only_guide(lesson),
    ):
        pass
    with only_guide(lesson):
        pass
