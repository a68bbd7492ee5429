"""What crosses the control socket comes out as it went in."""

from __future__ import annotations

import io

import pytest
from etcd_sandbox.control.wire import (
    NOW_FRAME,
    EndedFrame,
    LinesFrame,
    NowFrame,
    SkippedFrame,
    ended_frame,
    error_from_wire,
    error_to_wire,
    lines_header,
    read_frames,
    skipped_frame,
)
from etcd_sandbox.errors import InputError, NotRunning, ProcessFailed, SandboxError, TimedOut


def test_frames_come_out_as_they_went_in() -> None:
    lines = b"one\n\nN\nL 1 2 3 x\n\xff\n"
    sent = lines_header(7, 1_700_000, len(lines), "wéb") + lines + skipped_frame(12) + NOW_FRAME
    sent += ended_frame("the lock  is gone: /a b")
    assert list(read_frames(io.BytesIO(sent))) == [
        LinesFrame(7, 1_700_000, "wéb", lines),
        SkippedFrame(12),
        NowFrame(),
        EndedFrame("the lock  is gone: /a b"),
    ]


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_stream_that_is_cut_off_ends_with_its_last_whole_frame(cut: int) -> None:
    whole = lines_header(1, 1, 2, "a") + b"x\n"
    sent = whole + lines_header(2, 2, 20, "a") + b"0123456789012345678\n"
    frames = list(read_frames(io.BytesIO(sent[:-cut])))
    assert frames == [LinesFrame(1, 1, "a", b"x\n")]


@pytest.mark.parametrize("kind", [SandboxError, InputError, NotRunning, TimedOut])
def test_errors_keep_their_kind_and_all_that_they_say(kind: type[SandboxError]) -> None:
    back = error_from_wire(error_to_wire(kind("what", "where", "hint", "detail")))
    assert type(back) is kind
    assert (back.what, back.where, back.hint, back.detail) == ("what", "where", "hint", "detail")


@pytest.mark.parametrize("status", [1, 3, 127, 143])
def test_the_failure_of_a_process_keeps_its_exit_code(status: int) -> None:
    back = error_from_wire(error_to_wire(ProcessFailed("what", detail="last", status=status)))
    assert isinstance(back, ProcessFailed)
    assert (back.exit_code, back.what, back.detail) == (status, "what", "last")


def test_an_answer_that_is_no_error_of_ours_is_told_as_it_is() -> None:
    assert "Not Found" in str(error_from_wire("Not Found"))
