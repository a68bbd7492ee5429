"""Lines of a process on a terminal that others write to as well."""

from __future__ import annotations

import re

import pytest
from etcd_sandbox.cli.streams import harmless
from hypothesis import given
from hypothesis import strategies as st

COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"plain \xe6\xbc\xa2 \xff\tx\n\n", b"plain \xe6\xbc\xa2 \xff\tx\n\n"),
        (
            b"\x1b[1;31mred\x1b[0m \x1b[38;5;9mx\x1b[m\n",
            b"\x1b[1;31mred\x1b[0m \x1b[38;5;9mx\x1b[m\n",
        ),
        (b"\x1b[38:2::1:2:3mx\n", b"\x1b[38:2::1:2:3mx\n"),
        (b"\x1b[2J\x1b[Hcleared\n", b"cleared\n"),
        (b"\x1b[?1049halternate\x1b[?25lhidden\n", b"alternatehidden\n"),
        (b"\x1b]0;title\x07a\x1b]8;;http://h\x1b\\link\n", b"alink\n"),
        (b"\x1b]0;open\nnext\n", b"\nnext\n"),
        (b"\x1bPdevice\x1b\\a\x1b_apc\x1b\\b\n", b"ab\n"),
        (b"\x1bcreset\x1b(0\x1b7\x1b=\n", b"reset\n"),
        (b"\xc2\x9b2J\xc2\x9d0;title\x07a \xc2\xa9\n", b"a \xc2\xa9\n"),
        (b"10%\r20%\n", "10%␍20%\n".encode()),
        (b"dos\r\n\r\r\nx\r\n", b"dos\r\n\r\r\nx\r\n"),
        (b"a\x08\x07\x0e\x0c\n", "a␈␇␎␌\n".encode()),
        (b"nothing\x00\x01\x7f\n", b"nothing\x00\x01\x7f\n"),
        (b"\xc2\xc2\x9b1J\x9b2Jx \xc2\x1b[1J\x9b2Jy\n", b"x y\n"),
        (b"cut\x1b[\ncut\x1b\n", b"cut\ncut\n"),
        (b"\x1b[>4;2m\x1b[?1m\n", b"\n"),
    ],
)
def test_colours_stay_and_what_else_acts_on_a_terminal_does_not(
    written: bytes, shown: bytes
) -> None:
    assert harmless(written) == shown


PIECES = [b"\x1b", b"[", b"]", b"0", b";", b"m", b"J", b"\x07", b"\\", b"\n", b"\r", b"\xc2", b"\x9b", b"P", b"a", b"(", b"?"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3)).map(b"".join))
def test_nothing_but_colours_is_left_of_whatever_is_written(written: bytes) -> None:
    shown = harmless(written)
    assert shown.count(b"\n") == written.count(b"\n")
    left = COLOUR.sub(b"", shown)
    assert not re.search(rb"[\x05\x07\x08\x0b\x0c\x0e\x0f\x1b]|\r(?!\r*\n)", left)
    assert harmless(shown) == shown
