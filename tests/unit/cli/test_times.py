from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from etcd_sandbox.cli.params import parse_moment, parse_span
from etcd_sandbox.errors import InputError

CEST = timezone(timedelta(hours=2))
NOW = datetime(2026, 6, 1, 14, 30, 15, tzinfo=CEST)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("2.5", 2.5),
        ("200ms", 0.2),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("2D", 172800.0),
    ],
)
def test_a_span_is_a_number_with_units(text: str, seconds: float) -> None:
    assert parse_span(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "ten", "10x", "-5", "10m!", "m"])
def test_what_is_no_span_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_span(text)
    assert "1h30m" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10m", NOW - timedelta(minutes=10)),
        ("2h", NOW - timedelta(hours=2)),
        ("14:00", datetime(2026, 6, 1, 14, 0, 0, tzinfo=CEST)),
        ("14:30:15", datetime(2026, 6, 1, 14, 30, 15, tzinfo=CEST)),
        ("23:59", datetime(2026, 5, 31, 23, 59, 0, tzinfo=CEST)),
        ("2026-06-01T10:00:00Z", datetime(2026, 6, 1, 10, 0, 0, tzinfo=UTC)),
        ("2026-06-01T10:00:00.5+02:00", datetime(2026, 6, 1, 10, 0, 0, 500_000, tzinfo=CEST)),
        ("2026-06-01 10:00", datetime(2026, 6, 1, 10, 0, 0, tzinfo=CEST)),
    ],
)
def test_a_moment_is_a_span_ago_or_a_clock_or_rfc_3339(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "25:00", "2026-13-01T00:00:00Z", ""])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a moment"):
        parse_moment(text, NOW)
