"""The lessons that there are, in a language where it has them; and how far the learner came in each."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct, field

from etcd_sandbox.errors import InputError, did_you_mean, shortened
from etcd_sandbox.learn.lesson import Lesson, parse_lesson
from etcd_sandbox.paths import state_home

LESSONS = Path(__file__).parent.parent / "lessons"

_WRITTEN_AS = {"zh-tw": "zh-hant", "zh-hk": "zh-hant", "zh-mo": "zh-hant"}
"""Languages that are named by the place where they are spoken, by the script that is read there."""


def languages(root: Path = LESSONS) -> list[str]:
    return sorted(
        entry.name for entry in root.iterdir() if entry.is_dir() and any(entry.glob("*.md"))
    )


def names(root: Path = LESSONS) -> list[str]:
    return sorted(path.name for path in root.glob("*.md") if path.name[:1].isdigit())


def read(name: str, language: str = "", root: Path = LESSONS) -> Lesson:
    """The lesson of one file; in English where it was not translated."""
    translated = root / language / name
    path = translated if language and translated.is_file() else root / name
    return parse_lesson(
        path.read_text(encoding="utf-8"),
        name,
        shown=str(path.relative_to(root.parent)),
        language=language if path == translated else "",
    )


def all_lessons(language: str = "", root: Path = LESSONS) -> list[Lesson]:
    """Every lesson, in their order. Raises InputError for a language that there is not."""
    language = known_language(language, root)
    return [read(name, language, root) for name in names(root)]


def find(word: str, language: str = "", root: Path = LESSONS) -> Lesson:
    """The lesson of a number, or of words in its file's name. Raises InputError."""
    language = known_language(language, root)
    known = names(root)
    if re.fullmatch("[0-9]{1,4}", word):
        found = [name for name in known if int(name[:2]) == int(word)]
    else:
        found = [name for name in known if name.removesuffix(".md") in (word, f"{name[:2]}-{word}")]
        found = found or [name for name in known if word.lower() in name]
    if len(found) != 1:
        what = "there is no lesson" if not found else "several lessons are called like"
        numbered = [f"{int(name[:2])} {name[3:-3]}" for name in known]
        raise InputError(
            f"{what} {shortened(word)!r}", hint=did_you_mean(word, numbered, "the lessons are")
        )
    return read(found[0], language, root)


def known_language(word: str, root: Path = LESSONS) -> str:
    """The language that is meant, as its directory is called: `zh-Hant` by zh-hant, zh-TW or zh_TW.UTF-8.

    Raises InputError for one that no lesson was translated to.
    """
    there = languages(root)
    wanted = word.split(".")[0].replace("_", "-").lower()
    wanted = _WRITTEN_AS.get(wanted, wanted)
    if wanted in ("", "en") or wanted.startswith("en-"):
        return ""
    found = next((each for each in there if each.lower() == wanted), None)
    if found is None:
        raise InputError(
            f"no lesson was translated to {word!r}",
            hint=f"there is: {', '.join(there)}" if there else "the lessons are in English",
        )
    return found


class Place(Struct, frozen=True, kw_only=True):
    """Where a lesson was left: the index of the step that comes next, or that it is `done`."""

    step: int = 0
    done: bool = False


class _Kept(Struct, frozen=True, kw_only=True):
    schema: int = 1
    lessons: dict[str, Place] = field(default_factory=dict)


def places_file() -> Path:
    return state_home() / "learn.json"


def places() -> dict[str, Place]:
    """The place in each lesson that was begun, by its slug; a file that cannot be read counts as none."""
    try:
        return msgspec.json.decode(places_file().read_bytes(), type=_Kept).lessons
    except (OSError, msgspec.MsgspecError):
        return {}


def keep(slug: str, place: Place) -> None:
    held = msgspec.json.encode(_Kept(lessons=places() | {slug: place}))
    target = places_file()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = target.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(held, indent=2) + b"\n")
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
