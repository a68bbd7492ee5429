"""Requests of the old API in a log, behind its last snapshot. The entries are those of real logs."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.etcd.datadir import OldRequests, old_requests

HEADER = b"\xa2\x06\x0b\x08\x81\xde\xf8\x8a\xd2\xc0\xe8\x87\xf0\x01"
NEW = HEADER + b"\xa2Q\x07\n\x053.6.0"
VERSION = b'\x08\x84\xfc\xbd\x8a\xd2\xc0\xa8\xda{\x12\x03PUT\x1a\n/0/version"\x053.5.0(\x00'
ATTRIBUTES = b'\x08\x81\x01\x12\x03PUT\x1a&/0/members/cfff09eb034c7bb4/attributes"\x02{}'
HEALTH = b'\x08\x85\xcc\x9b\xf8\xd0\xc0\xe8\xa6i\x12\x04QGET\x1a\x00"\x00(\x00'
A_USERS = b'\x08\x85\x01\x12\x03PUT\x1a\x06/1/key"\x01v'
WRAPPED = b"\x08\x01\x12" + bytes([len(HEALTH)]) + HEALTH


def varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def framed(kind: int, content: bytes) -> bytes:
    record = b"\x08" + varint(kind) + b"\x10\x07\x1a" + varint(len(content)) + content
    padding = -len(record) % 8
    frame = len(record) | ((0x80 | padding) << 56 if padding else 0)
    return frame.to_bytes(8, "little") + record + bytes(padding)


def entry(index: int, data: bytes, kind: int = 0) -> bytes:
    head = b"\x08" + varint(kind) + b"\x10\x02\x18" + varint(index)
    return framed(2, head + b"\x22" + varint(len(data)) + data)


def snapshot(index: int) -> bytes:
    return framed(5, b"\x08" + varint(index) + b"\x10\x02")


def log(directory: Path, *records: bytes) -> Path:
    (directory / "0000000000000000-0000000000000000.wal").write_bytes(
        b"".join(records) + bytes(4096)
    )
    return directory


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (NEW, OldRequests()),
        (b"", OldRequests()),
        (VERSION, OldRequests(own=True)),
        (ATTRIBUTES, OldRequests(own=True)),
        (HEALTH, OldRequests(others=True)),
        (A_USERS, OldRequests(others=True)),
        (WRAPPED, OldRequests(others=True)),
    ],
)
def test_each_request_is_told_apart(tmp_path: Path, data: bytes, found: OldRequests) -> None:
    assert old_requests(log(tmp_path, snapshot(0), entry(300, data))) == found


def test_what_is_before_a_snapshot_is_not_read_again(tmp_path: Path) -> None:
    where = log(tmp_path, snapshot(0), entry(7, HEALTH), entry(8, NEW), snapshot(8), entry(9, NEW))
    assert old_requests(where) == OldRequests()
    where = log(tmp_path, snapshot(0), entry(7, HEALTH), snapshot(7), entry(8, VERSION))
    assert old_requests(where) == OldRequests(own=True)


def test_a_change_of_members_is_no_request(tmp_path: Path) -> None:
    assert old_requests(log(tmp_path, entry(1, HEALTH, kind=1))) == OldRequests()


@pytest.mark.parametrize("content", [b"", b"\x05", b"\x40" + bytes(6) + b"\x00\xff", bytes(64)])
def test_a_log_that_cannot_be_read_has_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1.wal").write_bytes(content)
    assert old_requests(tmp_path) == OldRequests()
    assert old_requests(tmp_path / "nowhere") == OldRequests()
