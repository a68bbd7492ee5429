"""When a certificate may be used."""

from __future__ import annotations

from datetime import UTC, datetime

from etcd_sandbox.etcd.troubles import certificate_trouble, validity

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def der(begin: bytes, end: bytes) -> bytes:
    """The piece of a certificate that holds its times, amid others."""

    def time(text: bytes) -> bytes:
        return (b"\x17\x0d" if len(text) == 13 else b"\x18\x0f") + text

    return b"\x30\x82\x01\x02\x02\x01\x07\x30\x1e" + time(begin) + time(end) + b"\x30\x10rest"


def test_times_have_two_or_four_digits_for_the_year() -> None:
    assert validity(der(b"260101000000Z", b"20501231235959Z")) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2050, 12, 31, 23, 59, 59, tzinfo=UTC),
    )
    old = validity(der(b"990101000000Z", b"260101000000Z"))
    assert old is not None
    assert old[0].year == 1999


def test_a_certificate_whose_time_is_over_or_has_not_come_is_trouble() -> None:
    over = certificate_trouble(der(b"250101000000Z", b"260101000000Z"), NOW)
    assert (
        over == "has a certificate whose time was over at 2026-01-01 00:00 UTC: clients refuse it"
    )
    early = certificate_trouble(der(b"270101000000Z", b"280101000000Z"), NOW)
    assert early == "has a certificate whose time comes at 2027-01-01 00:00 UTC: clients refuse it"
    assert certificate_trouble(der(b"250101000000Z", b"280101000000Z"), NOW) is None


def test_nothing_is_said_of_what_is_no_certificate() -> None:
    assert certificate_trouble(b"", NOW) is None
    assert certificate_trouble(der(b"259901000000Z", b"260101000000Z"), NOW) is None
