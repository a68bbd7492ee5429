from __future__ import annotations

import pytest
from etcd_sandbox.etcd.version import matches, parse, series
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.5.1", (3, 5, 1)),
        ("v3.6", (3, 6)),
        ("3.6.0-rc.1", (3, 6, 0)),
        ("3.7.0+git", (3, 7, 0)),
        ("", ()),
        ("etcd", ()),
        ("3.5.1.2", ()),
        ("3.", ()),
    ],
)
def test_a_version_is_read_as_numbers(text: str, version: tuple[int, ...]) -> None:
    assert parse(text) == version


def test_versions_sort_by_number_and_not_by_letter() -> None:
    assert sorted(["3.10.0", "3.9.2", "3.5.16", "3.5.2"], key=parse) == [
        "3.5.2",
        "3.5.16",
        "3.9.2",
        "3.10.0",
    ]


def test_a_prefix_matches_whole_numbers_only() -> None:
    assert matches("3.5.1", "3.5")
    assert matches("3.5.1", "3.5.1")
    assert not matches("3.5.16", "3.5.1")
    assert not matches("3.50.0", "3.5")
    assert not matches("3.5.1", "")


def test_the_series_is_the_first_two_numbers() -> None:
    assert series("3.5.16") == "3.5"


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    assert all(part >= 0 for part in parse(text))
