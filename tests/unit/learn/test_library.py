from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from unicodedata import east_asian_width

import pytest
from etcd_sandbox.cli.output import markdown
from etcd_sandbox.config.profile import builtin_profiles
from etcd_sandbox.errors import InputError
from etcd_sandbox.learn import library
from etcd_sandbox.learn.lesson import Lesson
from etcd_sandbox.learn.library import (
    LESSONS,
    all_lessons,
    find,
    known_language,
    languages,
    names,
    read,
)

from tests.unit.learn.samples import PAGE


def differences(original: Lesson, translation: Lesson) -> Iterator[str]:
    """Where a translation asks for another thing than its original, by step."""
    for attribute in ("minutes", "etcd", "begins", "up"):
        if getattr(original, attribute) != getattr(translation, attribute):
            yield attribute
    if len(original.steps) != len(translation.steps):
        yield "the number of steps"
    for number, (one, other) in enumerate(zip(original.steps, translation.steps, strict=False), 1):
        if one.commands != other.commands:
            yield f"step {number}: commands"
        if [each.text for each in one.until] != [each.text for each in other.until]:
            yield f"step {number}: until"
        if (one.needs, one.can, one.etcd) != (other.needs, other.can, other.etcd):
            yield f"step {number}: needs"


def test_there_are_lessons_and_their_numbers_are_their_own() -> None:
    numbers = [lesson.number for lesson in all_lessons()]
    assert numbers == list(range(1, 11))


@pytest.mark.parametrize("name", names())
def test_a_lesson_is_whole(name: str) -> None:
    lesson = read(name)
    assert 10 <= lesson.minutes <= 15
    assert "3.5" in lesson.etcd
    assert lesson.steps[0].needs is not None, "a lesson begins from a known state"
    assert all(step.hint for step in lesson.steps)
    assert "https://etcd.io/docs/" in lesson.reading
    page = (LESSONS / name).read_text()
    assert "## What you will see" in page
    assert "## Before you begin" in page
    assert "## Question" in page
    assert "## Read next" in page
    if "-p" in lesson.up:
        assert lesson.up[lesson.up.index("-p") + 1] in builtin_profiles()


@pytest.mark.parametrize("name", names())
def test_a_lesson_names_no_place_of_this_machine(name: str) -> None:
    page = (LESSONS / name).read_text()
    assert str(Path.home()) + "/" not in page.replace("/home/you/", "")
    assert "/tmp/" not in page


def test_a_translation_has_the_steps_of_its_original() -> None:
    for language in languages():
        for path in sorted((LESSONS / language).glob("*.md")):
            assert path.name in names(), f"{path.name} translates no lesson"
            found = list(differences(read(path.name), read(path.name, language)))
            assert found == [], f"{language}/{path.name}"


def texts(lesson: Lesson) -> Iterator[str]:
    """All that is there to be read, piece by piece."""
    yield from (lesson.title, lesson.intro, lesson.see, lesson.question, lesson.answer)
    yield lesson.reading
    for step in lesson.steps:
        yield from filter(None, (step.title, step.before, step.after))
        if step.hint and not step.hint.startswith("etcd-sandbox "):
            yield step.hint


@pytest.mark.parametrize("name", [path.name for path in sorted((LESSONS / "zh-Hant").glob("*.md"))])
def test_a_lesson_in_chinese_is_in_chinese_throughout(name: str) -> None:
    original, lesson = read(name), read(name, "zh-Hant")
    for text in texts(lesson):
        assert any(east_asian_width(character) == "W" for character in text), text
    assert all(step.hint for step in lesson.steps)
    for step, other in zip(original.steps, lesson.steps, strict=True):
        assert bool(step.before) == bool(other.before), other.title
        assert bool(step.after) == bool(other.after), other.title
    links = re.compile(r"\]\((http[^)]*)\)")
    assert links.findall(lesson.reading) == links.findall(original.reading)
    # What would stand on the page as it is, because Markdown does not take it for a mark.
    shown = "\n".join(markdown(text) for text in texts(lesson))
    assert "**" not in shown


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    root = tmp_path / "lessons"
    (root / "zh-Hant").mkdir(parents=True)
    (root / "05-small.md").write_text(PAGE)
    (root / "06-other.md").write_text(PAGE.replace("learn-5", "learn-6"))
    (root / "zh-Hant" / "05-small.md").write_text(PAGE.replace("# A small lesson", "# 一課"))
    return root


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("kill leader\n", "kill infra1\n", "step 1: commands"),
        ("(pid 1, SIGKILL)", "(pid 1)", "step 1: commands"),
        ("killed leader;", "killed any;", "step 1: until"),
        ("needs: healthy;", "needs: fresh;", "step 1: needs"),
        ("<!-- etcd: 3.5 -->", "<!-- etcd: 3.5 --><!-- can: dns -->", "step 2: needs"),
        ("-n 3", "-n 5", "up"),
    ],
)
def test_a_translation_that_asks_for_something_else_is_found(
    shelf: Path, old: str, new: str, what: str
) -> None:
    changed = shelf / "zh-Hant" / "05-small.md"
    assert old in changed.read_text()
    changed.write_text(changed.read_text().replace(old, new))
    one, other = read("05-small.md", "", shelf), read("05-small.md", "zh-Hant", shelf)
    assert list(differences(one, other)) == [what]


def test_a_lesson_comes_in_its_language_and_else_in_english(shelf: Path) -> None:
    assert languages(shelf) == ["zh-Hant"]
    one, other = all_lessons("zh-Hant", shelf)
    assert (one.title, one.language) == ("一課", "zh-Hant")
    assert (other.title, other.language) == ("A small lesson", "")


@pytest.mark.parametrize(
    ("word", "language"),
    [
        ("zh-hant", "zh-Hant"),
        ("zh-TW", "zh-Hant"),
        ("zh_TW.UTF-8", "zh-Hant"),
        ("en", ""),
        ("en-GB", ""),
        ("", ""),
    ],
)
def test_a_language_is_meant_by_each_of_its_names(shelf: Path, word: str, language: str) -> None:
    assert known_language(word, shelf) == language
    assert find("5", word, shelf).language == language


def test_an_unknown_language_is_refused(shelf: Path) -> None:
    with pytest.raises(InputError) as caught:
        all_lessons("xx", shelf)
    assert caught.value.hint == "there is: zh-Hant"


@pytest.mark.parametrize("word", ["5", "05", "small", "sma"])
def test_a_lesson_is_found_by_number_and_by_words(shelf: Path, word: str) -> None:
    assert find(word, "", shelf).number == 5


@pytest.mark.parametrize(
    ("word", "what"), [("7", "there is no"), ("zzz", "there is no"), ("", "several")]
)
def test_what_means_no_lesson_is_refused(shelf: Path, word: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        find(word, "", shelf)
    assert what in caught.value.what
    assert "5 small" in caught.value.hint


def test_a_mistake_in_a_lesson_names_its_file(shelf: Path) -> None:
    (shelf / "05-small.md").write_text(PAGE.replace("killed leader;", "shot;"))
    with pytest.raises(InputError) as caught:
        library.find("5", "", shelf)
    assert caught.value.where == "lessons/05-small.md:22"
