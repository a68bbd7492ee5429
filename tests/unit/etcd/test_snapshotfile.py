"""Whether a file is a whole snapshot, and what it says of itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd import snapshotfile

from tests import snapshots


def facts(content: bytes) -> snapshotfile.SnapshotFacts:
    return snapshotfile.facts(memoryview(content), "backup.db")


def refusal(content: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        facts(content)
    assert caught.value.where == "backup.db"
    assert caught.value.hint
    return caught.value


def test_a_snapshot_tells_its_revision_its_version_and_its_members() -> None:
    content = snapshots.snapshot(
        snapshots.buckets(last=40, storage="3.6.0", cluster="3.6.0", learners=("infra4",))
    )
    told = facts(content)
    assert told == snapshotfile.SnapshotFacts(
        size_bytes=len(content),
        sha256=content[-32:].hex(),
        revision=40,
        storage_version="3.6.0",
        cluster_version="3.6.0",
        voters=("infra1", "infra2", "infra3"),
        learners=("infra4",),
    )
    assert told.series == "3.6"


def test_before_3_6_the_series_is_that_of_the_cluster_version() -> None:
    told = facts(snapshots.snapshot(snapshots.buckets(cluster="3.4.0")))
    assert (told.storage_version, told.series) == ("", "3.4")


def test_a_cluster_that_has_agreed_on_nothing_yet_has_no_series() -> None:
    told = facts(snapshots.snapshot(snapshots.buckets()))
    assert told.series == ""


def test_the_revision_of_an_empty_keyspace_is_one() -> None:
    assert facts(snapshots.snapshot(snapshots.buckets(last=1))).revision == 1


def test_a_compaction_after_the_last_change_that_is_kept_counts() -> None:
    assert facts(snapshots.snapshot(snapshots.buckets(last=5, compacted=9))).revision == 9


@pytest.mark.parametrize("page_size", [1024, 4096, 16384, 65536])
def test_the_size_of_a_page_is_that_of_the_machine_that_wrote_it(page_size: int) -> None:
    content = snapshots.snapshot(snapshots.buckets(last=9), page_size=page_size)
    assert facts(content).revision == 9


@pytest.mark.parametrize("at", [0, 16, 4096 + 20, 3 * 4096 + 40, -40, -33, -32, -1])
def test_one_flipped_bit_anywhere_is_noticed(at: int) -> None:
    content = bytearray(snapshots.snapshot())
    content[at] ^= 1
    assert refusal(bytes(content))


def test_a_damaged_snapshot_is_told_from_what_never_was_one() -> None:
    content = bytearray(snapshots.snapshot())
    content[-40] ^= 1
    damaged = refusal(bytes(content))
    assert "damaged" in damaged.what
    assert content[-32:].hex() in damaged.detail
    assert "not a snapshot" in refusal(b"just some text, and more of it\n" * 100).what


@pytest.mark.parametrize("kept", [1, 16, 20, 100, 511, 5000, 20000])
def test_a_snapshot_cut_short_is_refused(kept: int) -> None:
    assert refusal(snapshots.snapshot()[:kept])


def test_a_members_own_database_is_no_snapshot() -> None:
    whole = snapshots.snapshot()
    assert "without the checksum" in refusal(whole[:-32]).what


def test_a_right_checksum_over_a_database_that_is_none_does_not_help() -> None:
    broken = bytearray(snapshots.database(snapshots.buckets()))
    broken[3 * 4096 + 8 : 3 * 4096 + 10] = b"\0\0"  # what kind of page the root is
    content = bytes(broken) + hashlib.sha256(broken).digest()
    assert "database is damaged" in refusal(content).what


def test_pages_that_go_round_in_a_circle_end() -> None:
    content = bytearray(snapshots.database({b"key": {b"%04d" % n: b"" for n in range(9)}}))
    branch = next(
        at for at in range(0, len(content), snapshots.PAGE) if content[at + 8 : at + 10] == b"\1\0"
    )
    for element in range(3):
        at = branch + 16 + 16 * element + 8
        content[at : at + 8] = (branch // snapshots.PAGE).to_bytes(8, "little")
    keys = snapshotfile.root(memoryview(content)).bucket(b"key")
    for backwards in (False, True):
        with pytest.raises(ValueError, match="circle"):
            list(keys.items(backwards=backwards))


def test_every_key_of_a_bucket_of_many_pages_is_found() -> None:
    items = {b"%04d" % number: b"v%d" % number for number in range(0, 200, 2)}
    content = snapshots.database({b"key": items, b"other": {b"0001": b"x"}})
    keys = snapshotfile.root(memoryview(content)).bucket(b"key")
    assert list(keys.items()) == list(items.items())
    assert list(keys.items(backwards=True)) == list(reversed(items.items()))
    assert keys.get(b"0042") == b"v42"
    assert keys.get(b"0001") == b""


def test_a_bucket_that_is_not_there_is_as_one_that_is_empty() -> None:
    content = snapshots.database({b"empty": {}, b"key": {b"a": b"b"}})
    top = snapshotfile.root(memoryview(content))
    for name in (b"nothing", b"empty"):
        assert list(top.bucket(name).items(backwards=True)) == []


def test_of_two_meta_pages_the_newer_one_counts() -> None:
    content = bytearray(snapshots.database({b"key": {b"a": b"b"}}))
    content[16 + 16] ^= 1  # where the older one has the root
    content[16 + 48] = 1  # the number of its transaction
    assert snapshotfile.root(memoryview(content)).bucket(b"key").get(b"a") == b"b"


@pytest.mark.parametrize("page", [0xFFFF, 1 << 63])
def test_a_root_that_lies_beyond_the_end_is_told(page: int) -> None:
    broken = bytearray(snapshots.database(snapshots.buckets()))
    for meta in (0, snapshots.PAGE):
        broken[meta + 32 : meta + 40] = page.to_bytes(8, "little")
    content = bytes(broken) + hashlib.sha256(broken).digest()
    assert "it ends in the middle of a page" in refusal(content).what


def test_reading_a_file_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "backup.db"
    path.write_bytes(snapshots.snapshot())
    assert snapshotfile.read(path).revision == 7


@pytest.mark.parametrize(
    ("name", "told"),
    [("empty", "empty"), ("folder", "directory"), ("missing", "no such snapshot")],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=told) as caught:
        snapshotfile.read(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)


@pytest.mark.parametrize(
    ("storage", "etcd", "fits"),
    [
        ("3.7.0", "3.6.16", False),
        ("3.8.0", "3.7.3", False),
        ("3.10.0", "3.7.3", False),
        ("3.7.0", "3.5.1", True),
        ("3.7.0", "3.4.23", True),
        ("3.6.0", "3.6.16", True),
        ("3.6.0", "3.7.3", True),
        ("", "3.6.16", True),
    ],
)
def test_from_3_6_on_an_etcd_refuses_the_data_of_a_newer_one(
    storage: str, etcd: str, fits: bool
) -> None:
    told = facts(snapshots.snapshot(snapshots.buckets(storage=storage)))
    assert (snapshotfile.unfit_for(told, etcd) is None) is fits
