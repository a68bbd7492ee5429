"""Reads a bbolt database: which buckets there are and what is in them. Pure; nothing is ever written.

The format is that of go.etcd.io/bbolt, version 2, as `page.go`, `bucket.go` and `meta.go` have it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from msgspec import Struct

MAGIC = 0xED0CDAED
FORMAT = 2

_PAGE = struct.Struct("<QHHI")  # id, flags, count, overflow
_META = struct.Struct("<IIIIQQQQQQ")  # …, page size, …, root, …, txid, checksum
_LEAF = struct.Struct("<IIII")  # flags, position, key size, value size
_BRANCH = struct.Struct("<IIQ")  # position, key size, page
_ROOT = struct.Struct("<QQ")  # page, sequence

_IS_BRANCH, _IS_LEAF = 0x01, 0x02
_IS_BUCKET = 0x01
_PAGE_SIZES = tuple(1 << shift for shift in range(10, 17))
_DEEPEST = 64
"""Levels. A tree of so many pages fits on no disk: what is deeper goes round in a circle."""


class NotBolt(ValueError):
    """The content is no bbolt database, or a damaged one."""


class _Meta(Struct, frozen=True):
    page_size: int
    root: int
    transaction: int


class Bucket:
    """The sorted keys and values of one bucket."""

    def __init__(self, content: memoryview, page_size: int, start: int) -> None:
        self._content = content
        self._page_size = page_size
        self._start = start

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`; None when there is none."""
        found = self._find(key)
        return None if found is None or found[0] & _IS_BUCKET else found[1]

    def bucket(self, name: bytes) -> Bucket | None:
        """The bucket within this one that has the name; None when there is none."""
        found = self._find(name)
        if found is None or not found[0] & _IS_BUCKET:
            return None
        page, _ = _unpacked(_ROOT, found[1], 0)
        if page:
            return Bucket(self._content, self._page_size, page * self._page_size)
        # A small bucket is one page within the value itself.
        return Bucket(memoryview(found[1]), self._page_size, _ROOT.size)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys with their values, in order; buckets within this one are passed over."""
        for flags, key, value in self._leaves(self._start, 0):
            if not flags & _IS_BUCKET:
                yield key, value

    def last_key(self) -> bytes | None:
        """The greatest key; None of an empty bucket."""
        start = self._start
        for _ in range(_DEEPEST):
            flags, count = self._page(start)
            if not count:
                return None
            if flags & _IS_LEAF:
                return self._leaf(start, count - 1)[1]
            start = self._branch(start, count - 1)[1] * self._page_size
        raise NotBolt("its pages go round in a circle")

    def _find(self, wanted: bytes) -> tuple[int, bytes] | None:
        start = self._start
        for _ in range(_DEEPEST):
            flags, count = self._page(start)
            if flags & _IS_LEAF:
                for index in range(count):
                    found, key, value = self._leaf(start, index)
                    if key == wanted:
                        return found, value
                return None
            below = [self._branch(start, index) for index in range(count)]
            fitting = [page for key, page in below if key <= wanted]
            if not fitting:
                return None
            start = fitting[-1] * self._page_size
        raise NotBolt("its pages go round in a circle")

    def _leaves(self, start: int, depth: int) -> Iterator[tuple[int, bytes, bytes]]:
        if depth > _DEEPEST:
            raise NotBolt("its pages go round in a circle")
        flags, count = self._page(start)
        for index in range(count):
            if flags & _IS_LEAF:
                yield self._leaf(start, index)
            else:
                page = self._branch(start, index)[1]
                yield from self._leaves(page * self._page_size, depth + 1)

    def _page(self, start: int) -> tuple[int, int]:
        _, flags, count, _ = _unpacked(_PAGE, self._content, start)
        if not flags & (_IS_BRANCH | _IS_LEAF):
            raise NotBolt("a page of it is neither a branch nor a leaf")
        return flags, count

    def _leaf(self, start: int, index: int) -> tuple[int, bytes, bytes]:
        at = start + _PAGE.size + index * _LEAF.size
        flags, position, key_size, value_size = _unpacked(_LEAF, self._content, at)
        key = at + position
        value = key + key_size
        return flags, self._bytes(key, value), self._bytes(value, value + value_size)

    def _branch(self, start: int, index: int) -> tuple[bytes, int]:
        at = start + _PAGE.size + index * _BRANCH.size
        position, key_size, page = _unpacked(_BRANCH, self._content, at)
        return self._bytes(at + position, at + position + key_size), page

    def _bytes(self, start: int, end: int) -> bytes:
        if end > len(self._content):
            raise NotBolt("it ends in the middle of a page")
        return bytes(self._content[start:end])


def root(content: memoryview) -> Bucket:
    """The bucket that holds all buckets. Raises NotBolt."""
    metas = [meta for start in (0, *_PAGE_SIZES) if (meta := _meta(content, start)) is not None]
    if not metas:
        raise NotBolt("it does not begin as a bbolt database does")
    newest = max(metas, key=lambda meta: meta.transaction)
    return Bucket(content, newest.page_size, newest.root * newest.page_size)


def looks_like(content: memoryview) -> bool:
    """Whether it begins as a bbolt database does, damaged or not."""
    head = bytes(content[_PAGE.size : _PAGE.size + 4])
    return head == MAGIC.to_bytes(4, "little")


def _meta(content: memoryview, start: int) -> _Meta | None:
    """The meta page that begins there; None if there is none, or a damaged one."""
    if start + _PAGE.size + _META.size > len(content):
        return None
    at = start + _PAGE.size
    magic, version, page_size, _, top, _, _, _, transaction, checksum = _META.unpack_from(
        content, at
    )
    told = bytes(content[at : at + _META.size - 8])
    if (magic, version) != (MAGIC, FORMAT) or checksum != _fnv64a(told):
        return None
    return _Meta(page_size, top, transaction)


def _unpacked(shape: struct.Struct, content: memoryview | bytes, at: int) -> tuple[int, ...]:
    try:
        return shape.unpack_from(content, at)
    except struct.error as error:
        raise NotBolt("it ends in the middle of a page") from error


def _fnv64a(content: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
