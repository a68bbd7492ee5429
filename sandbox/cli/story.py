"""Events as sentences, for `events` and for the merged lines of `up`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.cli.shown import end
from sandbox.model.event import Kind

Event = dict[str, Any]
"""One object of `events.jsonl`."""

NOTABLE = frozenset(
    {
        Kind.PROCESS_EXITED,
        Kind.PROCESS_RESTARTING,
        Kind.LEADER_ELECTED,
        Kind.LEADER_TRANSFERRED,
        Kind.MEMBER_REMOVED,
        Kind.FAULT_APPLIED,
        Kind.FAULT_HEALED,
        Kind.ALARM_RAISED,
        Kind.ALARM_CLEARED,
        Kind.CLUSTER_READY,
        Kind.QUORUM_LOST,
        Kind.QUORUM_REGAINED,
        Kind.CLUSTER_STOPPED,
    }
)
"""What is told among the log lines; the rest is only in `events`."""

BAD = frozenset({Kind.PROCESS_EXITED, Kind.LEADER_LOST, Kind.ALARM_RAISED, Kind.QUORUM_LOST})
GOOD = frozenset(
    {Kind.PROCESS_READY, Kind.LEADER_ELECTED, Kind.CLUSTER_READY, Kind.QUORUM_REGAINED}
)


def sentence(event: Event) -> str:
    """What happened, in a few words; a kind that is not known is shown with its fields."""
    tell = _SENTENCES.get(str(event.get("kind")))
    return tell(event) if tell is not None else _plainly(event)


def who(event: Event) -> str:
    """The member or process that it is about; the cluster otherwise."""
    return str(event.get("member") or event.get("process") or "cluster")


def _exited(event: Event) -> str:
    if event.get("error"):
        return f"{who(event)} could not be run: {event['error']}"
    if not event.get("expected"):
        return f"{who(event)} exited: {end(event)}"
    by = f" by {event['signal']}" if event.get("signal") else f": {end(event)}"
    return f"{who(event)} stopped{by}"


def _candidate(event: Event) -> str:
    stands = "asks whether it could win" if event.get("pre_vote") else "stands for election"
    return f"{who(event)} {stands}{_term(event)}"


def _transferred(event: Event) -> str:
    return f"{event.get('from')} handed leadership to {event.get('to')}{_term(event)}"


def _lost(event: Event) -> str:
    return f"{event.get('seen_by')} lost the leader {who(event)}{_term(event)}"


def _term(event: Event) -> str:
    return f" (term {event['term']})" if event.get("term") is not None else ""


def _fault(verb: dict[str, str]) -> Callable[[Event], str]:
    def tell(event: Event) -> str:
        fault = str(event.get("fault", "fault"))
        return f"{who(event)} {verb.get(fault, f'{verb[str()]} {fault}')}"

    return tell


def _alarm(verb: str) -> Callable[[Event], str]:
    return lambda event: f"{who(event)} {verb} the alarm {event.get('alarm', '')}".rstrip()


def _ready(event: Event) -> str:
    seconds = event.get("ready_s", event.get("after_s"))
    return "cluster ready" + (f" in {seconds:.2f} s" if isinstance(seconds, int | float) else "")


def _quorum(text: str) -> Callable[[Event], str]:
    def tell(event: Event) -> str:
        up, voters, needed = (event.get(key) for key in ("up", "voters", "needed"))
        known = up is not None and voters is not None and needed is not None
        return text + (f": {up} of {voters} up, {needed} needed" if known else "")

    return tell


def _plainly(event: Event) -> str:
    passed = ("seq", "ts", "kind", "member", "process")
    fields = " ".join(f"{key}={value}" for key, value in event.items() if key not in passed)
    return f"{who(event)} {event.get('kind')} {fields}".rstrip()


_SENTENCES: dict[str, Callable[[Event], str]] = {
    Kind.PROCESS_STARTED: lambda event: f"{who(event)} started (pid {event.get('pid')})",
    Kind.PROCESS_READY: lambda event: f"{who(event)} ready after {event.get('after_s', 0):.2f} s",
    Kind.PROCESS_EXITED: _exited,
    Kind.PROCESS_RESTARTING: lambda event: (
        f"{who(event)} starts again in {event.get('after_s', 0):.1f} s"
    ),
    Kind.LEADER_LOST: _lost,
    Kind.CANDIDATE: _candidate,
    Kind.LEADER_ELECTED: lambda event: f"{who(event)} leads{_term(event)}",
    Kind.LEADER_TRANSFERRED: _transferred,
    Kind.MEMBER_REMOVED: lambda event: f"{who(event)} was removed from the cluster",
    Kind.FAULT_APPLIED: _fault({"pause": "paused", "": "has the fault"}),
    Kind.FAULT_HEALED: _fault({"pause": "goes on", "": "is rid of the fault"}),
    Kind.ALARM_RAISED: _alarm("raised"),
    Kind.ALARM_CLEARED: _alarm("cleared"),
    Kind.CLUSTER_READY: _ready,
    Kind.QUORUM_LOST: _quorum("quorum lost"),
    Kind.QUORUM_REGAINED: _quorum("quorum regained"),
    Kind.CLUSTER_STOPPED: lambda _: "cluster stopped",
}
