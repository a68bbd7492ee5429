"""What is said of data that is there already."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
from etcd_sandbox.inputs.olddata import going_on
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.spec import ClusterSpec, MemberProcess, MemberSpec, Source, SourceKind
from etcd_sandbox.paths import ClusterPaths
from msgspec.structs import replace

BEGUN = datetime(2026, 11, 30, 18, 5).timestamp()


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    return ClusterPaths("default", tmp_path)


def spec(paths: ClusterPaths, *, owned: bool = True, count: int = 3) -> ClusterSpec:
    return ClusterSpec(
        name="default",
        source=Source(kind=SourceKind.MEMBERS),
        processes=tuple(
            MemberProcess(
                name=f"etcd{n}",
                argv=("etcd",),
                shown="etcd",
                cwd="/",
                member=MemberSpec(
                    name=f"infra{n}",
                    id=None,
                    client_url=Address("http://127.0.0.1:1"),
                    peer_url=Address(f"http://127.0.0.1:{n}"),
                    data_dir=str(paths.data / f"infra{n}"),
                    data_owned=owned,
                    token="t",
                ),
            )
            for n in range(1, count + 1)
        ),
    )


def begin(paths: ClusterPaths, *numbers: int) -> None:
    for n in numbers:
        (paths.data / f"infra{n}" / "member" / "wal").mkdir(parents=True)
        os.utime(paths.data / f"infra{n}" / "member", (BEGUN + n, BEGUN + n))


def test_a_new_cluster_goes_on_with_nothing(paths: ClusterPaths) -> None:
    assert going_on(spec(paths), None, paths) is None


def test_old_data_is_used_with_a_word_about_its_age_and_how_far_it_had_come(
    paths: ClusterPaths,
) -> None:
    begin(paths, 1, 2, 3)
    paths.left_off.write_text('{"term": 7, "revision": 41}')
    assert going_on(spec(paths), spec(paths), paths) == (
        "cluster default goes on with the data that it has had since 2026-11-30 18:05 "
        "(term 7, revision 41); --fresh begins anew"
    )


@pytest.mark.parametrize("text", ["", "{}", '{"term": "x"}'])
def test_what_was_not_recorded_is_not_told(paths: ClusterPaths, text: str) -> None:
    begin(paths, 1, 2, 3)
    if text:
        paths.left_off.write_text(text)
    assert going_on(spec(paths), None, paths) == (
        "cluster default goes on with the data that it has had since 2026-11-30 18:05; "
        "--fresh begins anew"
    )


def test_data_of_some_members_is_theirs(paths: ClusterPaths) -> None:
    begin(paths, 1, 3)
    said = going_on(spec(paths), spec(paths), paths) or ""
    assert said.startswith("cluster default goes on with the data of infra1, infra3 that")
    only = replace(spec(paths), wanted=("etcd2",))
    assert going_on(only, spec(paths), paths) is None


def test_a_proxy_has_no_data_to_go_on_with(paths: ClusterPaths) -> None:
    begin(paths, 1, 2)
    *members, last = spec(paths).members
    proxy = replace(last, member=replace(last.member, proxy=True))
    said = going_on(replace(spec(paths), processes=(*members, proxy)), None, paths) or ""
    assert said.startswith("cluster default goes on with the data that")


def test_data_that_a_procfile_keeps_is_the_users_to_delete(paths: ClusterPaths) -> None:
    begin(paths, 1)
    said = going_on(spec(paths, owned=False, count=1), None, paths) or ""
    assert said.endswith(f"; to begin anew, delete {paths.data}/infra1")


def test_data_that_will_be_deleted_at_the_end_is_said_to_be(paths: ClusterPaths) -> None:
    begin(paths, 1, 2, 3)
    said = going_on(spec(paths), spec(paths), paths, ephemeral=True) or ""
    assert ", and deletes it when it stops; --fresh" in said


def test_a_start_that_will_be_refused_goes_on_with_nothing(paths: ClusterPaths) -> None:
    begin(paths, 1, 2, 3)
    assert going_on(spec(paths, count=5), spec(paths), paths) is None
