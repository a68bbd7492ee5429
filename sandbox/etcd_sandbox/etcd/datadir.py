"""What a data directory says of the member that keeps it: its data, and what its log holds of etcd's old API (v2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

WAL_SEGMENT_BYTES = 64_000_000
"""The size of a segment of the write-ahead log, on disk from the beginning (etcd's `SegmentSizeBytes`)."""

NEW_MEMBER_BYTES = 2 * WAL_SEGMENT_BYTES + 2_000_000
"""The disk space of a new member: etcd preallocates two segments."""


def has_data(data_dir: str) -> bool:
    """Whether an etcd has begun to keep its data there."""
    return (Path(data_dir) / "member" / "wal").is_dir()


def is_of_proxy(data_dir: str) -> bool:
    """Whether an etcd 3.4 or 3.5 found its discovery token full there, and became a proxy."""
    return bool(data_dir) and (Path(data_dir) / "proxy").is_dir()


def clear_for_proxy(data_dir: str) -> None:
    """Remove the empty database that an etcd left behind when it became a proxy.

    With it, 3.4 and 3.5 refuse to start again: "both member and proxy directories exist". A log of
    changes is data: then nothing is touched.
    """
    if is_of_proxy(data_dir) and not has_data(data_dir):
        import shutil

        shutil.rmtree(Path(data_dir) / "member", ignore_errors=True)


class OldRequests(Struct, frozen=True):
    """Which requests of the old API are in a log, behind its last snapshot.

    `own`: etcd's, which 3.6 still reads. `others`: at those 3.6 panics ("detected disallowed v2 WAL"):
    users', and what 3.4 logs for each GET of /health. 3.7 panics at both ("unmarshal should never
    fail", run 3.7.3).
    """

    own: bool = False
    others: bool = False


_ENTRY, _SNAPSHOT = 2, 5
"""Kinds of records in the log (etcd: `server/storage/wal/wal.go`)."""

_NORMAL = 0
_OWN = r"/0/(version|members/[0-9a-f]{1,16}/attributes)"
"""The paths of etcd's own requests of the old API, up to 3.5: the cluster version, and members' names and URLs."""


def old_requests(wal_dir: Path) -> OldRequests:
    """The old API's requests in the log of that directory; a log that cannot be read has none.

    The log is read whole, some 10 µs an entry: not in an event loop. Only a newer etcd would say as
    much, by a panic at its start, and the question comes while the member runs.
    """
    behind, requests = 0, []
    for kind, record in _records(wal_dir):
        if kind == _SNAPSHOT:
            behind = max(behind, record.get(1, 0))
        elif (
            record.get(1, _NORMAL) == _NORMAL
            and (path := _old_path(record.get(4, b""))) is not None
        ):
            requests.append((record.get(3, 0), path))
    own = [bool(re.fullmatch(_OWN, path)) for index, path in requests if index > behind]
    return OldRequests(own=any(own), others=not all(own))


def _records(wal_dir: Path) -> Iterator[tuple[int, dict[int, Any]]]:
    """The snapshots and entries of the log, until what was only reserved."""
    import mmap

    for segment in sorted(wal_dir.glob("*.wal")):
        with (
            suppress(OSError, ValueError, IndexError),
            segment.open("rb") as file,
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as log,
        ):
            at = 0
            while frame := int.from_bytes(log[at : at + 8], "little"):
                size = frame & (1 << 56) - 1
                record = fields_of(log[at + 8 : at + 8 + size])
                if record.get(1) in (_ENTRY, _SNAPSHOT):
                    yield record[1], fields_of(record.get(3, b""))
                at += 8 + size + (frame >> 56 & 0x7 if frame >> 63 else 0)


def _old_path(data: bytes) -> str | None:
    """The path of a request of the old API (with other methods than PUT, empty); None for the new one's.

    An old one begins with its number and its method, or the number and itself as a whole; the new
    ones begin with a header (etcd: `api/etcdserverpb`, Request and InternalRaftRequest).
    """
    if not data.startswith(b"\x08"):
        return None
    request = fields_of(data)
    if not isinstance(method := request.get(2), bytes):
        return None
    if not method.isalpha():
        request = fields_of(method)
    path = request.get(3, b"") if request.get(2) == b"PUT" else b""
    return bytes(path).decode(errors="replace")


def fields_of(message: bytes) -> dict[int, Any]:
    """The fields of a protobuf message, numbers and bytes; of a repeated one the last. Raises ValueError, IndexError."""
    found: dict[int, Any] = {}
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
