"""The pretty view's parts of a line, the text that may be shown, and the rows that are made of it."""

from __future__ import annotations

import pytest
from etcd_sandbox.tui.logfilter import pattern_of
from etcd_sandbox.tui.logring import Line
from etcd_sandbox.tui.logrows import RowLayout, ZapLine, rows, zap_line
from etcd_sandbox.tui.text import coloured, decoded, visible
from rich.cells import cell_len
from rich.style import Style

LOOK = RowLayout(width=40, ground=Style(), name_columns=6)
ZAP = (
    b'{"level":"warn","ts":"2026-11-22T15:30:11.123456+0100","caller":"etcdserver/util.go:170",'
    b'"msg":"apply request took too long","took":"1.2 s","count":3,"nested":{"a":[1,null]}}'
)


def painted(data: bytes, layout: RowLayout = LOOK, **more: bool) -> list[str]:
    made = rows(
        Line("infra1", 0, data), layout, Style(color="cyan"), marked=more.get("marked", False)
    )
    texts = ["".join(segment.text for segment in cells) for cells in made]
    assert all(cell_len(text) == layout.width for text in texts)
    return [text.rstrip() for text in texts]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            ZAP,
            ZapLine(
                "15:30:11.123",
                "warn",
                "apply request took too long",
                (
                    ("took", '"1.2 s"'),
                    ("count", "3"),
                    ("nested", '{"a":[1,null]}'),
                    ("caller", "etcdserver/util.go:170"),
                ),
            ),
        ),
        (b'{"level":"info","ts":86399.5,"msg":"x"}', ZapLine("23:59:59.500", "info", "x")),
        (b'{"level":"info","ts":NaN,"msg":"x"}', ZapLine("", "info", "x")),
        (b'{"msg":"x"}', ZapLine("", "", "x")),
        (
            b"2026-01-01 10:20:30.123456 N | etcdserver: ready",
            ZapLine("10:20:30.123", "info", "ready", (("package", "etcdserver"),)),
        ),
        (
            b"raft2026/01/01 10:20:30 INFO: became leader",
            ZapLine("10:20:30", "info", "became leader", (("package", "raft"),)),
        ),
        (b"plain", None),
        (b'{"level":"info"', None),
        (b'["msg"]', None),
    ],
)
def test_the_parts_of_each_form_of_line(line: bytes, told: ZapLine | None) -> None:
    assert zap_line(line) == told


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"a\x1b]8;;http://x\x07link\x1b]8;;\x1b\\b", "alinkb"),
        (b"\x1b]52;c;QQ==\x07x", "x"),
        (b"\x1b[2J\x1b[Hx\x1b(B\x1b7", "x"),
        (b"\x00\x07\x08\x7f", "\u2400\u2407\u2408\u2421"),
        (b"50%\r100%\r", "50%\u240d100%"),
        (b"a\tb", "a       b"),
        ("\u202egnp\u2066".encode(), "\ufffdgnp\ufffd"),
        ("\u009b31m".encode(), "\ufffd31m"),
        (b"\xff\xc3", "\ufffd\ufffd"),
        (b"\x1b", "\u241b"),
        (b"\x1b[" + b"9" * 5000 + b"mx", "x"),
        (b"[red]x[/red] [@click=app.quit]", "[red]x[/red] [@click=app.quit]"),
    ],
)
def test_nothing_in_a_line_acts_on_the_terminal(line: bytes, shown: str) -> None:
    assert visible(decoded(line)) == shown
    assert painted(line) == [f"infra1 │ {shown}"]


def test_colours_of_a_line_are_kept_but_it_cannot_hide_or_blink() -> None:
    assert coloured(b"\x1b[31mred\x1b[2K\x1b[0m") == "\x1b[31mred\x1b[0m"
    (cells,) = rows(Line("infra1", 0, b"\x1b[31;5;8mred"), LOOK, Style(), marked=False)
    style = next(segment.style for segment in cells if segment.text == "red")
    assert style is not None
    assert style.color is not None
    assert style.color.name == "red" or style.color.number == 1
    assert not style.blink
    assert not style.conceal


def test_a_pretty_line_has_its_parts_in_columns_and_any_other_stays_as_it_is() -> None:
    layout = RowLayout(width=150, ground=Style(), name_columns=6, pretty=True)
    assert painted(ZAP, layout) == [
        "infra1 │ 15:30:11.123 WARN  apply request took too long"
        '                 took="1.2 s" count=3 nested={"a":[1,null]} caller=etcdserver/util.go:170'
    ]
    assert painted(b"plain", layout) == ["infra1 │ plain"]


def test_a_pretty_line_shows_what_json_escapes_hide_as_text() -> None:
    layout = RowLayout(width=60, ground=Style(), name_columns=6, pretty=True, wrap=True)
    line = rb'{"level":"info","msg":"\u001b[31m\ud800\n[b]","k\u0007":"\u0000"}'
    assert painted(line, layout) == [
        "infra1 │              INFO  \u241b[31m\ufffd\u240a[b]  k\u2407=\u2400"
    ]


def test_a_wrapped_line_loses_nothing_and_breaks_no_wide_character() -> None:
    text = "中文字🎉 mixed with ascii " * 8
    layout = RowLayout(width=30, ground=Style(), name_columns=6, wrap=True)
    pieces = painted(text.encode(), layout)
    assert len(pieces) > 8
    assert "".join(piece.partition(" │ ")[2] for piece in pieces).replace(" ", "") == (
        text.replace(" ", "")
    )
    assert all(piece.startswith("       │ ") for piece in pieces[1:])


def test_columns_are_cut_from_the_left_when_the_reader_goes_sideways() -> None:
    layout = RowLayout(width=20, ground=Style(), name_columns=6, left=16)
    assert painted(b"0123456789abcdefghijklmnopqrstuvwxyz", layout) == ["infra1 │ ghijklmnopq"]


def test_a_line_of_a_mebibyte_shows_its_beginning_and_how_much_more_there_is() -> None:
    layout = RowLayout(width=100, ground=Style(), name_columns=6, wrap=True)
    pieces = painted(b"x" * (1 << 20), layout)
    assert len(pieces) < 100
    assert pieces[-1].endswith("… 1,040,384 bytes more")


def test_a_match_is_highlighted_across_changes_of_colour() -> None:
    layout = RowLayout(width=40, ground=Style(), name_columns=6, found=pattern_of("lead"))
    (cells,) = rows(Line("infra1", 0, b"new le\x1b[31mader"), layout, Style(), marked=False)
    hits = [segment.text for segment in cells if segment.style and segment.style.reverse]
    assert hits == ["le", "ad"]


def test_an_expression_that_matches_nothingness_highlights_nothing() -> None:
    layout = RowLayout(width=40, ground=Style(), name_columns=6, found=pattern_of("x*"))
    (cells,) = rows(Line("infra1", 0, b"abc"), layout, Style(), marked=False)
    assert not [segment for segment in cells if segment.style and segment.style.reverse]


def test_a_mark_and_a_long_name_are_seen_without_colour() -> None:
    layout = RowLayout(width=30, ground=Style(), name_columns=8)
    (cells,) = rows(Line("a-very-long-name", 0, b"x"), layout, Style(), marked=True)
    assert "".join(segment.text for segment in cells).rstrip() == "a-very-… ▶ x"


def test_skipped_lines_are_told_with_their_number() -> None:
    (cells,) = rows(Line("", 0, b"", 1234), LOOK, Style(), marked=False)
    assert "".join(segment.text for segment in cells).rstrip() == "… 1,234 lines skipped …"
