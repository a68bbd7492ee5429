"""Which bytes of a member's files to change for a certain damage. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from etcd_sandbox.etcd.datadir import fields_of
from etcd_sandbox.etcd.snapshotfile import Bucket, root

_FLAGS_AT = 8
"""Where a page of bbolt says whether it is a branch or a leaf, after its ID of eight bytes."""

_LEAF_BIT = 0x02
_KEY, _VALUE = 1, 5
"""Fields of etcd's `mvccpb.KeyValue`."""

_VALUE_TAG = b"\x2a"
_TOMBSTONE_BYTES = 18
"""A deletion's revision ends with a `t`, after 8 + 1 + 8 bytes."""

_ENTRY_RECORD = 2
"""The kind of a record with an entry of Raft (etcd: `server/storage/wal/wal.go`)."""


class Change(Struct, frozen=True):
    """What to write over a file from `at` on."""

    at: int
    content: bytes


class NotThere(Exception):
    """The file has nothing of the kind; the text says what it has instead."""


def other_value(database: memoryview, key: bytes) -> list[Change]:
    """The newest value of the key with its last bit turned over, in each copy of it. Raises NotThere.

    The revision stays, and so does the length: etcd's database has no checksum over its content.
    """
    found: tuple[bytes, bytes] | None = None
    keys: set[bytes] = set()
    for revision, stored in _changes(root(database)):
        entry = fields_of(stored)
        name = entry.get(_KEY, b"")
        gone = len(revision) == _TOMBSTONE_BYTES
        (keys.discard if gone else keys.add)(name)
        if name == key:
            found = None if gone else (revision + stored, entry.get(_VALUE, b""))
    if found is None:
        raise NotThere("there is no such key" + (f" among its {len(keys)}" if keys else ""))
    record, value = found
    if not value:
        raise NotThere("its value is empty, and stays so at the same length")
    field = _VALUE_TAG + _length(len(value)) + value
    last = record.rfind(field) + len(field) - 1
    changed = bytes([record[last] ^ 1])
    return [Change(at + last, changed) for at in _places(bytes(database), record)]


def _changes(top: Bucket) -> Iterator[tuple[bytes, bytes]]:
    """All changes of keys that the database keeps, by revision."""
    return top.bucket(b"key").items()


def _places(content: bytes, part: bytes) -> Iterator[int]:
    at = content.find(part)
    while at >= 0:
        yield at
        at = content.find(part, at + 1)


def _length(number: int) -> bytes:
    """As protobuf writes it."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def broken_page(database: memoryview) -> Change:
    """One bit of the page with which every look into the database begins: it is no leaf and no branch any more."""
    at = root(database).start + _FLAGS_AT
    return Change(at, bytes([database[at] & ~0x03]))


def torn_tail(segment: bytes) -> Change:
    """The last entry of this segment of the write-ahead log, as if it had not reached the disk. Raises NotThere.

    Its length is there, and what should follow is zeros, to the end: a write that power took away.
    """
    at, last = 0, None
    while frame := int.from_bytes(segment[at : at + 8], "little"):
        size = frame & (1 << 56) - 1
        if segment[at + 8 : at + 10] == bytes([0x08, _ENTRY_RECORD]):
            last = at + 8
        at += 8 + size + (frame >> 56 & 0x7 if frame >> 63 else 0)
    if last is None:
        raise NotThere("its newest segment has no entry")
    return Change(last, bytes(at - last))
