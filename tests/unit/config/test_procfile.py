"""The Procfile reader: goreman's rules, and the errors that goreman does not give."""

from __future__ import annotations

import time

import pytest
from etcd_sandbox.config.procfile import Entry, parse_procfile
from etcd_sandbox.errors import InputError

ALLOWED = "use letters, digits and any of . _ - + @ % = , # ~, the first a letter, a digit or _"


def entries(text: str) -> list[tuple[str, str, int]]:
    return [
        (entry.name, entry.command, entry.line)
        for entry in parse_procfile(text.encode(), "Procfile").entries
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web: python app.py", [("web", "python app.py", 1)]),
        ("web: python app.py\n", [("web", "python app.py", 1)]),
        ("a: x\r\nb: y\r\n", [("a", "x", 1), ("b", "y", 2)]),
        ("\n\n# comment: no\n  # indented: no\n#\na: x", [("a", "x", 6)]),
        ("  a \t:\t  x y  ", [("a", "x y", 1)]),
        ("a:x", [("a", "x", 1)]),
        ("a: curl http://h:80/", [("a", "curl http://h:80/", 1)]),
        ("a: echo # kept", [("a", "echo # kept", 1)]),
        ("\ufeffa: x", [("a", "x", 1)]),
        ("\ufeff# first\na: x", [("a", "x", 2)]),
        (
            "web.1: x\n_b-c+d@e: y\nwörker2: z",
            [("web.1", "x", 1), ("_b-c+d@e", "y", 2), ("wörker2", "z", 3)],
        ),
        ("a: x\vy\u2028z", [("a", "x\vy\u2028z", 1)]),
    ],
)
def test_a_procfile_reads_as_goreman_reads_it(
    text: str, expected: list[tuple[str, str, int]]
) -> None:
    assert entries(text) == expected


def test_lines_that_goreman_skips_in_silence_are_named() -> None:
    found = parse_procfile(b"web: x\nstray words\n: nameless\n   : too\n# fine\n", "Procfile")
    assert found.entries == (Entry("web", "x", 1),)
    assert found.warnings == (
        "Procfile:2: no ':' in this line, so it is skipped",
        "Procfile:3: no name before the ':', so this line is skipped",
        "Procfile:4: no name before the ':', so this line is skipped",
    )


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (
            b"a: x\n\na : y\n",
            "the process 'a' is defined twice, first in line 1, P:3",
            "rename or remove one of them",
        ),
        (
            b"a: x\nb:  \t\n",
            "the process 'b' has an empty command, P:2",
            "write the command behind the ':', or put a '#' before the line",
        ),
        (b"", "no process is defined, P", "write one 'name: command' per line"),
        (
            b"\n# only: this\nwords\n",
            "no process is defined, P",
            "write one 'name: command' per line",
        ),
        (
            b"a: x\n\x7fELF\x00\x01",
            "this is a binary file, not a Procfile (it holds a NUL byte), P:2",
            "",
        ),
        (b"a: x\nb: \xff\n", "this line is not valid UTF-8, P:2", "save the file as UTF-8"),
        (b"\xef\xbb\xbfa: \xff\n", "this line is not valid UTF-8, P:1", "save the file as UTF-8"),
        (
            b"leader: x",
            "'leader' cannot name a process: it selects processes by their role, P:1",
            "choose a name that is none of leader, followers, learners, members, majority, minority, random, all",
        ),
        (
            b"sandbox: x",
            "'sandbox' cannot name a process: it marks etcd-sandbox's own lines, P:1",
            "choose another name",
        ),
        (b"a/b: x", "'a/b' cannot name a process, P:1", ALLOWED),
        (b"a b: x", "'a b' cannot name a process, P:1", ALLOWED),
        (b"a\tb: x", "'a\\tb' cannot name a process, P:1", ALLOWED),
        (b"a\x1bb: x", "'a\\x1bb' cannot name a process, P:1", ALLOWED),
        (b"-a: x", "'-a' cannot name a process, P:1", ALLOWED),
        (b"..: x", "'..' cannot name a process, P:1", ALLOWED),
        (b"a$b: x", "'a$b' cannot name a process, P:1", ALLOWED),
        (
            b"a" * 64 + b": x",
            "the process's name 'aaaaaaaaaaaaaaaaaaaa'… is longer than 63 characters, P:1",
            "choose a shorter name",
        ),
    ],
)
def test_a_procfile_that_cannot_be_run_is_refused_with_its_line(
    data: bytes, message: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_procfile(data, "P")
    assert (str(caught.value), caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    "rest", ["  --listen-client-urls http://h:1", "--name infra1", "--urls http://h:1", " http://h"]
)
def test_a_command_that_goes_on_in_the_next_line_is_refused_with_what_an_entry_is(
    rest: str,
) -> None:
    with pytest.raises(InputError) as caught:
        parse_procfile(f"a: x\netcd1: etcd --name infra1 \\\n{rest}\n".encode(), "P")
    assert str(caught.value) == ("the command of 'etcd1' goes on in the next line, after '\\', P:2")
    assert "an entry of a Procfile is one line, 'name: command'" in caught.value.hint


@pytest.mark.parametrize("end", ["", "\n", "\n\nb: y\n", "\nb: y\n", "\n# c\n"])
def test_a_backslash_at_the_end_of_a_command_is_told(end: str) -> None:
    found = parse_procfile(f"a: echo x \\{end}".encode(), "P")
    assert found.entries[0] == Entry("a", "echo x \\", 1)
    assert found.warnings == (
        "P:1: the command of a ends with '\\', and here: an entry of a Procfile is one line",
    )
    assert parse_procfile(b"a: echo \\\\\nb: y", "P").warnings == ()


def test_a_name_with_accents_is_one_name_however_it_was_typed() -> None:
    composed, decomposed = "\u00e9te\u0301", "e\u0301t\u00e9"
    assert entries(f"{decomposed}: x") == [("\u00e9t\u00e9", "x", 1)]
    assert entries("\u0939\u093f\u0928\u094d\u0926\u0940: x")[0][0].startswith("\u0939")
    with pytest.raises(InputError, match="is defined twice"):
        parse_procfile(f"{composed}: x\n{decomposed}: y".encode(), "P")


def test_a_thousand_processes_are_read_and_one_more_is_refused() -> None:
    lines = [f"p{index}: x" for index in range(1001)]
    assert len(parse_procfile("\n".join(lines[:1000]).encode(), "P").entries) == 1000
    with pytest.raises(InputError) as caught:
        parse_procfile("\n".join(lines).encode(), "P")
    assert str(caught.value) == "more than 1000 processes are defined, P:1001"


def test_a_hundred_thousand_lines_of_comments_are_read_in_a_moment() -> None:
    data = b"# a comment: nothing\n" * 100_000 + b"web: x\n"
    began = time.perf_counter()
    assert parse_procfile(data, "P").entries == (Entry("web", "x", 100_001),)
    assert time.perf_counter() - began < 2
