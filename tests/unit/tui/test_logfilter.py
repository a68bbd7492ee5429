"""Filters, the list of what passes them, and searches: by table, step by step, while lines come and go."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from etcd_sandbox.control.wire import LinesFrame, SkippedFrame
from etcd_sandbox.errors import InputError
from etcd_sandbox.tui.logfilter import Level, Listing, LogFilter, Search, pattern_of, save
from etcd_sandbox.tui.logring import LogRing

JSON_WARN = b'{"level":"warn","ts":"2026-01-01T00:00:00Z","msg":"slow fdatasync"}'
JSON_DEBUG = b'{"level":"debug","msg":"tick"}'
JSON_FATAL = b'{"level":"fatal","msg":"gone"}'
CAPNSLOG = b"2026-01-01 00:00:00.123456 E | etcdserver: publish error"


def fill(ring: LogRing, *lines: bytes, process: str = "infra1") -> None:
    for line in lines:
        ring.take(LinesFrame(1, 0, process, line + b"\n"))


def scanned(ring: LogRing, chosen: LogFilter) -> list[int]:
    listing = Listing(ring, chosen)
    listing.scan(60)
    assert listing.complete
    return listing.from_(0, 1000)


def one_chunk_a_step() -> Callable[[], float]:
    """A clock on which each chunk takes a second."""
    seconds = iter(range(10**6))
    return lambda: float(next(seconds))


@pytest.mark.parametrize(
    ("level", "passing"),
    [
        (None, [0, 1, 2, 3, 4]),
        (Level.DEBUG, [0, 1, 2, 3, 4]),
        (Level.INFO, [0, 2, 3, 4]),
        (Level.WARN, [0, 3, 4]),
        (Level.ERROR, [3, 4]),
    ],
)
def test_a_level_keeps_what_is_graver_and_takes_lines_without_one_as_info(
    level: Level | None, passing: list[int]
) -> None:
    ring = LogRing()
    fill(ring, JSON_WARN, JSON_DEBUG, b"plain text", CAPNSLOG, JSON_FATAL)
    assert scanned(ring, LogFilter(level=level)) == passing


def test_processes_levels_and_expressions_narrow_each_other() -> None:
    ring = LogRing()
    fill(ring, JSON_WARN, b"slow", process="a")
    fill(ring, JSON_WARN, CAPNSLOG, process="b")
    only_b = frozenset({"b"})
    assert scanned(ring, LogFilter(processes=only_b)) == [2, 3]
    assert scanned(ring, LogFilter(processes=only_b, pattern=pattern_of("slow"))) == [2]
    assert scanned(ring, LogFilter(level=Level.WARN, pattern=pattern_of("slow"))) == [0, 2]
    assert scanned(ring, LogFilter(processes=frozenset())) == []


def test_skipped_lines_pass_every_filter() -> None:
    ring = LogRing()
    ring.take(SkippedFrame(3))
    chosen = LogFilter(frozenset({"x"}), Level.ERROR, pattern_of("nothing"))
    assert scanned(ring, chosen) == [0]


@pytest.mark.parametrize(
    ("expression", "line", "found"),
    [
        ("leader", b"new LEADER", True),
        ("Leader", b"new leader", False),
        (r"\S+ LEADER", b"new LEADER", True),
        (r"\Snew", b"NEW", False),
        ("^red", b"\x1b[31mred\x1b[0m", True),
        ("r.d", b"r\xffd", True),
        ("文", "中文".encode(), True),
        ("end$", b"the end\r", True),
    ],
)
def test_an_expression_is_matched_with_what_is_read(
    expression: str, line: bytes, found: bool
) -> None:
    assert LogFilter(pattern=pattern_of(expression)).keeps(line) is found


@pytest.mark.parametrize("expression", ["(", "[a", "*", "a{99999999999}", "(?P<x"])
def test_what_is_no_expression_is_an_input_error(expression: str) -> None:
    with pytest.raises(InputError, match="not a regular expression"):
        pattern_of(expression)


def test_an_expression_with_doubtful_brackets_warns_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pattern_of("[[a]").search("[")


def test_of_a_line_of_a_mebibyte_the_beginning_is_searched() -> None:
    line = b"needle" + b"x" * (1 << 20) + b"thread"
    assert LogFilter(pattern=pattern_of("needle")).keeps(line)
    assert not LogFilter(pattern=pattern_of("thread")).keeps(line)


def test_the_newest_lines_are_listed_first_one_short_step_after_the_other() -> None:
    ring = LogRing()
    fill(ring, *(b"x%d" % number for number in range(6)))
    listing = Listing(ring, LogFilter(pattern=pattern_of("x")))
    assert listing.from_(0, 9) == []
    for newest in (5, 4, 3):
        listing.scan(0.5, one_chunk_a_step())
        assert listing.from_(0, 9) == list(range(newest, 6))
        assert not listing.complete


def test_lines_that_come_during_a_scan_are_listed_before_it_goes_on_backwards() -> None:
    ring = LogRing()
    fill(ring, b"x0", b"x1", b"x2")
    listing = Listing(ring, LogFilter(pattern=pattern_of("x")))
    listing.scan(0.5, one_chunk_a_step())
    fill(ring, b"x3", b"-", b"x5")
    listing.scan(60)
    assert listing.from_(0, 9) == [0, 1, 2, 3, 5]
    assert listing.complete


def test_an_open_filter_lists_everything_without_a_scan() -> None:
    ring = LogRing(lines=10)
    fill(ring, *(b"%d" % number for number in range(30)))
    listing = Listing(ring, LogFilter())
    assert (len(listing), listing.complete) == (10, True)
    assert listing.from_(0, 3) == [20, 21, 22]
    assert listing.before(99, 2) == [28, 29]
    assert listing.before(20, 2) == []
    assert listing.count_from(27) == 3


def test_a_list_forgets_the_lines_that_the_ring_has_given_up() -> None:
    ring = LogRing(lines=10)
    fill(ring, *(b"x%d" % number for number in range(10)))
    listing = Listing(ring, LogFilter(pattern=pattern_of("[02468]$")))
    listing.scan(60)
    fill(ring, *(b"x%d" % number for number in range(10, 15)))
    assert listing.from_(0, 9) == [6, 8]
    assert listing.before(8, 9) == [6]
    listing.scan(60)
    assert listing.from_(0, 9) == [6, 8, 10, 12, 14]
    assert len(listing) == 5
    assert len(listing._numbers) == 5


def test_many_new_lines_are_listed_in_short_steps_as_well() -> None:
    ring = LogRing()
    listing = Listing(ring, LogFilter(pattern=pattern_of("x")))
    fill(ring, b"x0", b"x1", b"x2")
    for newest in (0, 1, 2):
        listing.scan(0.5, one_chunk_a_step())
        assert listing.from_(0, 9) == list(range(newest + 1))
    assert listing.complete


def test_a_list_that_was_left_behind_by_the_whole_ring_begins_again() -> None:
    ring = LogRing(lines=5)
    fill(ring, b"x0", b"x1")
    listing = Listing(ring, LogFilter(pattern=pattern_of("x")))
    listing.scan(60)
    fill(ring, *(b"x%d" % number for number in range(2, 50)))
    listing.scan(60)
    assert listing.from_(0, 99) == [45, 46, 47, 48, 49]
    assert listing.complete


@pytest.mark.parametrize(
    ("start", "up", "found"),
    [(5, True, 3), (3, True, 1), (1, True, None), (0, False, 1), (2, False, 3), (4, False, None)],
)
def test_a_search_finds_the_nearest_match_in_its_direction(
    start: int, up: bool, found: int | None
) -> None:
    ring = LogRing()
    fill(ring, b"-", b"x", b"-", b"x", b"-")
    search = Search(Listing(ring, LogFilter()), pattern_of("x"), start, up=up)
    search.step(60)
    assert search.done
    assert (search.found, search.ended) == (found, found is None)


def test_a_search_looks_only_at_listed_lines_and_waits_for_the_filter_above() -> None:
    ring = LogRing()
    fill(ring, b"x keep", b"x", b"keep", b"keep")
    listing = Listing(ring, LogFilter(pattern=pattern_of("keep")))
    listing.scan(0.5, one_chunk_a_step())
    search = Search(listing, pattern_of("x"), ring.end, up=True)
    search.step(0)
    search.step(0)
    assert not search.done
    listing.scan(60)
    search.step(60)
    assert search.found == 0


def test_a_search_over_many_lines_gives_way_after_its_time() -> None:
    ring = LogRing()
    fill(ring, b"x", *(b"-" for _ in range(1000)))
    search = Search(Listing(ring, LogFilter()), pattern_of("x"), ring.end, up=True)
    search.step(0)
    assert not search.done
    for _ in range(10):
        search.step(0)
    assert search.found == 0


def test_what_passes_is_saved_with_names_and_unchanged_bytes(tmp_path: Path) -> None:
    ring = LogRing()
    fill(ring, b"\x1b[31mred\xff", b"other", process="a")
    ring.take(SkippedFrame(7))
    fill(ring, b"red", process="b")
    path = tmp_path / "lines"
    assert save(path, ring.chunks(), LogFilter(pattern=pattern_of("red"))) == 2
    assert path.read_bytes() == b"a | \x1b[31mred" + b"\xff\n" + (
        "… 7 lines skipped …\nb | red\n".encode()
    )


def test_saving_never_writes_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        save(path, LogRing().chunks(), LogFilter())
    assert path.read_bytes() == b"precious"
