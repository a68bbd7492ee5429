"""How the figures of verbs are said: spans, shares, rates."""

from __future__ import annotations

_STEPS = ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "KB/s"))


def delay(delay_s: float, jitter_s: float = 0) -> str:
    """A delay that was asked for: `200 ms`, `1.5 s`, `200 ms ± 50 ms`."""
    shown = f"{delay_s * 1000:g} ms" if delay_s < 1 else f"{delay_s:g} s"
    return f"{shown} ± {delay(jitter_s)}" if jitter_s else shown


def share(value: float) -> str:
    """A share of one: `20 %`."""
    return f"{value * 100:g} %"


def count(value: float) -> str:
    """How many: `3`."""
    return f"{value:,.0f}"


def rate(bytes_per_s: float) -> str:
    """Bytes a second: `64 KB/s`."""
    for step, unit in _STEPS:
        if bytes_per_s >= step:
            return f"{bytes_per_s / step:g} {unit}"
    return f"{bytes_per_s:g} B/s"
