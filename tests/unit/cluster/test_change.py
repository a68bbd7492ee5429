"""What changes of the members do around them: a member's data goes whole, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from etcd_sandbox.cluster.change import delete_data
from msgspec.structs import replace

from tests.unit.export.plans import from_profile


def test_whoever_dies_while_data_is_deleted_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = from_profile().members[0]
    data, wal = tmp_path / "infra1", tmp_path / "wal"
    member = replace(process.member, data_dir=str(data), wal_dir=str(wal), wal_owned=True)
    process = replace(process, member=member)
    for directory in (data, wal):
        (directory / "member" / "snap").mkdir(parents=True)

    def dies(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", dies)
        with pytest.raises(KeyboardInterrupt):
            delete_data(process)
    assert (data / "member" / "snap").is_dir() or not data.exists()
    delete_data(process)
    delete_data(process)
    assert list(tmp_path.iterdir()) == []
