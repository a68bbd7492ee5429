"""Values as a reader likes them: sizes, spans of time, how a cluster was made."""

from __future__ import annotations

from collections.abc import Mapping
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


def bootstrap(told: Mapping[str, Any]) -> str:
    """How the members were told of each other, and what runs them: `bootstrap` of `status --json`."""
    words = _WAYS.get(str(told.get("way")), _static)(told)
    runtime = told.get("runtime")
    return f"{words}, in {runtime} containers" if runtime not in (None, "process") else words


def _static(_: Mapping[str, Any]) -> str:
    return "a static list of the members"


def _discovery(told: Mapping[str, Any]) -> str:
    words = ["discovery service"]
    if told.get("service"):
        words.append(f"{told['service']} ({told['protocol']}), token {told['token']}")
    if (registered := told.get("registered")) is not None:
        names = ", ".join(entry["member"] for entry in registered)
        words.append(
            f"with {len(registered)} of {told['size']} registered{': ' * bool(names)}{names}"
        )
    return " ".join(words)


def _dns(told: Mapping[str, Any]) -> str:
    words = "DNS SRV records"
    return (
        f"{words} of {told['domain']}, served at {told['service']}"
        if told.get("service")
        else words
    )


_WAYS = {"static": _static, "discovery": _discovery, "dns": _dns}
