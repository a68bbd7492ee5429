"""What the events say against what the witness saw. Pure; each rule is a function with a name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tests.witness.claims import Contradiction, Event
from tests.witness.history import History, Span
from tests.witness.observed import Entry, LogSign, Pulse, SignKind
from tests.witness.statusrules import Found

Rule = Callable[[Event, History], Found]

LINE_READ_S = 1.0
"""A log line is an event within this time, also on a busy machine."""

LOOKED_S = 3.0
"""A lost quorum is told when members that have 2 s for their answers gave none, asked once a second."""

LISTED_S = 2.0


def elected(event: Event, history: History) -> Found:
    """Whoever is told to lead wrote into its log that it became leader in that term, just then."""
    if event.kind != "raft.leader_elected":
        return
    term = event.body.get("term")
    signs = [sign for sign in history.signs if sign.kind is SignKind.BECAME_LEADER]
    if not any(sign.member == event.member and sign.term == term for sign in signs):
        yield f"{event.member} leads (term {term})", _became(signs, event)
    elif not any(
        sign.term == term and abs(sign.ts - event.ts) <= LINE_READ_S + _slack(event, history)
        for sign in signs
    ):
        yield f"{event.member} leads (term {term}) at {event.ts:.2f}", _became(signs, event)


def lost(event: Event, history: History) -> Found:
    """A leader that is told to be lost had ended, was stopped, or was not obeyed for a moment."""
    if event.kind != "raft.leader_lost":
        return
    span = event.around(LINE_READ_S, 0.2)
    reign = history.led_throughout(span)
    if reign is not None and reign.member == event.member:
        yield f"the leader {event.member} is lost", f"{event.member} led on, reads were served"


def candidate(event: Event, history: History) -> Found:
    """Whoever is told to stand wrote so into its log."""
    if event.kind != "raft.candidate":
        return
    kind = SignKind.PRE_CANDIDATE if event.body.get("pre_vote") else SignKind.CANDIDATE
    term = event.body.get("term")
    if not any(
        sign.member == event.member and sign.kind is kind and sign.term == term
        for sign in history.signs
    ):
        yield f"{event.member} is {kind} (term {term})", "no such line in its log"


def started(event: Event, history: History) -> Found:
    """A process that is told to have started was made then, with that pid."""
    if event.kind != "process.started" or not event.member:
        return
    pid = event.body.get("pid")
    seen = [
        sample.value
        for sample in history.pulses.get(event.member, [])
        if sample.value.pid == pid and sample.value.created is not None
    ]
    if not seen:
        return
    created = seen[0].created or 0.0
    if abs(created - event.ts) > 0.5:
        yield f"{event.member} started at {event.ts:.2f} (pid {pid})", f"made at {created:.2f}"


def exited(event: Event, history: History) -> Found:
    """A process that is told to have ended has ended."""
    if event.kind != "process.exited" or not event.member:
        return
    pid = event.body.get("pid")
    pulses = history.pulses_of(event.member, event.around(0.0, 0.3))
    alive = [seen for seen in pulses if seen.pulse is not Pulse.ENDED]
    if (
        pulses
        and len(alive) == len(pulses)
        and pid is not None
        and all(s.pid == pid for s in alive)
    ):
        yield f"{event.member} exited (pid {pid})", "it ran on"


def quorum_lost(event: Event, history: History) -> Found:
    """A quorum that is told to be lost served no reads at some moment since it was looked for."""
    if event.kind != "cluster.quorum_lost":
        return
    if history.led_throughout(event.around(LOOKED_S, 0.0)):
        yield f"quorum lost: {_figures(event)}", "reads served all the time"


def quorum_regained(event: Event, history: History) -> Found:
    """A quorum that is told to be back has as many members that run."""
    if event.kind != "cluster.quorum_regained":
        return
    span = event.around(0.5, 0.0)
    lists = history.lists_in(span)
    if lists and not any(_may_be_quorum(listed, span, history) for listed in lists):
        yield f"quorum regained: {_figures(event)}", "too few members that ran"


def quorum_voters(event: Event, history: History) -> Found:
    """Events count voters by etcd's own member list."""
    said = event.body.get("voters")
    if event.kind not in ("cluster.quorum_lost", "cluster.quorum_regained") or said is None:
        return
    counts = {
        sum(not entry.learner for entry in listed)
        for listed in history.lists_in(event.around(LOOKED_S, 0.0))
    }
    if counts and said not in counts:
        yield f"{said} voters", f"{sorted(counts)} on etcd's list"


def alarm(event: Event, history: History) -> Found:
    """An alarm that is told of is up, or is not any more."""
    if event.kind not in ("alarm.raised", "alarm.cleared"):
        return
    kind, span = str(event.body.get("alarm")), event.around(1.5, 0.3)
    told = [
        sample.value.alarms
        for name in history.answers
        for sample in history.answers_of(name, span)
        if sample.value is not None and not sample.value.refused
    ]
    if event.kind == "alarm.raised" and told and not any(kind in up for up in told):
        yield f"alarm {kind} raised", "no member that tells of it"
    if event.kind == "alarm.cleared" and told and all(kind in up for up in told):
        yield f"alarm {kind} cleared", "every member tells of it"


def membership(event: Event, history: History) -> Found:
    """Whoever was added is on etcd's list, whoever was removed is not, whoever was promoted votes."""
    if event.kind not in ("member.added", "member.removed", "member.promoted"):
        return
    lists = history.lists_in(event.around(0.5, LISTED_S))
    entries = [entry for listed in lists for entry in listed if entry.name == event.member]
    with_it = [any(entry.name == event.member for entry in listed) for listed in lists]
    if event.kind == "member.added" and lists and not any(with_it):
        # A member has a name on the list when it has started; its ID is there before.
        later = history.lists_in(event.around(0.5, 15.0))
        known = (event.member, event.body.get("id"))
        if later and not any(
            entry.name == known[0] or entry.id == known[1] for listed in later for entry in listed
        ):
            yield f"{event.member} was added", "not on etcd's list"
    if event.kind == "member.removed" and lists and all(with_it):
        yield f"{event.member} was removed", "on etcd's list all the time"
    if event.kind == "member.promoted" and entries and all(entry.learner for entry in entries):
        yield f"{event.member} votes", "a learner on etcd's list"


def fault(event: Event, history: History) -> Found:
    """A member that is told to be paused is stopped in the process table."""
    if event.kind != "fault.applied" or event.body.get("fault") != "pause" or not event.member:
        return
    pulses = history.pulses_of(event.member, event.around(0.3, 0.3))
    if pulses and not any(seen.pulse is Pulse.STOPPED for seen in pulses):
        yield f"{event.member} paused", f"it {pulses[-1].pulse}"


RULES: tuple[Rule, ...] = (
    elected,
    lost,
    candidate,
    started,
    exited,
    quorum_lost,
    quorum_regained,
    quorum_voters,
    alarm,
    membership,
    fault,
)


def contradictions(
    events: Sequence[Event], history: History, span: Span
) -> Iterable[Contradiction]:
    """What the events of the span say and the witness saw otherwise, and what they leave out."""
    for event in events:
        for rule in RULES:
            for said, seen in rule(event, history):
                yield Contradiction(f"event.{rule.__name__}", said, seen, event.ts)
    yield from _left_out(events, history, span)
    yield from _out_of_order(events)


def _left_out(events: Sequence[Event], history: History, span: Span) -> Iterable[Contradiction]:
    """Every election and every candidacy in the logs is told, once."""
    for kind, wanted, rule in (
        (SignKind.BECAME_LEADER, "raft.leader_elected", "every_election"),
        (SignKind.CANDIDATE, "raft.candidate", "every_candidacy"),
        (SignKind.PRE_CANDIDATE, "raft.candidate", "every_candidacy"),
    ):
        for sign in history.signs:
            if sign.kind is not kind or not span.begin <= sign.ts <= span.end - LINE_READ_S:
                continue
            told = [event for event in events if event.kind == wanted and _tells(event, sign)]
            if not told:
                seen = f"'became {kind}' in the log of {sign.member} (term {sign.term})"
                yield Contradiction(f"event.{rule}", "nothing", seen, sign.ts)
            elif len(told) > 1 and kind is SignKind.BECAME_LEADER:
                yield Contradiction(f"event.{rule}", f"it {len(told)} times", "it once", sign.ts)


def _out_of_order(events: Sequence[Event]) -> Iterable[Contradiction]:
    """Who wins an election is told after it stood in it."""
    won: dict[tuple[str, object], Event] = {}
    for event in sorted(events, key=lambda each: int(each.body["seq"])):
        key = (event.member, event.body.get("term"))
        if event.kind == "raft.leader_elected":
            won[key] = event
        elif event.kind == "raft.candidate" and not event.body.get("pre_vote") and key in won:
            said = f"{event.member} stands after it has won (term {key[1]})"
            yield Contradiction("event.order", said, "the lines in that order", event.ts)


def _tells(event: Event, sign: LogSign) -> bool:
    pre_vote = bool(event.body.get("pre_vote"))
    return (
        event.member == sign.member
        and event.body.get("term") == sign.term
        and pre_vote == (sign.kind is SignKind.PRE_CANDIDATE)
    )


def _may_be_quorum(listed: Iterable[Entry], span: Span, history: History) -> bool:
    voters = [entry for entry in listed if not entry.learner]
    alive = sum(bool(entry.name) and history.may_live(entry.name, span) for entry in voters)
    return alive > len(voters) // 2


def _became(signs: Iterable[LogSign], event: Event) -> str:
    near = [
        f"{s.member} in term {s.term} at {s.ts:.2f}" for s in signs if abs(s.ts - event.ts) < 10
    ]
    return f"in the logs: {', '.join(near) or 'nobody'}"


def _figures(event: Event) -> str:
    return ", ".join(f"{key} {event.body.get(key)}" for key in ("up", "voters", "needed", "reach"))


def _slack(event: Event, history: History) -> float:
    return history.lateness_s(event.around(1.0, 1.0))
