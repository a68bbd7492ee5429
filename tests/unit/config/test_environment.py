"""`.env` files: who wins, what `${NAME}` means, and which lines are refused."""

from __future__ import annotations

import pytest
from etcd_sandbox.config.inputfile import load_env
from etcd_sandbox.errors import InputError


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
        ("HOME=\nB=${HOME:-d}", {"B": "d"}),
        ("---\nA=1\n", {"A": "1"}),
        ("\ufeffA=1", {"A": "1"}),
        ("", {}),
    ],
)
def test_a_file_adds_variables_to_the_callers(text: str, expected: dict[str, str]) -> None:
    assert load_env([(".env", text)], {"HOME": "/home/me"}) == expected


def test_the_first_file_wins_and_the_caller_over_all() -> None:
    files = [("a", "X=a\nY=a\n"), ("b", "X=b\nZ=b${X}\nY=b\n")]
    assert load_env(files, {"Y": "caller"}) == {"X": "a", "Z": "bb"}


AS_GODOTENV: tuple[tuple[str, dict[str, str]], ...] = (
    ("BASE=base\nBARE=$BASE/x", {"BASE": "base", "BARE": "base/x"}),
    ("BASE=base\nQUOTED='${BASE}/x'", {"BASE": "base", "QUOTED": "${BASE}/x"}),
    ('BASE=base\nESCAPED="\\$BASE"', {"BASE": "base", "ESCAPED": "$BASE"}),
    ("BASE=base\nESCAPED=\\${BASE}\\n", {"BASE": "base", "ESCAPED": "${BASE}\\n"}),
    ("GONE=a$NOPE/b", {"GONE": "a/b"}),
    ("LATER=$BASE\nBASE=base", {"LATER": "", "BASE": "base"}),
    ("SMALL=$base-${base}", {"SMALL": "$base-${base}"}),
    ("DOLLAR=5$ $(date)", {"DOLLAR": "5$ $(date)"}),
    ("NAME: value", {"NAME": "value"}),
    ("export NAME: 'a: b'", {"NAME": "a: b"}),
    ("NAME = value", {"NAME": "value"}),
    ("NAME=http://host:1/#top", {"NAME": "http://host:1/#top"}),
    ("NAME=a # b # c", {"NAME": "a # b"}),
    ("NAME=# not a comment", {"NAME": "# not a comment"}),
    ('NAME="a # b" # c', {"NAME": "a # b"}),
    ('NAME="a\\nb\\tc\\\\d"', {"NAME": "a\nbtc\\d"}),
    ("NAME='a\\nb'", {"NAME": "a\\nb"}),
    ('NAME="first\nsecond"\nB=2', {"NAME": "first\nsecond", "B": "2"}),
    ("A='x' B=2", {"A": "x", "B": "2"}),
    ("BASE=here\nCALLER=here\nB=$BASE$CALLER", {"BASE": "here", "B": "herehere"}),
)
"""Contents of a `.env`, and what goreman's processes get, where the caller's CALLER is set."""


@pytest.mark.parametrize(("text", "expected"), AS_GODOTENV)
def test_a_file_is_read_as_goreman_reads_it(text: str, expected: dict[str, str]) -> None:
    assert load_env([(".env", text)], {"CALLER": "me"}) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\n\n\nB 2\n", "this line does not set a variable, .env:4"),
        ("A", "this line does not set a variable, .env:1"),
        ("=1", "this line does not set a variable, .env:1"),
        ("A=1\nB='open\nC=3", "the value of B begins with ' and has no end, .env:2"),
        ('A=1\nB="x"y\n', "this line does not set a variable, .env:2"),
        ("export $A\n", "this line does not set a variable, .env:1"),
        ("A=1\nB=x\0y", "this line holds a NUL character, .env:2"),
    ],
)
def test_a_line_that_sets_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_env([(".env", text)], {})
    assert str(caught.value) == message
