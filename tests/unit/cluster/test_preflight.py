"""What is in the way of a start is named with a mend that helps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from etcd_sandbox.cluster.preflight import check_disk
from etcd_sandbox.errors import SandboxError
from msgspec.structs import replace

from tests.unit.export.plans import from_profile


@pytest.mark.parametrize(
    ("owned", "mend"), [(True, "set ETCD_SANDBOX_HOME"), (False, "give infra1 a --data-dir")]
)
def test_the_mend_for_data_that_cannot_be_written_moves_that_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owned: bool, mend: str
) -> None:
    member = from_profile().members[0].member
    assert member is not None
    member = replace(member, data_dir=str(tmp_path / "infra1"), data_owned=owned)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(SandboxError, match="data directory of infra1 cannot be written") as refused:
        check_disk([member])
    assert refused.value.hint.startswith(mend)


def test_data_below_a_file_is_data_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    member = from_profile().members[0].member
    member = replace(member, data_dir=str(tmp_path / "data" / "infra1"))
    with pytest.raises(SandboxError, match="data directory of infra1 cannot be written"):
        check_disk([member])
