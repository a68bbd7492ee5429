"""Log files and the order of arrival, without processes."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from etcd_sandbox.supervise import logbook
from etcd_sandbox.supervise.logbook import SEGMENTS_KEPT, Chunk, Gap, Logbook, Reader


class Clock:
    """Microseconds that move only when told to."""

    def __init__(self) -> None:
        self.now_us = 1_000_000

    def __call__(self) -> int:
        return self.now_us


def text_of(pieces: list[Chunk | Gap], process: str | None = None) -> bytes:
    return b"".join(
        piece.data
        for piece in pieces
        if isinstance(piece, Chunk) and process in (None, piece.process)
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Logbook:
    return Logbook(tmp_path / "logs", now_us=clock)


def test_lines_come_back_in_the_order_of_their_arrival(book: Logbook) -> None:
    book.append("a", b"1\n2\n")
    book.append("b", b"3\n")
    book.append("a", b"4\n\n5\n")
    pieces = list(book.reader().read())
    assert [
        (piece.seq, piece.process, piece.data) for piece in pieces if isinstance(piece, Chunk)
    ] == [(0, "a", b"1\n2\n"), (1, "b", b"3\n"), (2, "a", b"4\n\n5\n")]


def test_a_reader_goes_on_where_it_was_also_inside_a_growing_chunk(book: Logbook) -> None:
    reader = book.reader()
    book.append("a", b"1\n")
    assert text_of(list(reader.read())) == b"1\n"
    book.append("a", b"2\n")
    book.append("b", b"3\n")
    assert text_of(list(reader.read())) == b"2\n3\n"
    assert list(reader.read()) == []


def test_chunks_far_apart_in_time_stay_apart(book: Logbook, clock: Clock) -> None:
    book.append("a", b"1\n")
    clock.now_us += 60_000
    book.append("a", b"2\n")
    times = [piece.time_us for piece in book.reader().read() if isinstance(piece, Chunk)]
    assert times == [1_000_000, 1_060_000]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (0, b""),
        (1, b"6\n"),
        (3, b"4\n5\n6\n"),
        (5, b"2\n3\n4\n5\n6\n"),
        (99, b"1\n2\n3\n4\n5\n6\n"),
    ],
)
def test_a_tail_is_cut_to_the_line(book: Logbook, tail: int, expected: bytes) -> None:
    book.append("a", b"1\n2\n3\n")
    book.append("b", b"4\n")
    book.append("a", b"5\n6\n")
    assert text_of(list(book.reader(tail=tail).read())) == expected


def test_a_tail_counts_only_the_wanted_processes(book: Logbook) -> None:
    book.append("a", b"1\n2\n")
    book.append("b", b"3\n4\n5\n")
    reader = book.reader(frozenset({"a"}), tail=1)
    assert text_of(list(reader.read())) == b"2\n"


def test_a_reader_can_begin_at_a_time(book: Logbook, clock: Clock) -> None:
    book.append("a", b"old\n")
    clock.now_us += 5_000_000
    book.append("a", b"new\n")
    assert text_of(list(book.reader(since_us=clock.now_us).read())) == b"new\n"


def test_the_last_lines_of_one_process(book: Logbook) -> None:
    book.append("a", b"1\n2\n")
    book.append("b", b"x\n")
    book.append("a", b"3\n")
    assert book.last_lines("a", 2) == [b"2", b"3"]
    assert book.last_lines("nobody", 2) == []


def small_book(tmp_path: Path) -> Logbook:
    return Logbook(tmp_path / "logs", segment_bytes=100)


def test_rotation_keeps_whole_lines_and_the_newest_files(tmp_path: Path) -> None:
    book = small_book(tmp_path)
    for number in range(60):
        book.append("a", b"line %04d\n" % number)
        book.append("b", b"x\n")
    names = sorted(path.name for path in (tmp_path / "logs").iterdir() if "a.log" in path.name)
    assert names == ["a.log", *(f"a.log.{n}" for n in range(1, SEGMENTS_KEPT + 1))]
    kept = b"".join(
        (tmp_path / "logs" / name).read_bytes()
        for name in ["a.log.3", "a.log.2", "a.log.1", "a.log"]
    )
    lines = kept.splitlines()
    assert lines == [b"line %04d" % number for number in range(60 - len(lines), 60)]


def test_a_reader_overtaken_by_rotation_is_told_how_much_it_lost(tmp_path: Path) -> None:
    book = small_book(tmp_path)
    reader = book.reader()
    total = 100
    for number in range(total):
        book.append("a", b"line %04d\n" % number)
    pieces = list(reader.read())
    lost = sum(piece.lines for piece in pieces if isinstance(piece, Gap))
    seen = text_of(pieces).splitlines()
    assert lost > 0
    assert lost + len(seen) == total
    assert seen[-1] == b"line 0099"


def test_a_reader_that_was_up_to_date_counts_only_what_it_missed(tmp_path: Path) -> None:
    book = small_book(tmp_path)
    reader = book.reader()
    book.append("a", b"seen\n")
    assert text_of(list(reader.read())) == b"seen\n"
    for number in range(100):
        book.append("a", b"line %04d\n" % number)
    pieces = list(reader.read())
    lost = sum(piece.lines for piece in pieces if isinstance(piece, Gap))
    assert lost + len(text_of(pieces).splitlines()) == 100


def test_the_index_has_a_limit_and_forgetting_is_told(tmp_path: Path, clock: Clock) -> None:
    book = Logbook(tmp_path / "logs", index_entries=100, now_us=clock)
    reader = book.reader()
    for number in range(250):
        book.append("ab"[number % 2], b"%d\n" % number)
    assert book.end_entry - book.first_entry <= 100
    pieces = list(reader.read())
    lost = sum(piece.lines for piece in pieces if isinstance(piece, Gap))
    assert lost + len(text_of(pieces).splitlines()) == 250


def test_lines_that_find_the_disk_full_are_counted_and_told_of(
    book: Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.append("a", b"before\n")
    real = logbook._write_all

    def full(fd: int, content: bytes) -> None:
        real(fd, content[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(logbook, "_write_all", full)
    book.append("a", b"lost 1\nlost 2\n")
    book.append("a", b"lost 3\n")
    monkeypatch.undo()
    book.append("a", b"after\n")
    assert text_of(list(book.reader().read())) == (
        b"before\n... 3 lines lost: the disk was full ...\nafter\n"
    )


def test_a_waiting_reader_is_woken_by_a_line_and_by_the_end(book: Logbook) -> None:
    async def story() -> list[bytes]:
        reader = book.reader()
        seen = []
        waiting = asyncio.ensure_future(reader.wait())
        await asyncio.sleep(0)
        book.append("a", b"1\n")
        await asyncio.wait_for(waiting, 5)
        seen.append(text_of(list(reader.read())))
        waiting = asyncio.ensure_future(reader.wait())
        await asyncio.sleep(0)
        book.append("a", b"last\n")
        book.close()
        await asyncio.wait_for(waiting, 5)
        assert reader.at_end
        seen.append(text_of(list(reader.read())))
        return seen

    assert asyncio.run(story()) == [b"1\n", b"last\n"]


def test_a_new_logbook_goes_on_in_the_old_files(tmp_path: Path) -> None:
    Logbook(tmp_path / "logs").append("a", b"first run\n")
    book = Logbook(tmp_path / "logs")
    book.append("a", b"second run\n")
    reader: Reader = book.reader()
    assert text_of(list(reader.read())) == b"second run\n"
    assert (tmp_path / "logs" / "a.log").read_bytes() == b"first run\nsecond run\n"


class Disk:
    """A disk that can be full: nothing more can be written, or no further file be made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.takes_lines = self.takes_files = True
        write, open_segment = logbook._write_all, logbook._open_segment

        def write_all(fd: int, content: bytes) -> None:
            if not self.takes_lines:
                write(fd, content[:3])
                raise OSError(errno.ENOSPC, "No space left on device")
            write(fd, content)

        def open_one(path: Path) -> int:
            if not self.takes_files and not path.exists():
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            return open_segment(path)

        monkeypatch.setattr(logbook, "_write_all", write_all)
        monkeypatch.setattr(logbook, "_open_segment", open_one)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def lost_by(pieces: list[Chunk | Gap]) -> int:
    return sum(piece.lines for piece in pieces if isinstance(piece, Gap))


def test_where_no_further_file_can_be_made_the_last_one_grows_and_no_line_is_lost(
    tmp_path: Path, disk: Disk
) -> None:
    book = small_book(tmp_path)
    reader = book.reader()
    disk.takes_files = True
    book.append("a", b"line 0000\n")
    disk.takes_files = False
    for number in range(1, 100):
        book.append("a", b"line %04d\n" % number)
    wanted = [b"line %04d" % number for number in range(100)]
    assert text_of(list(reader.read())).splitlines() == wanted
    assert (tmp_path / "logs" / "a.log").read_bytes().splitlines() == wanted
    assert book.loss.lines == 0
    disk.takes_files = True
    book.append("a", b"after\n")
    assert (tmp_path / "logs" / "a.log").read_bytes() == b"after\n"
    assert (tmp_path / "logs" / "a.log.1").read_bytes().splitlines() == wanted


def test_a_process_whose_file_cannot_be_made_is_read_all_the_same_and_its_lines_counted(
    book: Logbook, disk: Disk
) -> None:
    disk.takes_files = False
    reader = book.reader()
    book.append("a", b"1\n2\n")
    assert text_of(list(reader.read())) == b"1\n2\n"
    assert (book.loss.lines, book.loss.losing, book.loss.why) == (2, True, "the disk was full")
    disk.takes_files = True
    book.append("a", b"3\n")
    assert text_of(list(reader.read())) == b"... 2 lines lost: the disk was full ...\n3\n"


def test_who_looks_on_gets_every_line_while_the_disk_is_full(book: Logbook, disk: Disk) -> None:
    reader = book.reader()
    book.append("a", b"before\n")
    disk.takes_lines = False
    seen = []
    for number in range(100):
        book.append("a", b"%d %s\n" % (number, b"y" * 20_000))
        seen += list(reader.read())
    disk.takes_lines = True
    book.append("a", b"after\n")
    seen += list(reader.read())
    lines = text_of(seen).splitlines()
    assert lines[0] == b"before"
    assert [line.split()[0] for line in lines[1:-2]] == [b"%d" % number for number in range(100)]
    assert lines[-2:] == [b"... 100 lines lost: the disk was full ...", b"after"]
    assert lost_by(seen) == 0


def test_who_comes_late_is_told_how_many_lines_neither_disk_nor_memory_took(
    book: Logbook, disk: Disk
) -> None:
    late = book.reader()
    disk.takes_lines = False
    total = 300
    for number in range(total):
        book.append("a", b"%d %s\n" % (number, b"y" * 20_000))
    for reader in (late, book.reader()):
        pieces = list(reader.read())
        assert lost_by(pieces) > 0
        assert lost_by(pieces) + len(text_of(pieces).splitlines()) == total
        assert text_of(pieces).splitlines()[-1].startswith(b"299 ")
    assert list(book.reader(frozenset({"other"})).read()) == []
    assert book.last_lines("a", 1)[0].startswith(b"299 ")
    held = sum(len(segment.held) for segment in book._files[0]._held)
    assert held <= 2 * logbook.HELD_BYTES


def test_a_loss_is_told_when_it_begins_and_when_for_a_while_nothing_was_lost(
    book: Logbook, disk: Disk, clock: Clock
) -> None:
    said: list[tuple[bool, int]] = []
    book.on_loss = lambda loss, path: said.append((loss.losing, loss.lines))
    book.append("a", b"1\n")
    assert said == []
    for _ in range(3):
        disk.takes_lines = False
        book.append("a", b"2\n3\n")
        book.append("b", b"4\n")
        disk.takes_lines = True
        book.append("a", b"5\n")  # the disk takes one now and then: not worth a word
        clock.now_us += 1_000
    assert said == [(True, 2)]
    clock.now_us += 10_000_000
    book.append("a", b"6\n")
    assert said == [(True, 2), (False, 9)]
    disk.takes_lines = False
    book.append("b", b"8\n")
    assert said == [(True, 2), (False, 9), (True, 10)]


@contextmanager
def no_root(logs: Path) -> Iterator[None]:
    """Within, this is a user who may not write everything; `logs` and the way to it are its own."""
    if os.geteuid() != 0 or sys.platform != "linux":
        yield
        return
    nobody = 65534
    os.chown(logs, nobody, nobody)
    os.setresuid(nobody, nobody, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_log_file_of_somebody_else_is_told_before_anything_starts() -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        logs = Path(directory) / "logs"
        Logbook(logs).append("a", b"1\n")
        (logs / "a.log").chmod(0o400)
        with no_root(logs), pytest.raises(PermissionError, match=r"a\.log"):
            Logbook(logs)
