from __future__ import annotations

import time
from typing import Any

import pytest
from etcd_sandbox.cli.streams import PIECE_BYTES, Merger, order
from etcd_sandbox.control.wire import LinesFrame, NowFrame, SkippedFrame
from hypothesis import given
from hypothesis import strategies as st

NOON_US = 1_700_000_000_000_000
CLOCK = time.strftime("%H:%M:%S", time.localtime(NOON_US // 1_000_000)).encode()


def written(merger: Merger, data: bytes, process: str = "web") -> bytes:
    return b"".join(merger.frame(LinesFrame(1, NOON_US, process, data)))


def test_each_line_gets_the_clock_and_the_padded_name() -> None:
    merger = Merger(["web", "long-name"], colour=False)
    assert written(merger, b"one\ntwo\n") == (
        CLOCK + b" web       | one\n" + CLOCK + b" web       | two\n"
    )


def test_blank_lines_are_kept() -> None:
    merger = Merger(["web"], colour=False)
    assert written(merger, b"\n\na\n\n").count(b"\n") == 4


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), min_size=1))
def test_the_bytes_behind_the_prefix_are_those_of_the_process(lines: list[bytes]) -> None:
    merger = Merger(["web"], colour=False)
    prefix = CLOCK + b" web     | "
    data = b"".join(line + b"\n" for line in lines)
    shown = written(merger, data).split(b"\n")[:-1]
    assert [line.removeprefix(prefix) for line in shown] == lines
    assert all(line.startswith(prefix) for line in shown)


@pytest.mark.parametrize("width", [0, 1, 209, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1])
def test_a_large_frame_is_cut_between_lines_only(width: int) -> None:
    merger = Merger(["web"], colour=False)
    line = b"x" * width
    data = (line + b"\n") * (3 * PIECE_BYTES // (width + 1) + 2)
    pieces = list(merger.frame(LinesFrame(1, NOON_US, "web", data)))
    assert len(pieces) > 1
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert b"".join(pieces).replace(CLOCK + b" web     | ", b"") == data


def test_on_a_terminal_a_process_has_one_colour_and_its_text_none() -> None:
    merger = Merger(["web", "db"], colour=True)
    first, second = written(merger, b"t\n", "web"), written(merger, b"t\n", "db")
    assert first == CLOCK + b" \x1b[36mweb     |\x1b[0m t\n"
    assert second == CLOCK + b" \x1b[33mdb      |\x1b[0m t\n"


def test_a_process_that_came_later_is_labelled_as_well() -> None:
    merger = Merger(["web"], colour=False)
    assert written(merger, b"t\n", "late") == CLOCK + b" late    | t\n"


def test_tame_lines_keep_their_colours_and_nothing_else_that_acts() -> None:
    data = b"first\n\x1b[2J\x1b[31mred\x1b[0m\n"
    assert written(Merger(["web"], colour=False), data).count(b"\x1b") == 3
    shown = written(Merger(["web"], colour=False, tame=True), data)
    assert shown == CLOCK + b" web     | first\n" + CLOCK + b" web     | \x1b[31mred\x1b[0m\n"


def test_names_are_padded_by_the_cells_that_a_terminal_gives_them() -> None:
    merger = Merger(["\u6f22\u5b57\u6f22\u5b57", "web", "e\u0301"], colour=False)
    assert (
        written(merger, b"t\n", "\u6f22\u5b57\u6f22\u5b57")
        == CLOCK + " \u6f22\u5b57\u6f22\u5b57 | t\n".encode()
    )
    assert written(merger, b"t\n", "web") == CLOCK + b" web      | t\n"
    assert written(merger, b"t\n", "e\u0301") == CLOCK + " e\u0301        | t\n".encode()


@pytest.mark.parametrize(
    ("lines", "text"), [(1, "… 1 line skipped …\n"), (5, "… 5 lines skipped …\n")]
)
def test_lost_lines_are_told(lines: int, text: str) -> None:
    assert b"".join(Merger(["web"], colour=False).frame(SkippedFrame(lines))) == text.encode()


def test_catching_up_is_not_shown() -> None:
    assert list(Merger(["web"], colour=False).frame(NowFrame())) == []


def test_our_own_lines_are_marked_as_ours() -> None:
    text = Merger(["web"], colour=False).own("infra2 leads (term 3)", NOON_US)
    assert text == CLOCK + b" sandbox | infra2 leads (term 3)\n"


def test_members_come_first_in_the_order_of_colours() -> None:
    processes: list[dict[str, Any]] = [
        {"name": "web", "member": None},
        {"name": "etcd1", "member": {"name": "infra1"}},
        {"name": "db", "member": None},
        {"name": "etcd2", "member": {"name": "infra2"}},
    ]
    assert order(processes) == ["etcd1", "etcd2", "web", "db"]
