"""How spans and moments are typed: `200ms`, `10m`, `1h30m`, `14:30`, RFC 3339."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from etcd_sandbox.errors import InputError, shortened

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?\Z")

LONGEST_S = 10 * 366 * 86400.0
"""Ten years: what is longer is a slip of the finger, and more than some clocks can count."""


def parse_span(text: str) -> float:
    """Seconds of a span; a number without a unit is in seconds. Raises InputError."""
    compact = text.strip().lower()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", compact):
        seconds = float(compact)
    elif not compact or _PART.sub("", compact):
        raise InputError(
            f"{shortened(text)!r} is not a span of time",
            hint="write it like 30, 200ms, 10m or 1h30m",
        )
    else:
        seconds = sum(float(count) * _UNITS_S[unit] for count, unit in _PART.findall(compact))
    if seconds > LONGEST_S:
        raise InputError(f"{shortened(text)!r} is too long a span of time", hint="at most 3660d")
    return seconds


def parse_moment(text: str, now: datetime) -> datetime:
    """The moment that `text` names, seen from `now` (which has a time zone).

    A span means so long ago; a time of the day is the last such time in `now`'s zone; an RFC 3339
    moment without a zone is in `now`'s zone. Raises InputError.
    """
    stripped = text.strip()
    if clock := _CLOCK.match(stripped):
        hour, minute, second = (int(part or 0) for part in clock.groups())
        moment = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
        return moment if moment <= now else moment - timedelta(days=1)
    try:
        return now - timedelta(seconds=parse_span(stripped))
    except (InputError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(stripped)
    except ValueError:
        raise InputError(
            f"{shortened(text)!r} is not a moment",
            hint="write it like 10m (ago), 2h, 14:30 or 2026-01-31T14:30:00Z",
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)
