"""A snapshot of etcd as a file: a bbolt database followed by its sha256. Whether it is whole, and of what."""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.version import parse, series

_CHECKSUM_BYTES = 32
_BLOCK_BYTES = 512
"""etcd 3.4 to 3.7, `snapshot/v3_snapshot.go`: a database is a multiple of it, a checksum is no part of one."""

_TAKE_ONE = "take a new one: etcd-sandbox snapshot FILE, or etcdctl snapshot save FILE"


class SnapshotFacts(Struct, frozen=True, kw_only=True):
    """The facts that a whole snapshot holds.

    `sha256` is its checksum, in hex. `storage_version` is that of its format (`3.6.0`), empty
    before 3.6, which did not write it down; `cluster_version` is what the members had agreed on, empty when
    they had not yet. `voters` and `learners` are the members' names; one that had never
    started has none.
    """

    size_bytes: int
    sha256: str
    revision: int
    storage_version: str = ""
    cluster_version: str = ""
    voters: tuple[str, ...] = ()
    learners: tuple[str, ...] = ()

    @property
    def series(self) -> str:
        """`3.5` of a snapshot that an etcd 3.5 made; empty when it does not say."""
        return series(self.storage_version or self.cluster_version)


def read(path: Path) -> SnapshotFacts:
    """The facts of the snapshot in that file. Raises InputError for a file that is none, or not whole."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if not size:
                raise InputError("the snapshot is empty", str(path), _TAKE_ONE)
            # Closed when nobody looks at it any more: an error's traceback may, for a while.
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return facts(memoryview(content), str(path))
    except IsADirectoryError as error:
        raise InputError("this is a directory, not a snapshot", str(path), _TAKE_ONE) from error
    except FileNotFoundError as error:
        raise InputError("there is no such snapshot", str(path), "check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"the snapshot cannot be read ({reason})", str(path)) from error


def facts(content: memoryview, where: str) -> SnapshotFacts:
    """The facts of the snapshot with that content; `where` is named in the InputError for content that is none."""
    if content[_PAGE.size : _PAGE.size + 4] != _MAGIC.to_bytes(4, "little"):
        raise InputError("this is not a snapshot of etcd", where, _TAKE_ONE)
    if len(content) % _BLOCK_BYTES == 0:
        raise InputError(
            "this is a database without the checksum that ends a snapshot: the file of a member, "
            "or a snapshot cut short",
            where,
            _TAKE_ONE,
        )
    database, checksum = content[:-_CHECKSUM_BYTES], bytes(content[-_CHECKSUM_BYTES:])
    computed = hashlib.sha256(database).digest()
    if computed != checksum:
        raise InputError(
            "the snapshot is damaged: its content does not match its checksum",
            where,
            f"copy it again from where it is whole, or {_TAKE_ONE}",
            f"sha256 at its end  {checksum.hex()}\nsha256 of the rest {computed.hex()}",
        )
    try:
        return _told(root(database), len(content), checksum.hex())
    except (ValueError, OverflowError, struct.error) as error:
        reason = error if isinstance(error, ValueError) else "it ends in the middle of a page"
        raise InputError(
            f"the snapshot's database is damaged: {reason}", where, _TAKE_ONE
        ) from error


def unfit_for(told: SnapshotFacts, version: str) -> str | None:
    """Why an etcd of that version cannot start with the data of the snapshot; None when it can.

    Measured with 3.4.23, 3.5.1, 3.6.16 and 3.7.3: from 3.6 on etcd ends with `version "3.7.0" is not
    supported` when the storage version is above its own. Older ones do not look at it.
    """
    wanted, written = parse(version)[:2], parse(told.storage_version)[:2]
    if wanted >= (3, 6) and written > wanted:
        return (
            f"etcd {version} refuses the data of a newer etcd, and the snapshot is of {told.series}"
        )
    return None


def _told(top: Bucket, size_bytes: int, sha256: str) -> SnapshotFacts:
    meta, cluster = top.bucket(b"meta"), top.bucket(b"cluster")
    members = [json.loads(value) for _, value in top.bucket(b"members").items()]
    # The revision that etcd goes on with: the last change that is kept, or the last compaction.
    last = next(top.bucket(b"key").items(backwards=True), (b"", b""))[0]
    revisions = (last, meta.get(b"finishedCompactRev"), meta.get(b"scheduledCompactRev"))
    return SnapshotFacts(
        size_bytes=size_bytes,
        sha256=sha256,
        # Eight bytes, `_`, and eight more for the place within a transaction.
        revision=max(1, *(int.from_bytes(each[:8], "big") for each in revisions)),
        storage_version=meta.get(b"storageVersion").decode("utf-8", "replace"),
        cluster_version=cluster.get(b"clusterVersion").decode("utf-8", "replace"),
        voters=_names(members, learners=False),
        learners=_names(members, learners=True),
    )


def _names(members: list[dict[str, object]], *, learners: bool) -> tuple[str, ...]:
    of_kind = (member for member in members if bool(member.get("isLearner")) is learners)
    return tuple(sorted(str(member.get("name", "")) for member in of_kind))


# The format is that of go.etcd.io/bbolt, version 2, as its `page.go`, `bucket.go` and `meta.go` have it.
# `etcdutl snapshot status` tells no names of members, and there need be no etcdutl to save a snapshot.
_MAGIC = 0xED0CDAED
_PAGE = struct.Struct("<QHHI")  # id, flags, count, overflow
_META = struct.Struct("<IIIIQQQQQ")  # …, page size, …, root, …, transaction
_LEAF = struct.Struct("<IIII")  # flags, position, key size, value size
_BRANCH = struct.Struct("<IIQ")  # position, key size, page
_ROOT = struct.Struct("<QQ")  # page, sequence
_IS_BRANCH, _IS_LEAF = 0x01, 0x02
_DEEPEST = 64
"""Levels. A tree of so many pages fits on no disk: what is deeper goes round in a circle."""

_NOTHING = memoryview(_PAGE.pack(0, _IS_LEAF, 0, 0))


class Bucket(Struct, frozen=True):
    """The sorted keys and values of one bucket, whose first page begins at `start`."""

    content: memoryview
    page_size: int
    start: int

    def get(self, key: bytes) -> bytes:
        """The value of `key`, of a bucket within this one where it stands; empty when there is none."""
        return next((value for found, value in self.items() if found == key), b"")

    def bucket(self, name: bytes) -> Bucket:
        """The bucket within this one that has the name; an empty one when there is none."""
        if not (value := self.get(name)):
            return Bucket(_NOTHING, self.page_size, 0)
        if page := _ROOT.unpack_from(value)[0]:
            return Bucket(self.content, self.page_size, page * self.page_size)
        # A small bucket is one page within the value itself.
        return Bucket(memoryview(value), self.page_size, _ROOT.size)

    def items(self, *, backwards: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """All keys with their values, in order. Raises ValueError, OverflowError and struct.error for damage."""
        return self._below(self.start, backwards, _DEEPEST)

    def _below(self, start: int, backwards: bool, levels: int) -> Iterator[tuple[bytes, bytes]]:
        _, flags, count, _ = _PAGE.unpack_from(self.content, start)
        if not levels:
            raise ValueError("its pages go round in a circle")
        if not flags & (_IS_BRANCH | _IS_LEAF):
            raise ValueError("a page of it is neither a branch nor a leaf")
        for index in reversed(range(count)) if backwards else range(count):
            at = start + _PAGE.size + index * _LEAF.size
            if flags & _IS_LEAF:
                _, position, key_size, value_size = _LEAF.unpack_from(self.content, at)
                value = at + position + key_size
                if value + value_size > len(self.content):
                    raise ValueError("it ends in the middle of a page")
                found = self.content[at + position : value + value_size]
                yield bytes(found[:key_size]), bytes(found[key_size:])
            else:
                page = _BRANCH.unpack_from(self.content, at)[2]
                yield from self._below(page * self.page_size, backwards, levels - 1)


def root(content: memoryview) -> Bucket:
    """The bucket that holds all buckets, by the newer of the two meta pages."""
    page_size = _META.unpack_from(content, _PAGE.size)[2]
    metas = (_META.unpack_from(content, start + _PAGE.size) for start in (0, page_size))
    newest = max((meta for meta in metas if meta[0] == _MAGIC), key=lambda meta: meta[-1])
    return Bucket(content, page_size, newest[4] * page_size)
