"""How far the learner came in each lesson: a small file in the state home."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from etcd_sandbox.errors import InputError
from etcd_sandbox.learn.lesson import Lesson
from etcd_sandbox.paths import state_home


class Place(Struct, frozen=True, kw_only=True):
    """Where a lesson was left: the index of the step that comes next, or that it is `done`."""

    step: int = 0
    done: bool = False


def path() -> Path:
    return state_home() / "learn.json"


def places() -> dict[str, Place]:
    """The place in each lesson that was begun, by its slug; a file that cannot be read counts as none."""
    try:
        held = json.loads(path().read_text())
        return {
            str(slug): Place(step=int(entry["step"]), done=bool(entry["done"]))
            for slug, entry in held["lessons"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep(slug: str, place: Place) -> None:
    held = places() | {slug: place}
    lessons = {name: {"step": each.step, "done": each.done} for name, each in held.items()}
    target = path()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = target.with_suffix(".new")
    fresh.write_text(json.dumps({"schema": 1, "lessons": lessons}, indent=2) + "\n")
    fresh.replace(target)


@contextmanager
def only_guide(lesson: Lesson) -> Iterator[None]:
    """Within, no other guide of this lesson runs. Raises InputError when one does."""
    lock = state_home() / f"{lesson.cluster}.guide"
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock.open("ab") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"lesson {lesson.number} is open in another terminal",
                hint="go on there, or quit it",
            ) from None
        yield
