"""Makes snapshots of etcd out of nothing: a bbolt database with the buckets that are asked for."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping

PAGE = 4096
_META_FLAG, _LEAF_FLAG, _BRANCH_FLAG, _FREE_FLAG = 0x04, 0x02, 0x01, 0x10

Buckets = Mapping[bytes, Mapping[bytes, bytes]]


def revision(main: int) -> bytes:
    """A revision as etcd stores it as a key."""
    return main.to_bytes(8, "big") + b"_" + bytes(8)


def buckets(
    *,
    last: int = 7,
    storage: str = "",
    cluster: str = "",
    voters: tuple[str, ...] = ("infra1", "infra2", "infra3"),
    learners: tuple[str, ...] = (),
    compacted: int = 0,
) -> dict[bytes, dict[bytes, bytes]]:
    """What an etcd keeps, with a change at each revision up to `last`."""
    listed = [(name, False) for name in voters] + [(name, True) for name in learners]
    meta = {b"storageVersion": storage.encode()} if storage else {}
    if compacted:
        meta[b"finishedCompactRev"] = revision(compacted)
    return {
        b"cluster": {b"clusterVersion": cluster.encode()} if cluster else {},
        b"key": {revision(main): b"value %d" % main for main in range(2, last + 1)},
        b"members": {
            b"%x" % (index + 1): json.dumps(
                {"id": index + 1, "name": name} | ({"isLearner": True} if learns else {})
            ).encode()
            for index, (name, learns) in enumerate(listed)
        },
        b"meta": meta,
    }


def database(content: Buckets, *, leaf_keys: int = 3, page_size: int = PAGE) -> bytes:
    """A bbolt file. Each bucket has pages of its own, of `leaf_keys` keys; one that is empty is inline."""
    pages: list[bytes] = []

    def add(page: bytes) -> int:
        number = 4 + len(pages)
        pages.append(struct.pack("<Q", number) + page[8:])
        return number

    top = []
    for name, items in sorted(content.items()):
        pairs = sorted(items.items())
        if not pairs:
            top.append((name, struct.pack("<QQ", 0, 0) + _leaf([], 16)))
            continue
        runs = [pairs[at : at + leaf_keys] for at in range(0, len(pairs), leaf_keys)]
        numbers = [add(_leaf([(key, value, 0) for key, value in run], page_size)) for run in runs]
        above = numbers[0]
        if len(numbers) > 1:
            branches = [(run[0][0], n) for run, n in zip(runs, numbers, strict=True)]
            above = add(_branch(branches, page_size))
        top.append((name, struct.pack("<QQ", above, 0)))
    root = struct.pack("<Q", 3) + _leaf([(n, v, 1) for n, v in top], page_size)[8:]
    free = struct.pack("<QHHI", 2, _FREE_FLAG, 0, 0).ljust(page_size, b"\0")
    metas = [_meta(number, transaction, page_size) for number, transaction in ((0, 6), (1, 5))]
    return b"".join([*metas, free, root, *pages])


def snapshot(content: Buckets | None = None, **how: int) -> bytes:
    """What `etcdctl snapshot save` writes: the database, then its sha256."""
    whole = database(buckets() if content is None else content, **how)
    return whole + hashlib.sha256(whole).digest()


def _meta(number: int, transaction: int, page_size: int) -> bytes:
    told = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, page_size, 0, 3, 0, 2, 5, transaction)
    head = struct.pack("<QHHI", number, _META_FLAG, 0, 0)
    return (head + told + struct.pack("<Q", _fnv(told))).ljust(page_size, b"\0")


def _leaf(items: list[tuple[bytes, bytes, int]], page_size: int) -> bytes:
    elements, content = b"", b""
    for index, (key, value, flags) in enumerate(items):
        position = 16 * (len(items) - index) + len(content)
        elements += struct.pack("<IIII", flags, position, len(key), len(value))
        content += key + value
    head = struct.pack("<QHHI", 0, _LEAF_FLAG, len(items), 0)
    return (head + elements + content).ljust(page_size, b"\0")


def _branch(items: list[tuple[bytes, int]], page_size: int) -> bytes:
    elements, content = b"", b""
    for index, (key, number) in enumerate(items):
        position = 16 * (len(items) - index) + len(content)
        elements += struct.pack("<IIQ", position, len(key), number)
        content += key
    head = struct.pack("<QHHI", 0, _BRANCH_FLAG, len(items), 0)
    return (head + elements + content).ljust(page_size, b"\0")


def _fnv(content: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
