"""A snapshot of etcd as a file: a bbolt database followed by its sha256. Whether it is whole, and of what."""

from __future__ import annotations

import hashlib
import json
import mmap
from pathlib import Path

from msgspec import Struct

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd import boltfile
from etcd_sandbox.etcd.version import parse, series

CHECKSUM_BYTES = 32
_BLOCK_BYTES = 512
"""etcd 3.4 to 3.7, `snapshot/v3_snapshot.go`: a database is a multiple of it, a checksum is no part of one."""

_TAKE_ONE = "take a new one: etcd-sandbox snapshot FILE, or etcdctl snapshot save FILE"


class SnapshotFacts(Struct, frozen=True, kw_only=True):
    """What a whole snapshot says of itself.

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
    """What the snapshot in that file is. Raises InputError for what is none, or not whole."""
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
    """What the snapshot with that content is; `where` is named in the InputError for one that is none."""
    if not boltfile.looks_like(content):
        raise InputError("this is not a snapshot of etcd", where, _TAKE_ONE)
    if len(content) % _BLOCK_BYTES == 0:
        raise InputError(
            "this is a database without the checksum that ends a snapshot: the file of a member, "
            "or a snapshot cut short",
            where,
            _TAKE_ONE,
        )
    database, checksum = content[:-CHECKSUM_BYTES], bytes(content[-CHECKSUM_BYTES:])
    computed = hashlib.sha256(database).digest()
    if computed != checksum:
        raise InputError(
            "the snapshot is damaged: its content does not match its checksum",
            where,
            f"copy it again from where it is whole, or {_TAKE_ONE}",
            f"sha256 at its end  {checksum.hex()}\nsha256 of the rest {computed.hex()}",
        )
    try:
        return _told(boltfile.root(database), len(content), checksum.hex())
    except ValueError as error:
        raise InputError(
            f"the snapshot's database is damaged: {error}", where, _TAKE_ONE
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


def _told(top: boltfile.Bucket, size_bytes: int, sha256: str) -> SnapshotFacts:
    meta, cluster = top.bucket(b"meta"), top.bucket(b"cluster")
    voters, learners = _members(top.bucket(b"members"))
    return SnapshotFacts(
        size_bytes=size_bytes,
        sha256=sha256,
        revision=_revision(top.bucket(b"key"), meta),
        storage_version=_text(meta, b"storageVersion"),
        cluster_version=_text(cluster, b"clusterVersion"),
        voters=voters,
        learners=learners,
    )


def _revision(keys: boltfile.Bucket | None, meta: boltfile.Bucket | None) -> int:
    """The revision that etcd goes on with: the last change that is kept, or the last compaction."""
    found = [1]
    if keys is not None:
        found.append(_main(keys.last_key()))
    if meta is not None:
        found += [_main(meta.get(key)) for key in (b"finishedCompactRev", b"scheduledCompactRev")]
    return max(found)


def _main(revision: bytes | None) -> int:
    """A revision is stored as eight bytes, `_`, and eight more for its place within a transaction."""
    return int.from_bytes(revision[:8], "big") if revision else 0


def _text(bucket: boltfile.Bucket | None, key: bytes) -> str:
    value = bucket.get(key) if bucket is not None else None
    return value.decode("utf-8", "replace") if value else ""


def _members(bucket: boltfile.Bucket | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    voters: list[str] = []
    learners: list[str] = []
    for _, value in bucket.items() if bucket is not None else ():
        member = json.loads(value)
        names = learners if member.get("isLearner") else voters
        names.append(str(member.get("name", "")))
    return tuple(sorted(voters)), tuple(sorted(learners))
