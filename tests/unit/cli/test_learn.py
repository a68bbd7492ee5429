"""`learn` without a cluster: the list, what it refuses, what is completed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.shell_completion import BashComplete
from etcd_sandbox.cli.main import COMPLETE_VARIABLE
from etcd_sandbox.cli.output import markdown, wrapped
from etcd_sandbox.cli.root import PROGRAM, root
from etcd_sandbox.learn.library import Place, all_lessons, keep
from rich.cells import cell_len

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
        (("1", "--dashboard"), "the dashboard needs a terminal"),
        (("--dashboard",), "--dashboard is for one lesson"),
        (("--check", "1", "--dashboard"), "--dashboard is for one lesson"),
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
    assert "hint" in ran.err


def test_the_list_in_chinese_stands_in_columns(cli: Callable[..., Ran]) -> None:
    head, *rows, following = cli("learn", "--lang", "zh-Hant").out.splitlines()
    assert "選出領導者" in rows[1]
    ends = {cell_len(row[: row.index(" to ")]) for row in (*rows, head.replace("ETCD", "3.4 to "))}
    assert len(ends) == 1, "the column of the series begins at one place"
    assert following == "next: etcd-sandbox learn --lang zh-Hant 1"


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


CHINESE = (
    "領導者每秒送出十次**心跳**（heartbeat）。追隨者（follower）只要還聽得到，就保持安靜。" * 5
)


@pytest.mark.parametrize("columns", [40, 41, 60, 80, 81])
def test_chinese_is_set_in_full_lines_that_begin_and_end_as_they_may(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    page = markdown(CHINESE).splitlines()
    sentence = wrapped(CHINESE.replace("**", ""), "✓")
    for lines in (page, sentence):
        assert len(lines) > 3
        assert all(columns - 18 < cell_len(line) <= columns - 2 for line in lines[:-1]), lines
        assert not any(line.strip()[0] in "，。）" or line[-1] == "（" for line in lines), lines
    assert "".join(page) == CHINESE.replace("**", "")
    assert sentence[0].startswith("✓ 領導者")
    assert all(line.startswith("  ") for line in sentence[1:])


def test_a_command_is_never_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    address = "http://127.0.0.1:12379/" + "x" * 60
    assert wrapped(f"ask {address} now") == ["ask", address, "now"]


def test_a_long_sentence_is_wrapped_behind_its_mark() -> None:
    first, second, *_ = wrapped("word " * 40, "✓")
    assert first.startswith("✓ word")
    assert second.startswith("  word")
