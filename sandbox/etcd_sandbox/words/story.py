"""Events as sentences, for `events`, the merged lines of `up` and the report of a failed test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from etcd_sandbox.model.bootstrap import DEFAULT_BOOTSTRAP
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.service import UNNOTICED_S
from etcd_sandbox.verbs import fault_of, figures
from etcd_sandbox.words.shown import in_term, lines_were, span

Event = dict[str, Any]
"""One object of `events.jsonl`."""

Asked = dict[tuple[object, object], int]
"""How often each member has asked again whether it could win, by member and term."""

NOTABLE = frozenset(Kind) - {
    Kind.PROCESS_STARTED,
    Kind.PROCESS_READY,
    Kind.LEADER_LOST,
    Kind.CANDIDATE,
}
"""What is told among the log lines; these four are only in `events`."""

BAD = frozenset(
    {Kind.PROCESS_EXITED, Kind.LEADER_LOST, Kind.ALARM_RAISED, Kind.LINES_LOST, Kind.QUORUM_LOST}
)
GOOD = frozenset(
    {Kind.PROCESS_READY, Kind.LEADER_ELECTED, Kind.CLUSTER_READY, Kind.QUORUM_REGAINED}
)


def sentence(event: Event) -> str:
    """What happened, in a few words; a kind that is not known is shown with its fields."""
    kind = str(event.get("kind"))
    if (words := _WORDS.get(kind)) is not None:
        known = {"who": who(event), "in_term": in_term(event.get("term"))}
        return words.format_map(defaultdict(lambda: None, event, **known))
    tell = _SENTENCES.get(kind)
    return tell(event) if tell is not None else _plainly(event)


def condensed(events: Iterable[Event]) -> Iterator[Event]:
    """The events, of which a member's further requests of one term are one with their number, `again`.

    A member alone asks every second or two, for ever, whether it could win. Any other event ends the
    count, and comes after it; the first request comes at once.
    """
    asked: Asked = {}
    repeated: dict[object, Event] = {}
    for event in events:
        if again := asked_again(event, asked):
            repeated[event.get("member"), event.get("term")] = {**event, "again": again}
            continue
        if not asked:
            yield from repeated.values()
            repeated.clear()
        yield event
    yield from repeated.values()


def asked_again(event: Event, asked: Asked) -> int:
    """How many times a member has asked again in one term whether it could win; 0 for any other event.

    `asked` holds the counts; an event that is no such request ends them all.
    """
    if event.get("kind") != Kind.CANDIDATE or not event.get("pre_vote"):
        asked.clear()
        return 0
    request = (event.get("member"), event.get("term"))
    asked[request] = asked.get(request, -1) + 1
    return asked[request]


def clock(ts: str) -> str:
    """An RFC 3339 moment as local time with milliseconds: `14:30:05.123`."""
    return datetime.fromisoformat(ts).astimezone().strftime("%H:%M:%S.%f")[:-3]


def who(event: Event) -> str:
    """The member or process that it is about; the cluster otherwise."""
    return str(event.get("member") or event.get("process") or "cluster")


def end(value: dict[str, Any] | None) -> str:
    """How a process ended, as `status --json` tells it: `killed by SIGKILL`, `exit status 1`."""
    if value is None:
        return ""
    if value.get("error"):
        return str(value["error"])
    if value.get("signal"):
        return f"killed by {value['signal']}"
    return f"exit status {value.get('code')}"


def _exited(event: Event) -> str:
    if event.get("error"):
        return f"{who(event)} could not be run: {event['error']}"
    if not event.get("expected"):
        note = f" ({event['note']})" if event.get("note") else ""
        return f"{who(event)} exited: {end(event)}{note}"
    by = f" by {event['signal']}" if event.get("signal") else f": {end(event)}"
    return f"{who(event)} stopped{by}"


def _left(event: Event) -> str:
    name, what = who(event), ", ".join(map(str, event.get("left", ())))
    if event.get("ended"):
        return f"{name} left {what} in the background, which is ended with it"
    return (
        f"{name} left {what} outside of its process group: it runs on until "
        f"stop or restart of {name}, or the end of the cluster"
    )


def _candidate(event: Event) -> str:
    if (again := event.get("again", 1)) > 1:
        return f"{who(event)} asked {again} times more whether it could win{in_term(event.get('term'))}"
    stands = "asks whether it could win" if event.get("pre_vote") else "stands for election"
    return f"{who(event)} {stands}{in_term(event.get('term'))}"


def _elected(event: Event) -> str:
    after_s = event.get("after_s") or 0.0
    after = f", after {after_s:.2f} s without a leader" if after_s > UNNOTICED_S else ""
    return f"{who(event)} leads{in_term(event.get('term'))}{after}"


def _split(event: Event) -> str:
    *others, last = event.get("candidates") or ("nobody",)
    stood = f"{', '.join(others)} and {last}"
    return f"split vote{in_term(event.get('term'))}: {stood} stood, and nobody was elected"


_STEPS_DOWN = {
    "quorum": "too few answer it",
    "term": "it heard of a later term",
}


def _lost(event: Event) -> str:
    if (why := _STEPS_DOWN.get(str(event.get("why")))) is not None:
        return f"{who(event)} steps down: {why}{in_term(event.get('term'))}"
    return f"{event.get('seen_by')} lost the leader {who(event)}{in_term(event.get('term'))}"


def fault_words(fault: dict[str, Any]) -> str:
    """A fault as a state: `infra1 is paused`, `infra1 is cut off from infra2, infra3`; and for how much longer."""
    left_s = fault.get("heals_in_s")
    left = "" if left_s is None else f", for another {span(left_s)}"
    return f"{fault_of(fault.get('kind')).state(fault)}{left}"


def _applied(event: Event) -> str:
    fault = fault_of(event.get("fault"))
    return (fault.applied or fault.state)(event)


def _healed(event: Event) -> str:
    fault = fault_of(event.get("fault"))
    return fault.healed(event) if fault.healed else f"{fault.state(event)} no more"


def _alarm(verb: str) -> Callable[[Event], str]:
    return lambda event: (
        f"{event.get('member') or 'a member that etcd does not name'} {verb} the alarm "
        f"{event.get('alarm', '')}".rstrip()
    )


def _ready(event: Event) -> str:
    seconds = event.get("ready_s", event.get("after_s"))
    words = "cluster ready" + (f" in {seconds:.2f} s" if isinstance(seconds, int | float) else "")
    way = event.get("bootstrap", DEFAULT_BOOTSTRAP)
    if way != DEFAULT_BOOTSTRAP:
        words += f", bootstrapped by {way}"
    return "; ".join([*event.get("warnings", ()), words])


def _records_served(event: Event) -> str:
    words = (
        f"{who(event)} serves the {event.get('records')} records of {event.get('domain')} "
        f"at {event.get('address')}"
    )
    commands = event.get("dig") or ()
    return f"{words}: {commands[0]}" if commands else words


def _quorum(text: str) -> Callable[[Event], str]:
    def tell(event: Event) -> str:
        up, voters, needed = (event.get(key) for key in ("up", "voters", "needed"))
        if up is None or voters is None or needed is None:
            return text
        reach = event.get("reach", up)
        cut = up >= needed and reach != up
        there = f"at most {reach} of {voters} reach each other" if cut else f"{up} of {voters} up"
        return f"{text}: {there}, {needed} needed"

    return tell


def left_words(left: dict[str, int]) -> str:
    """What could not be ended: `web (pid 4242), db (pid 4243)`."""
    return ", ".join(f"{name} (pid {pid})" for name, pid in left.items())


def _stopped(event: Event) -> str:
    words = f"cluster stopped: {event['why']}" if event.get("why") else "cluster stopped"
    if left := event.get("left"):
        runs = "runs" if len(left) == 1 else "run"
        words += f", but {left_words(left)} {runs} on: other users' processes"
    lost = event.get("lost_lines")
    return f"{words}; {lines_were(lost)} not kept in the logs" if lost else words


def _plainly(event: Event) -> str:
    passed = ("seq", "ts", "kind", "member", "process")
    fields = " ".join(f"{key}={value}" for key, value in event.items() if key not in passed)
    return f"{who(event)} {event.get('kind')} {fields}".rstrip()


_WORDS: dict[str, str] = {
    Kind.PROCESS_STARTED: "{who} started (pid {pid})",
    Kind.LEADER_TRANSFERRED: "{from} handed leadership to {to}{in_term}",
    Kind.MEMBER_PROMOTED: "{who} was promoted: it votes from now on",
    Kind.MEMBER_MOVED: "{who} is dialled at {peer_url} by its peers from now on",
    Kind.MEMBER_WAITING: "{who} waits: {why}",
    Kind.MEMBER_REMOVED: "{who} was removed from the cluster",
    Kind.MEMBER_UPGRADED: "{who} runs etcd {to} instead of {from}",
    Kind.CLUSTER_VERSION: "the cluster version is {to}; it was {from}",
    Kind.TOKEN_REGISTERED: "discovery token {token} registered for {size} members at {service}",
    Kind.MEMBER_REGISTERED: "{who} registered at the discovery service as {id}, {peer_urls}",
    Kind.DISCOVERY_COMPLETE: "all {size} members have registered: the discovery service has done its work",
    Kind.LINES_LOST: "log lines are not kept any more: {why}, {path}",
}
"""The sentences that say the same of every event of their kind, with its own fields."""

_SENTENCES: dict[str, Callable[[Event], str]] = {
    Kind.PROCESS_READY: lambda event: f"{who(event)} ready after {event.get('after_s', 0):.2f} s",
    Kind.PROCESS_EXITED: _exited,
    Kind.PROCESS_LEFT: _left,
    Kind.PROCESS_RESTARTING: lambda event: (
        f"{who(event)} starts again in {event.get('after_s', 0):.1f} s"
    ),
    Kind.LEADER_LOST: _lost,
    Kind.CANDIDATE: _candidate,
    Kind.LEADER_ELECTED: _elected,
    Kind.SPLIT_VOTE: _split,
    Kind.MEMBER_ADDED: lambda event: (
        f"{who(event)} was added to the cluster{' as a learner' if event.get('learner') else ''}"
    ),
    Kind.FAULT_PLANNED: lambda event: (
        f"in {figures.delay(event.get('in_s', 0))}: {event.get('order')}"
    ),
    Kind.FAULT_DROPPED: lambda event: f"{event.get('order')} is not done: {event.get('why')}",
    Kind.FAULT_APPLIED: _applied,
    Kind.FAULT_PASSED: _applied,
    Kind.FAULT_HEALED: _healed,
    Kind.ALARM_RAISED: _alarm("raised"),
    Kind.ALARM_CLEARED: _alarm("cleared"),
    Kind.RECORDS_SERVED: _records_served,
    Kind.LINES_KEPT: lambda event: (
        f"log lines are kept again; {lines_were(event.get('lost_lines'))} not, until now"
    ),
    Kind.CLUSTER_READY: _ready,
    Kind.QUORUM_LOST: _quorum("quorum lost"),
    Kind.QUORUM_REGAINED: _quorum("quorum regained"),
    Kind.CLUSTER_STOPPED: _stopped,
}
