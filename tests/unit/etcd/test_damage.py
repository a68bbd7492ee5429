"""Which bytes are changed for a damage, on databases and logs that are made here."""

from __future__ import annotations

import pytest
from etcd_sandbox.etcd.damage import Change, NotThere, broken_page, other_value, torn_tail
from etcd_sandbox.etcd.snapshotfile import root

from tests.snapshots import buckets, database, revision
from tests.unit.etcd.test_datadir import entry, framed, snapshot


def stored(key: bytes, value: bytes, version: int = 1) -> bytes:
    """A key with its value, as etcd stores it (`mvccpb.KeyValue`)."""
    head = b"\x0a" + bytes([len(key)]) + key + b"\x10\x02\x18\x02\x20" + bytes([version])
    return head + (b"\x2a" + bytes([len(value)]) + value if value else b"")


def of(*changes: tuple[bytes, bytes]) -> bytes:
    """A database with these changes of keys, from revision 2 on; a value of `gone` is a deletion."""
    kept = {
        revision(number + 2) + (b"t" if value == b"gone" else b""): stored(key, value)
        for number, (key, value) in enumerate(changes)
    }
    return database({**buckets(), b"key": kept})


def changed(content: bytes, changes: list[Change]) -> bytes:
    new = bytearray(content)
    for change in changes:
        new[change.at : change.at + len(change.content)] = change.content
    return bytes(new)


def values(content: bytes) -> list[bytes]:
    """What the database has, change by change."""
    found = (value for _, value in root(memoryview(content)).bucket(b"key").items())
    return [value.rpartition(b"\x2a")[2][1:] for value in found]


def test_the_newest_value_of_the_key_becomes_another_one_of_the_same_length() -> None:
    before = of((b"a", b"one"), (b"ab", b"one"), (b"a", b"two"), (b"b", b"one"), (b"c", b"x" * 9))
    after = changed(before, other_value(memoryview(before), b"a"))
    assert len(after) == len(before)
    assert values(after) == [b"one", b"one", b"twn", b"one", b"x" * 9]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (b"z", "there is no such key among its 2"),
        (b"deleted", "there is no such key among its 2"),
        (b"empty", "its value is empty"),
    ],
)
def test_what_has_no_value_is_refused(key: bytes, why: str) -> None:
    content = of((b"deleted", b"1"), (b"deleted", b"gone"), (b"empty", b""), (b"k", b"1"))
    with pytest.raises(NotThere, match=why):
        other_value(memoryview(content), key)


def test_a_database_without_a_key_says_so() -> None:
    content = database({**buckets(), b"key": {}})
    with pytest.raises(NotThere, match=r"^there is no such key$"):
        other_value(memoryview(content), b"k")


def test_a_broken_page_is_the_one_that_every_look_begins_with() -> None:
    content = of((b"a", b"1"))
    broken = changed(content, [broken_page(memoryview(content))])
    with pytest.raises(ValueError, match="neither a branch nor a leaf"):
        values(broken)
    assert sum(a != b for a, b in zip(content, broken, strict=True)) == 1


def test_the_last_entry_and_what_follows_is_zeros_but_its_length_is_there() -> None:
    state = framed(3, b"\x08\x02\x10\x01\x18\x02")
    kept = snapshot(0) + entry(1, b"first") + state
    torn = entry(2, b"the last one")
    log = kept + torn + state + bytes(512)
    after = changed(log, [torn_tail(log)])
    assert after[: len(kept) + 8] == log[: len(kept) + 8]
    assert not any(after[len(kept) + 8 :])
    assert len(after) == len(log)


def test_a_segment_without_an_entry_is_told() -> None:
    with pytest.raises(NotThere, match="no entry"):
        torn_tail(snapshot(0) + bytes(64))
