"""Values as a reader likes them: sizes, spans of time, how a cluster was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def exactly(seconds: float | None) -> str:
    """A span of time that was measured: `1.20 s`."""
    return NOTHING if seconds is None else f"{seconds:.2f} s"


def latency(seconds: float) -> str:
    """A short time in the unit that suits it: `58 µs`, `0.82 ms`, `12.3 ms`, `1.20 s`."""
    if seconds < 0.0000995:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.00995:
        return f"{seconds * 1e3:.2f} ms"
    if seconds < 0.0995:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds * 1e3:.0f} ms" if seconds < 0.9995 else exactly(seconds)


def percent(value: float | None) -> str:
    """A share of one core."""
    return NOTHING if value is None else f"{value:.1f}%"


def word(value: object) -> str:
    """Any value that may be unknown."""
    return NOTHING if value is None else str(value)


def in_term(term: int | None) -> str:
    """What follows who leads: ` (term 3)`; nothing where the term is not known."""
    return "" if term is None else f" (term {term})"


def quorum(*, voters: int, needed: int, healthy: int, ok: bool | None, late: int = 0) -> str:
    """What is known of the quorum: `quorum` of `status --json`."""
    if not voters:
        return "quorum not known: no member with a vote is known here"
    if ok and healthy < needed:
        return f"quorum: a read was served, though only {healthy} of {voters} answered in time"
    if not ok and late and healthy + late >= needed:
        do = "does" if late == 1 else "do"
        return (
            f"quorum not known: {healthy} of {voters} healthy, {needed} needed, "
            f"{late} {do} not answer in time"
        )
    words = f"{healthy} of {voters} healthy, {needed} needed"
    return f"quorum: {words}" if ok else f"no quorum: {words}"


_REFUSED = {"NOSPACE": "puts are refused", "CORRUPT": "writes are refused"}
"""What etcd refuses while an alarm is up; it serves reads, and with NOSPACE deletes and compaction
(3.4 to 3.7: `server/etcdserver/apply*.go`, `applierV3Capped`, `applierV3Corrupt`; measured)."""


def alarms(up: Iterable[tuple[str, str | None]]) -> list[str]:
    """What is refused, and why: `puts are refused (NOSPACE on infra1)`, for alarms and their members."""
    members: dict[str, list[str | None]] = {}
    for alarm, member in up:
        members.setdefault(alarm, []).append(member)
    return [
        f"{_REFUSED.get(alarm, 'an alarm is up')} ({alarm} {_raisers(names)})"
        for alarm, names in members.items()
    ]


def _raisers(names: list[str | None]) -> str:
    known = [name for name in names if name is not None]
    return f"on {', '.join(known)}" if known else "of a member that etcd does not name"


def listed(entry: Mapping[str, Any]) -> str:
    """An entry of etcd's member list that is no process of this cluster: `elsewhere` of `status --json`."""
    who = ", ".join(filter(None, (entry["id"], *entry["peer_urls"])))
    name = f"{entry['name']} ({who})" if entry["name"] else who
    if entry.get("remnant"):
        return f"on etcd's member list, and unknown to Raft: {name}; it has no vote"
    counts = "has no vote" if entry["learner"] else "counts for the quorum"
    if not entry["started"]:
        return f"on etcd's member list, never started: {name}; {counts}"
    answers = "answers" if entry["answers"] else "does not answer"
    return f"on etcd's member list, no process of this cluster: {name}; {answers}, {counts}"


def bootstrap(told: Mapping[str, Any]) -> str:
    """How the members were told of each other, and what runs them: `bootstrap` of `status --json`."""
    tell = _WAYS.get(str(told.get("way")))
    words = tell(told) if tell is not None else "a static list of the members"
    runtime = told.get("runtime")
    return f"{words}, in {runtime} containers" if runtime not in (None, "process") else words


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


_WAYS = {"discovery": _discovery, "dns": _dns}


def log_loss(lines: int, losing: bool, why: str) -> str:
    """What is missing in the log files, since the disk refused it, and the mend while it does."""
    what = lines_were(lines, "log line")
    if losing:
        return f"{what} not kept so far ({why}): free some space, and they are kept again"
    return f"{what} not kept ({why}); they are again"


def lines_were(count: object, what: str = "line") -> str:
    """What begins a clause on so many lines: `1 line was`, `12 lines were`."""
    return f"1 {what} was" if count == 1 else f"{count} {what}s were"
