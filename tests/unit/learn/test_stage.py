from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.learn.lesson import parse_lesson
from etcd_sandbox.learn.stage import Stage

from tests.unit.learn.samples import PAGE

UPGRADES = PAGE.replace("etcd: 3.4 3.5 -->\n", "etcd: 3.4 9.8 -->\n<!-- begins: 3.4 -->\n", 1)


def test_a_lesson_that_upgrades_names_what_is_missing_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "downloads"))
    monkeypatch.setenv("PATH", str(tmp_path))
    stage = Stage(parse_lesson(UPGRADES, "05-small.md"), etcd="3.5")
    with pytest.raises(InputError) as refused:
        stage.up(fresh=True)
    assert refused.value.what == (
        "lesson 5 needs etcd 3.4 and 9.8 on this machine, and there is no 3.4 and no 9.8"
    )
    assert "package etcd-server" in refused.value.hint
    assert "etcd-sandbox versions lists what is here" in refused.value.hint
    assert not (tmp_path / "home").exists()


def test_a_lesson_that_upgrades_is_on_the_series_that_it_begins_with() -> None:
    assert Stage(parse_lesson(UPGRADES, "05-small.md")).series == "3.4"
