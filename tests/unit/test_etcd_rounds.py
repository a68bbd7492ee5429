"""On which series of etcd a test of `tests/etcd` runs."""

from __future__ import annotations

import pytest

from tests import etcd_versions
from tests.etcd_versions import CURRENT, SERIES, current


def test_each_test_has_a_current_series_of_its_own_and_both_have_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(etcd_versions.REQUIRE_ALL, "1")
    names = [f"tests/etcd/test_some.py::test_{number}" for number in range(100)]
    chosen = [current(name) for name in names]
    assert chosen == [current(name) for name in names]
    assert 30 <= chosen.count(CURRENT[0]) <= 70
    assert set(chosen) == set(CURRENT) <= set(SERIES)


def test_without_a_current_etcd_the_newest_that_is_here_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(etcd_versions.REQUIRE_ALL, raising=False)
    monkeypatch.setattr(etcd_versions, "find", lambda series: series in ("3.4", "3.5") or None)
    assert current("any") == "3.5"
