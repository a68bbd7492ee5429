"""How the screen is shared between the logs, the lesson and the rest, key by key."""

from __future__ import annotations

import pytest
from etcd_sandbox.tui.painting import LessonRoom, Rooms


def after(keys: str, *, lesson: bool) -> str:
    """The classes that the screen has after these keys."""
    rooms = Rooms(lesson=LessonRoom.SHARED if lesson else None)
    for key in keys:
        rooms = rooms.logs_zoomed() if key == "z" else rooms.lesson_zoomed()
    return " ".join(name for name, is_so in rooms.classes.items() if is_so)


@pytest.mark.parametrize(
    ("keys", "classes"),
    [
        ("", "-shared"),
        ("z", "-logs-only"),
        ("zz", "-no-logs"),
        ("zzz", "-shared"),
        ("g", "-shared"),
        ("zg", "-logs-only"),
    ],
)
def test_without_a_lesson_only_the_logs_move(keys: str, classes: str) -> None:
    assert after(keys, lesson=False) == classes


@pytest.mark.parametrize(
    ("keys", "classes"),
    [
        ("", "-shared -lesson-shared"),
        ("g", "-shared -lesson-whole"),
        ("gg", "-shared -lesson-away"),
        ("ggg", "-shared -lesson-shared"),
        ("z", "-logs-only"),
        ("zz", "-no-logs"),
        ("zzz", "-shared -lesson-shared"),
        ("gz", "-logs-only"),
        ("gzzz", "-shared -lesson-shared"),
        ("ggzzz", "-shared -lesson-away"),
        ("zg", "-shared -lesson-shared"),
        ("ggzg", "-shared -lesson-shared"),
    ],
)
def test_the_lesson_and_the_logs_give_way_to_each_other(keys: str, classes: str) -> None:
    assert after(keys, lesson=True) == classes
