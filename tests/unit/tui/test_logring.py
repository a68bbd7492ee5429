"""The ring of log lines: numbers, limits, what is split and when."""

from __future__ import annotations

import pytest
from etcd_sandbox.control.wire import LinesFrame, NowFrame, SkippedFrame
from etcd_sandbox.tui.logring import CHUNK_BYTES, LogRing


def frame(*lines: bytes, process: str = "infra1") -> LinesFrame:
    return LinesFrame(1, 5, process, b"".join(line + b"\n" for line in lines))


def text(ring: LogRing, number: int) -> bytes:
    line = ring.line(number)
    assert line is not None
    return line.data


def test_lines_are_numbered_in_their_order_of_arrival() -> None:
    ring = LogRing()
    ring.take(frame(b"a", b"b"))
    ring.take(frame(b"c", process="infra2"))
    assert (ring.first, ring.end) == (0, 3)
    assert [text(ring, number) for number in range(3)] == [b"a", b"b", b"c"]
    line = ring.line(2)
    assert line is not None
    assert (line.process, line.time_us) == ("infra2", 5)


@pytest.mark.parametrize("number", [-1, 2, 99])
def test_a_number_that_is_not_kept_has_no_line(number: int) -> None:
    ring = LogRing()
    ring.take(frame(b"a", b"b"))
    assert ring.line(number) is None


def test_a_line_keeps_its_number_when_older_ones_go() -> None:
    ring = LogRing(lines=10)
    for number in range(25):
        ring.take(frame(b"%d" % number))
    assert (ring.first, ring.end) == (15, 25)
    assert [text(ring, number) for number in range(15, 25)] == [b"%d" % n for n in range(15, 25)]
    assert ring.line(14) is None


def test_the_bytes_that_are_kept_are_bounded_for_short_and_long_frames() -> None:
    for line in (b"x", b"y" * 5000):
        ring = LogRing(size=100_000)
        for _ in range(5000):
            ring.take(frame(line))
        assert ring.size <= 100_000
        assert ring.end == 5000


def test_what_was_given_up_leaves_no_places_behind() -> None:
    ring = LogRing(lines=100)
    for _ in range(20_000):
        ring.take(frame(b"x"))
    assert len(ring._chunks) < 5000


def test_the_newest_line_stays_even_when_it_is_larger_than_the_ring() -> None:
    ring = LogRing(size=1000)
    ring.take(frame(b"a"))
    ring.take(frame(b"z" * 5000))
    assert (ring.first, ring.end) == (1, 2)
    assert len(text(ring, 1)) == 5000


def test_a_large_frame_is_cut_between_lines() -> None:
    ring = LogRing()
    lines = [b"%06d" % number + b"-" * 90 for number in range(5000)]
    ring.take(frame(*lines))
    assert all(len(chunk.data) <= CHUNK_BYTES for chunk in ring.chunks())
    assert [line for chunk in ring.chunks() for line in chunk.split()] == lines
    assert text(ring, 4321) == lines[4321]


def test_a_line_of_a_mebibyte_is_kept_whole_among_short_ones() -> None:
    long = b"m" * (1 << 20)
    ring = LogRing()
    ring.take(frame(b"a", long, b"b"))
    assert [text(ring, number) for number in range(3)] == [b"a", long, b"b"]


def test_empty_lines_are_lines() -> None:
    ring = LogRing()
    ring.take(frame(b"", b"", b"x", b""))
    assert [text(ring, number) for number in range(4)] == [b"", b"", b"x", b""]


def test_a_frame_without_its_last_newline_loses_nothing() -> None:
    ring = LogRing()
    ring.take(LinesFrame(1, 0, "infra1", b"a\nb"))
    assert [text(ring, 0), text(ring, 1)] == [b"a", b"b"]


def test_skipped_lines_are_counted_and_stand_where_they_are_missing() -> None:
    ring = LogRing()
    ring.take(frame(b"a"))
    ring.take(SkippedFrame(41))
    ring.take(NowFrame())
    ring.take(SkippedFrame(1))
    ring.take(frame(b"b"))
    assert ring.skipped == 42
    told = [line.skipped for number in range(4) if (line := ring.line(number))]
    assert told == [0, 41, 1, 0]


def test_taking_splits_nothing_and_only_a_few_split_chunks_are_remembered() -> None:
    ring = LogRing()
    for _ in range(200):
        ring.take(frame(b"a", b"b"))
    assert not ring._split
    for number in range(ring.end):
        ring.line(number)
    assert 0 < len(ring._split) < 100


def test_chunks_are_walked_from_any_line_both_ways() -> None:
    ring = LogRing()
    for letter in b"abcd":
        ring.take(frame(bytes([letter]), bytes([letter])))
    assert [chunk.first for chunk in ring.chunks_from(3)] == [2, 4, 6]
    assert [chunk.first for chunk in ring.chunks_from(-5)] == [0, 2, 4, 6]
    assert [chunk.first for chunk in ring.chunks_from(8)] == []
    assert [chunk.first for chunk in ring.chunks_before(4)] == [2, 0]
    assert [chunk.first for chunk in ring.chunks_before(99)] == [6, 4, 2, 0]
    assert [chunk.first for chunk in ring.chunks_before(0)] == []
