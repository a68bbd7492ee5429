from __future__ import annotations

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.learn.lesson import Command, parse_lesson
from etcd_sandbox.learn.needs import Ability, Needs

from tests.unit.learn.samples import PAGE

NAME = "05-small.md"


def test_a_page_becomes_a_lesson() -> None:
    lesson = parse_lesson(PAGE, NAME)
    assert (lesson.number, lesson.slug, lesson.title) == (5, "small", "A small lesson")
    assert (lesson.minutes, lesson.etcd, lesson.cluster) == (10, ("3.4", "3.5"), "learn-5")
    assert (lesson.intro, lesson.see) == ("It begins.", "- something")
    assert lesson.up == ("-n", "3", "--base-port", "auto")
    assert (lesson.question, lesson.answer) == ("Why?", "Because.")
    assert lesson.reading == "- [etcd](https://etcd.io)"


def test_a_step_has_its_text_its_commands_and_its_conditions() -> None:
    kill, look = parse_lesson(PAGE, NAME).steps
    assert (kill.title, kill.before, kill.after) == ("Kill it", "Before.", "After.")
    assert kill.needs == Needs(healthy=True, keys=(("colour", "blue"),))
    assert [each.text for each in kill.until] == ["killed leader", "leader elected"]
    assert kill.hint == "kill -9 does it, too."
    assert kill.commands == (
        Command(
            line="etcd-sandbox kill leader",
            shown=("killed infra1 (pid 1, SIGKILL); it was the leader", "…"),
        ),
    )
    assert not kill.only_looked_at
    assert look.only_looked_at
    assert look.needs is None
    assert look.commands == (
        Command(line="etcd-sandbox ctl watch colour", shown=("PUT",), interrupted=True),
        Command(line="etcd-sandbox status"),
    )


def test_a_step_may_be_for_some_versions_only() -> None:
    lesson = parse_lesson(PAGE, NAME)
    assert [step.title for step in lesson.steps_for("3.4")] == ["Kill it"]
    assert [step.title for step in lesson.steps_for("3.5")] == ["Kill it", "Look"]


def test_a_lesson_may_begin_with_a_certain_version() -> None:
    assert parse_lesson(PAGE, NAME).begins == ""
    upgrades = PAGE.replace("etcd: 3.4 3.5 -->\n", "etcd: 3.4 3.5 -->\n<!-- begins: 3.4 -->\n", 1)
    assert parse_lesson(upgrades, NAME).begins == "3.4"


@pytest.mark.parametrize(
    ("old", "new", "place", "what"),
    [
        (
            "minutes: 10 -->",
            "minutes: 10 -->\n<!-- begins: 3.5 -->",
            "<!-- begins: 3.5 -->",
            "begins: '3.5' is none of the series before the last, 3.5",
        ),
        ("# A small lesson", "A small lesson", "A small lesson", "a page begins with its title"),
        ("## Look", "# Look", "# Look", "a page begins with one title"),
        ("minutes: 10", "minutes: ten", "<!-- minutes: ten -->", "is no number"),
        ("minutes: 10", "minuts: 10", "<!-- minuts: 10 -->", "a comment says what is not known"),
        ("<!-- minutes: 10 -->\n", "", "# A small lesson", "lacks its 'minutes'"),
        ("etcd: 3.4 3.5", "etcd: new ones", "<!-- etcd: new ones -->", "is no list of series"),
        ("learn-5", "learn-6", "## Before you begin", "brings the lesson's cluster up by hand"),
        (
            "up -d -n 3",
            "status -n 3",
            "## Before you begin",
            "brings the lesson's cluster up by hand",
        ),
        (
            "killed leader;",
            "shot leader;",
            "<!-- until: shot leader; leader elected -->",
            "unknown condition 'shot leader'",
        ),
        (
            "needs: healthy;",
            "needs: wealthy;",
            "<!-- needs: wealthy; key colour is blue -->",
            "unknown need 'wealthy'",
        ),
        ("<!-- until: enter -->\n", "", "## Look", "lacks its 'until'"),
        ("etcd: 3.5 -->", "can: fly -->", "<!-- can: fly -->", "unknown ability 'fly'"),
        (
            "<!-- hint: kill -9",
            "<!-- can: dns -->\n<!-- hint: kill -9",
            "## Kill it",
            "the first step cannot be passed over",
        ),
        (
            "until: enter",
            "until: enter; healthy",
            "<!-- until: enter; healthy -->",
            "'enter' stands alone",
        ),
        (
            "<!-- until: enter -->",
            "<!-- until: enter -->\n<!-- until: healthy -->",
            "<!-- until: healthy -->",
            "said twice",
        ),
        (
            "After.\n",
            "After.\n\n```console\n$ true\n```\n",
            "## Kill it",
            "has 2 blocks of commands",
        ),
        ("$ etcd-sandbox kill leader\n", "", "## Kill it", "begins with a line"),
        ("PUT\n^C\n", "^C\nPUT\n", "## Look", "a command prints nothing"),
        ("$ etcd-sandbox status\n```", "$ etcd-sandbox status", "", "is not closed"),
        ("<details>", "", "## Question", "the question, with its answer folded away"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, place: str, what: str) -> None:
    assert old in PAGE
    page = PAGE.replace(old, new, 1)
    with pytest.raises(InputError) as caught:
        parse_lesson(page, NAME, shown="lessons/05-small.md")
    assert what in caught.value.what
    lines = page.split("\n")
    # What is not closed is so at the end.
    line = lines.index(place) + 1 if place else len(lines)
    assert caught.value.where == f"lessons/05-small.md:{line}"


def test_a_heading_in_a_block_of_commands_is_none() -> None:
    page = PAGE.replace("…\n", "…\n## not a heading\n")
    assert parse_lesson(page, NAME).steps[0].commands[0].shown[-1] == "## not a heading"


@pytest.mark.parametrize("name", ["small.md", "5-small.md", "05-Small.md", "05-small.txt"])
def test_a_file_with_another_kind_of_name_is_no_lesson(name: str) -> None:
    with pytest.raises(InputError, match="number and words"):
        parse_lesson(PAGE, name)


def test_a_page_without_steps_is_refused() -> None:
    head, _, rest = PAGE.partition("## Kill it")
    with pytest.raises(InputError, match="at least five sections"):
        parse_lesson(head + rest[rest.index("## Question") :], NAME)


def test_the_hint_for_an_unknown_condition_lists_those_that_there_are() -> None:
    with pytest.raises(InputError) as caught:
        parse_lesson(PAGE.replace("killed leader;", "shot leader;"), NAME)
    assert "quorum lost" in caught.value.hint


def third(comments: str) -> str:
    """A page whose second step may be passed over, and a third step."""
    page = PAGE.replace("<!-- etcd: 3.5 -->", "<!-- can: dns; dig -->")
    step = f"## Then\n\n{comments}\n<!-- until: enter -->\n\n```console\n$ true\n```\n\n"
    return page.replace("## Question", f"{step}## Question")


def test_a_step_stands_on_none_that_may_be_passed_over() -> None:
    assert parse_lesson(third("<!-- needs: healthy -->"), NAME).steps[1].can == (
        Ability.DNS,
        Ability.DIG,
    )
    parse_lesson(third("<!-- can: dig; podman; dns -->"), NAME)
    for comments in ("", "<!-- can: dns -->"):
        with pytest.raises(InputError) as caught:
            parse_lesson(third(comments), NAME)
        assert "'Then' comes after a step that may be passed over" in caught.value.what
