from __future__ import annotations

import os
import threading
import time

import pytest
from etcd_sandbox.cli import output
from etcd_sandbox.cli.output import Painted, of_process, table_lines


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    lines = table_lines(
        [{"NAME": "a", "PID": "1"}, {"NAME": "longer", "PID": Painted("12345", "31")}]
    )
    assert lines == ["NAME      PID", "a           1", "longer  12345"]


def test_columns_are_aligned_by_the_cells_that_a_terminal_gives_the_text() -> None:
    lines = table_lines([{"NAME": "\u6f22\u5b57\u6f22", "P": "1"}, {"NAME": "web", "P": "2"}])
    assert lines == ["NAME    P", "\u6f22\u5b57\u6f22  1", "web     2"]


def test_colour_does_not_count_as_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "colour", lambda: True)
    lines = table_lines([{"A": Painted("x", "31"), "B": "y"}, {"A": "long", "B": "z"}])
    assert lines[1] == "\x1b[31mx\x1b[0m     y"
    assert lines[2] == "long  z"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_the_environment_can_do_without_colour(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert output.colour()
    monkeypatch.setenv(name, value)
    assert not output.colour()


def test_a_process_keeps_its_colour_and_never_gets_that_of_errors() -> None:
    assert of_process("a", 0).sgr == of_process("b", len(output.PALETTE)).sgr
    assert output.BAD not in output.PALETTE


def test_pieces_of_two_threads_are_never_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    received = bytearray()

    write = os.write

    def a_little(fd: int, data: bytes) -> int:
        """A pipe that takes a part of a piece, and then it is another thread's turn."""
        if fd != 1:
            return write(fd, data)
        received.extend(data[:1000])
        time.sleep(0)
        return min(len(data), 1000)

    monkeypatch.setattr(os, "write", a_little)
    writers = [
        threading.Thread(target=output.raw, args=(letter * 300_000 + b"\n",))
        for letter in (b"a", b"b", b"c")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(sorted(set(line)) for line in received.splitlines()) == [[97], [98], [99]]
