"""`.env` files: who wins, what `${NAME}` means, and which lines are refused."""

from __future__ import annotations

import pytest

from sandbox.config.environment import load_env
from sandbox.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB=two words\n", {"A": "1", "B": "two words"}),
        ("export A=1", {"A": "1"}),
        ("export A", {}),
        ("# c\n\nA='x y' # c\nB=\"a\\nb\"", {"A": "x y", "B": "a\nb"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=", {"A": ""}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=1\nB=${A}2", {"A": "1", "B": "12"}),
        ("B=${HOME}/x", {"B": "/home/me/x"}),
        ("B=${NONE:-d}", {"B": "d"}),
        ("B=$A", {"B": "$A"}),
        ("HOME=/other\nB=${HOME}", {"B": "/home/me"}),
        ("\ufeffA=1", {"A": "1"}),
        ("", {}),
    ],
)
def test_a_file_adds_variables_to_the_callers(text: str, expected: dict[str, str]) -> None:
    assert load_env([(".env", text)], {"HOME": "/home/me"}) == expected


def test_the_first_file_wins_and_the_caller_over_all() -> None:
    files = [("a", "X=a\nY=a\n"), ("b", "X=b\nZ=b${X}\nY=b\n")]
    assert load_env(files, {"Y": "caller"}) == {"X": "a", "Z": "ba"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\n\n\nB 2\n", "this line does not set a variable, .env:4"),
        ("A", "this line does not set a variable, .env:1"),
        ("=1", "this line does not set a variable, .env:1"),
        ("A=1\nB='open\nC=3", "this line does not set a variable, .env:2"),
        ("A=1\nB: 2", "this line does not set a variable, .env:2"),
        ("A=1\nB=x\0y", "this line holds a NUL character, .env:2"),
    ],
)
def test_a_line_that_sets_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_env([(".env", text)], {})
    assert str(caught.value) == message
