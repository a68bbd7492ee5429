"""Where long text is broken."""

from __future__ import annotations

from etcd_sandbox.tui.text import listed, wrapped
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len


def test_rows_end_after_spaces_and_commas() -> None:
    assert wrapped("one two,three four", 9) == ["one two,", "three", "four"]


def test_what_has_none_ends_after_a_slash() -> None:
    assert wrapped("--dir=/home/learner/data", 16) == ["--dir=/home/", "learner/data"]


def test_a_url_is_not_broken_before_its_host() -> None:
    assert wrapped("--peer-urls=http://127.0.0.1:2380", 25) == [
        "--peer-urls=",
        "http://127.0.0.1:2380",
    ]


def test_what_has_no_slash_ends_anywhere() -> None:
    assert wrapped("abcdefgh", 3) == ["abc", "def", "gh"]


def test_later_rows_leave_room_for_their_indent() -> None:
    assert wrapped("aaa bbb ccc", 7, indent=4) == ["aaa bbb", "ccc"]
    assert wrapped("aaa bbb ccc", 7, indent=5) == ["aaa bbb", "cc", "c"]


def test_a_row_may_be_full_to_its_last_cell() -> None:
    assert wrapped("ab cd", 5) == ["ab cd"]


@given(st.text(alphabet="ab ,/漢", max_size=40), st.integers(1, 12), st.integers(0, 6))
def test_nothing_but_spaces_is_lost_and_no_row_is_too_wide(
    text: str, width: int, indent: int
) -> None:
    rows = wrapped(text, width, indent=indent)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    narrowest = max(2, width)
    assert all(cell_len(row) <= narrowest for row in rows)


def test_lists_are_broken_between_their_items() -> None:
    assert listed(["term 2", "revision 10", "pid 4242"], 22) == ["term 2 · revision 10", "pid 4242"]


def test_an_item_that_is_too_long_has_rows_of_its_own() -> None:
    assert listed(["a", "bbbb cccc"], 5) == ["a", "bbbb", "cccc"]
