"""The lines of keys in TOML documents."""

from __future__ import annotations

import pytest
import tomli
from etcd_sandbox.config.tomlplace import Key, places, spell

DOCUMENT = '''\
description = "a # no comment"  # a comment [not.a.table]
text = """
[not.a.table]
x = "quoted\\""" # still text
"""
raw = \'\'\'
y = 1\'\'\'

[cluster]
members = 3
"base_port" = 1
nested.key . "with.dot" = 2

[etcd]
heartbeat-interval = 10

[[member]]
name = "infra1"
flags = { a = 1, "b" = [ { c = "}" }, 2 ], d = { e = 3.5 } }

[[member]]   # the second
name = "infra2"
[member.flags]
snapshot-count = 100
list = [
  1,
  # 2,
  "]",
]
when = 1979-05-27 07:32:00
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("description",), 1),
        (("text",), 2),
        (("raw",), 6),
        (("cluster",), 9),
        (("cluster", "members"), 10),
        (("cluster", "base_port"), 11),
        (("cluster", "nested", "key", "with.dot"), 12),
        (("etcd", "heartbeat-interval"), 15),
        (("member", 0), 17),
        (("member", 0, "name"), 18),
        (("member", 0, "flags", "a"), 19),
        (("member", 0, "flags", "b", 0, "c"), 19),
        (("member", 0, "flags", "d", "e"), 19),
        (("member", 1), 21),
        (("member", 1, "name"), 22),
        (("member", 1, "flags"), 23),
        (("member", 1, "flags", "snapshot-count"), 24),
        (("member", 1, "flags", "list", 1), 28),
        (("member", 1, "flags", "when"), 30),
    ],
)
def test_each_key_is_found_in_its_line(key: Key, line: int) -> None:
    tomli.loads(DOCUMENT)
    assert places(DOCUMENT).get(key) == line


def test_text_inside_strings_and_comments_is_no_key() -> None:
    found = {spell(key) for key in places(DOCUMENT)}
    assert not found & {"not.a.table", "x", "y", "not"}


@pytest.mark.parametrize(
    "text", ["a = [}", "= =", "[[", "a", "{ , ]", '"""', "a = \n]", "[a\nb = {x"]
)
def test_a_document_that_is_not_valid_still_ends(text: str) -> None:
    assert isinstance(places(text), dict)


def test_a_key_is_spelled_as_a_reader_writes_it() -> None:
    assert spell(("member", 1, "flags", "x")) == "member[1].flags.x"
