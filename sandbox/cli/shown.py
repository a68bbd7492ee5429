"""Values as a reader likes them: sizes, spans of time, ends of processes."""

from __future__ import annotations

from typing import Any

NOTHING = "-"


def size(count: int | None) -> str:
    """Bytes with a binary unit: `20.0 KiB`."""
    if count is None:
        return NOTHING
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


def span(seconds: float | None) -> str:
    """A span of time in its two largest units: `4.2s`, `3m12s`, `2h05m`, `3d04h`."""
    if seconds is None:
        return NOTHING
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def percent(value: float | None) -> str:
    """A share of one core."""
    return NOTHING if value is None else f"{value:.1f}%"


def word(value: object) -> str:
    """Any value that may be unknown."""
    return NOTHING if value is None else str(value)


def end(value: dict[str, Any] | None) -> str:
    """How a process ended, as `status --json` tells it: `killed by SIGKILL`, `exit status 1`."""
    if value is None:
        return ""
    if value.get("error"):
        return str(value["error"])
    if value.get("signal"):
        return f"killed by {value['signal']}"
    return f"exit status {value.get('code')}"
