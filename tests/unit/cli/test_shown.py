from __future__ import annotations

from typing import Any

import pytest

from sandbox.cli import shown


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (20480, "20.0 KiB"),
        (31_000_000, "29.6 MiB"),
        (5 * 1024**4, "5120.0 GiB"),
    ],
)
def test_sizes_have_binary_units(count: int | None, text: str) -> None:
    assert shown.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.04, "0.0s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (75.0, "1m15s"),
        (7500.0, "2h05m"),
        (90_000.0, "1d01h"),
    ],
)
def test_spans_have_two_units_at_most(seconds: float | None, text: str) -> None:
    assert shown.span(seconds) == text


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (None, ""),
        ({"code": 1, "signal": None}, "exit status 1"),
        ({"code": None, "signal": "SIGKILL"}, "killed by SIGKILL"),
        ({"code": None, "signal": None, "error": "no such program"}, "no such program"),
    ],
)
def test_ends_are_told_as_the_model_tells_them(end: dict[str, Any] | None, text: str) -> None:
    assert shown.end(end) == text
