"""What a member's log still holds of etcd's old API (v2): etcd 3.6 reads some of it, etcd 3.7 none."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

_ENTRY, _SNAPSHOT = 2, 5
"""Kinds of records in the log (etcd: `server/storage/wal/wal.go`)."""

_NORMAL = 0
_OWN = re.compile(r"/0/(version|members/[0-9a-f]{1,16}/attributes)")
"""What etcd itself wrote through that API, up to 3.5: the cluster version, and members' names and URLs."""


class OldRequests(Struct, frozen=True):
    """Which requests of the old API are in a log, behind its last snapshot.

    `own`: etcd's, which 3.6 still reads. `others`: at those 3.6 panics ("detected disallowed v2 WAL"):
    users', and what 3.4 logs for each GET of /health. 3.7 panics at both ("unmarshal should never
    fail", run 3.7.3).
    """

    own: bool = False
    others: bool = False


def old_requests(wal_dir: Path) -> OldRequests:
    """Those in the log of that directory; one that cannot be read has none.

    The log is read whole, some 10 µs an entry: not in an event loop.
    """
    behind, requests = 0, []
    for kind, record in _records(wal_dir):
        if kind == _SNAPSHOT:
            behind = max(behind, _number(_fields(record), 1))
        elif kind == _ENTRY:
            entry = _fields(record)
            data = entry.get(4, b"")
            path = _old_path(data) if isinstance(data, bytes) else None
            if path is not None and _number(entry, 1) == _NORMAL:
                requests.append((_number(entry, 3), path))
    paths = [path for index, path in requests if index > behind]
    own = [bool(_OWN.fullmatch(path)) for path in paths]
    return OldRequests(own=any(own), others=not all(own))


def _records(wal_dir: Path) -> Iterator[tuple[int, bytes]]:
    """The kinds and contents of all records, until what was only reserved."""
    for segment in sorted(wal_dir.glob("*.wal")):
        try:
            with (
                segment.open("rb") as file,
                mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as log,
            ):
                at = 0
                while at + 8 <= len(log) and (frame := int.from_bytes(log[at : at + 8], "little")):
                    size = frame & (1 << 56) - 1
                    padding = frame >> 56 & 0x7 if frame >> 63 else 0
                    record = _fields(log[at + 8 : at + 8 + size])
                    content = record.get(3, b"")
                    yield _number(record, 1), content if isinstance(content, bytes) else b""
                    at += 8 + size + padding
        except (OSError, ValueError, IndexError):
            continue


def _old_path(data: bytes) -> str | None:
    """The path of a request of the old API (with other methods than PUT, empty); None for the new one's.

    An old one begins with its number and its method, or the number and itself as a whole; the new
    ones begin with a header (etcd: `api/etcdserverpb`, Request and InternalRaftRequest).
    """
    if not data.startswith(b"\x08"):
        return None
    request = _fields(data)
    method = request.get(2)
    if not isinstance(method, bytes):
        return None
    if not method.isalpha():
        request = _fields(method)
        method = request.get(2)
    path = request.get(3)
    return path.decode(errors="replace") if method == b"PUT" and isinstance(path, bytes) else ""


def _fields(message: bytes) -> dict[int, int | bytes]:
    """The fields of a protobuf message; of a repeated one the last. Raises ValueError, IndexError."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 0x7:
            case 0:
                found[key >> 3], at = _varint(message, at)
            case 2:
                size, at = _varint(message, at)
                found[key >> 3] = message[at : at + size]
                at += size
            case 1:
                at += 8
            case 5:
                at += 4
            case other:
                raise ValueError(f"no wire type of protobuf: {other}")
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


def _number(fields: dict[int, int | bytes], key: int) -> int:
    value = fields.get(key, 0)
    return value if isinstance(value, int) else 0
