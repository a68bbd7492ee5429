"""`learn` without a cluster: the list, what it refuses, what is completed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.shell_completion import BashComplete

from sandbox.cli.lessontext import markdown, wrapped
from sandbox.cli.main import COMPLETE_VARIABLE
from sandbox.cli.root import PROGRAM, root
from sandbox.learn.library import all_lessons
from sandbox.learn.progress import Place, keep
from tests.unit.cli.conftest import Ran


def test_the_lessons_are_listed_with_how_far_each_has_come(cli: Callable[..., Ran]) -> None:
    keep("your-first-cluster", Place(done=True))
    keep("electing-a-leader", Place(step=2))
    rows = cli("learn").out.splitlines()
    assert rows[1].split()[0] == "1"
    assert rows[1].endswith("done")
    assert "step 3 of" in rows[2]
    assert rows[3].endswith("-")
    assert rows[-1] == "next: etcd-sandbox learn 2"


def test_the_list_as_json(cli: Callable[..., Ran]) -> None:
    keep("electing-a-leader", Place(step=2))
    listed = json.loads(cli("learn", "--json").out)["lessons"]
    assert [each["lesson"] for each in listed] == [lesson.number for lesson in all_lessons()]
    assert (listed[1]["step"], listed[1]["done"], listed[1]["language"]) == (2, False, "en")


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (("99",), "there is no lesson '99'"),
        (("1",), "it needs a terminal"),
        (("1", "2"), "one lesson at a time"),
        (("1", "--json"), "it has no JSON"),
        (("--lang", "xx"), "no lesson was translated to 'xx'"),
        (("--check", "zzz"), "there is no lesson 'zzz'"),
    ],
)
def test_what_cannot_be_done_is_refused(
    cli: Callable[..., Ran], args: tuple[str, ...], what: str
) -> None:
    ran = cli("learn", *args)
    assert ran.code == 2
    assert what in ran.err
    assert "hint:" in ran.err


def test_numbers_of_lessons_are_completed() -> None:
    shell = BashComplete(root, {}, PROGRAM, COMPLETE_VARIABLE)
    found = [item.value for item in shell.get_completions(["learn"], "1")]
    assert {"1", "10"} <= set(found)
    assert all(number.startswith("1") for number in found)


def test_markdown_is_set_as_text_without_colours() -> None:
    shown = markdown("A **term** and `kill -9`.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    assert "\x1b" not in shown
    assert "A term and kill -9." in shown
    assert "• one" in shown
    assert "1" in shown.rstrip().splitlines()[-1]


def test_a_long_sentence_is_wrapped_behind_its_mark() -> None:
    first, second, *_ = wrapped("word " * 40, "✓")
    assert first.startswith("✓ word")
    assert second.startswith("  word")
