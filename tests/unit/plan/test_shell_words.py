"""Splitting command lines into words, as sh does."""

from __future__ import annotations

import pytest
from etcd_sandbox.plan.shell import split

ENV = {"PORT": "5000", "TWO": "a b", "EMPTY": "", "PADDED": " x "}


@pytest.mark.parametrize(
    ("command", "plain", "words"),
    [
        ("", True, []),
        ("etcd --name x", True, ["etcd", "--name", "x"]),
        ("a  'b c'\t\"d e\" f\\ g", True, ["a", "b c", "d e", "f g"]),
        ("a--b='c d'e", True, ["a--b=c de"]),
        ("a '' \"\"", True, ["a", "", ""]),
        ("a $PORT ${PORT} \"$PORT\" '$PORT'", True, ["a", "5000", "5000", "5000", "$PORT"]),
        ("a x$PORT.y", True, ["a", "x5000.y"]),
        ("a $TWO \"$TWO\" x$TWO'y'", True, ["a", "a", "b", "a b", "xa", "by"]),
        ("a b$PADDED'c'", True, ["a", "b", "x", "c"]),
        ('a $EMPTY "$EMPTY" $NONE', True, ["a", ""]),
        ("a ${NONE:-d} ${NONE-e} ${PORT:-d} ${PORT%0}", True, ["a", "d", "e", "5000", "${PORT%0}"]),
        (r"a \$PORT \"x\" 'a\b' \\", True, ["a", "$PORT", '"x"', "a\\b", "\\"]),
        (r'a "\$PORT \" \n"', True, ["a", '$PORT " \\n']),
        ("a $ b$", True, ["a", "$", "b$"]),
        ("a # b | c", True, ["a"]),
        ("a b#c", True, ["a", "b#c"]),
        ("a 'x|y' \"&;\" \\>", True, ["a", "x|y", "&;", ">"]),
        ("a b | c", False, ["a", "b"]),
        ("a b&& c", False, ["a", "b"]),
        ("a b; c", False, ["a", "b"]),
        ("a b\nc", False, ["a", "b"]),
        ("a \\\n b", True, ["a", "b"]),
        ("a b\\\nc", True, ["a", "bc"]),
        ("(a b)", False, []),
        ("a b 2>&1 c > log d", False, ["a", "b", "c", "d"]),
        ("a >log 2>>err <in x", False, ["a", "x"]),
        ("a x2>log", False, ["a", "x2"]),
        ("a $(date +%s) b", False, ["a", "$(date +%s)", "b"]),
        ('a `date` "$(b (c))"', False, ["a", "`date`", "$(b (c))"]),
    ],
)
def test_a_command_line_becomes_the_words_that_sh_sees(
    command: str, plain: bool, words: list[str]
) -> None:
    line = split(command)
    assert line is not None
    assert (line.plain, [field for word in line.words for field in word.expand(ENV)]) == (
        plain,
        words,
    )


@pytest.mark.parametrize("command", ["a 'b", 'a "b', "a `b", "a $(b", "a ${b", 'a "$(b"', 'a "`b"'])
def test_an_open_quote_is_no_command(command: str) -> None:
    assert split(command) is None


def test_a_word_knows_its_place() -> None:
    command = "A=1  'et'cd x"
    line = split(command)
    assert line is not None
    assert [command[word.start : word.end] for word in line.words] == ["A=1", "'et'cd", "x"]
