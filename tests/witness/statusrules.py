"""What an answer to `status` says against what the witness saw. Pure; each rule is a function with a name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.witness.claims import Contradiction, Healthy, Status
from tests.witness.history import History, Span
from tests.witness.observed import Entry, Pulse

Found = Iterable[tuple[str, str]]
"""What was said and what was seen instead."""

Body = Mapping[str, Any]

Rule = Callable[[Body, Span, History], Found]

UNKNOWN = re.compile(r"in time|not known|wants a user|refuses to tell|does not serve clients yet")
"""Words by which the product says that it does not know."""

REMOVED = "removed"


def leader(body: Body, span: Span, history: History) -> Found:
    """`leader` leads, or says that it does, in a term that is its own."""
    name = body["leader"]
    if name is None:
        return
    claims = [member for member in body["members"] if member["name"] == name]
    term = claims[0]["term"] if claims else None
    if not history.may_lead(name, term, span):
        yield f"leader {name} (term {term})", f"{_leading(history, span)}"
    elif not history.may_live(name, span):
        yield f"leader {name}", f"{name} {_pulse(history, name, span)}"


def newest_leader(body: Body, span: Span, history: History) -> Found:
    """Of two that claim to lead, `leader` is not one of an earlier term than one who was obeyed."""
    reign = history.led_throughout(span)
    name, term = body["leader"], body["term"]
    if name is None or reign is None or reign.member == name:
        return
    if history.answers_well(reign.member, span) and (term or 0) < reign.term:
        yield (
            f"leader {name} (term {term})",
            f"{reign.member} led in term {reign.term}, reads were served",
        )


def no_leader(body: Body, span: Span, history: History) -> Found:
    """Nobody leads: not while somebody did and reads were served."""
    reign = history.led_throughout(span)
    if body["leader"] is None and body["members"] and reign and not _owns_up(body):
        yield (
            f"no leader ({_told(body)})",
            f"{reign.member} led in term {reign.term}, reads were served all the time",
        )


def quorum_lost(body: Body, span: Span, history: History) -> Found:
    """There is no quorum: not while reads were served."""
    quorum = body["quorum"]
    if body["members"] and not quorum["ok"] and history.led_throughout(span) and not _owns_up(body):
        yield (
            f"no quorum, {quorum['healthy']} of {quorum['voters']}",
            "reads were served all the time",
        )


def quorum_there(body: Body, span: Span, history: History) -> Found:
    """There is a quorum: not while too few members ran, by the process table and etcd's own list."""
    lists = history.lists_in(span)
    if not body["quorum"]["ok"] or not lists:
        return
    enough = any(
        sum(history.may_live(entry.name, span) for entry in voters if entry.name) > len(voters) // 2
        for voters in (_voters(listed) for listed in lists)
    )
    if not enough:
        alive = sorted(
            entry.name
            for entry in _voters(lists[-1])
            if entry.name and history.may_live(entry.name, span)
        )
        yield (
            "a quorum",
            f"of {len(_voters(lists[-1]))} voters only {', '.join(alive) or 'none'} ran",
        )


def voters(body: Body, span: Span, history: History) -> Found:
    """As many voters as etcd's own member list has, and as many needed as that takes."""
    quorum = body["quorum"]
    lists = history.lists_in(span)
    if not lists:
        return
    counts = {len(_voters(listed)) for listed in lists}
    if quorum["voters"] not in counts:
        yield f"{quorum['voters']} voters", f"{_numbers(counts)} on etcd's list"
    if quorum["needed"] != quorum["voters"] // 2 + 1:
        yield f"{quorum['needed']} of {quorum['voters']} needed", "a majority is more or fewer"


def healthy_count(body: Body, span: Span, history: History) -> Found:
    """`healthy` voters: no more than could be, no fewer than answered at once with a leader."""
    lists = history.lists_in(span)
    if not lists or not body["members"]:
        return
    names = {entry.name for listed in lists for entry in _voters(listed) if entry.name}
    sure = {entry.name for entry in frozenset.intersection(*lists) if not entry.learner}
    said = body["quorum"]["healthy"]
    most = sum(_may_be_healthy(history, name, span) for name in names)
    well = sorted(name for name in names & sure if history.answers_well(name, span))
    vague = {member["name"] for member in body["members"] if _is_vague(member)}
    if said > most:
        yield f"{said} healthy", f"at most {most} that answered with a leader"
    if said < len(set(well) - vague):
        yield f"{said} healthy", f"{', '.join(well)} answered at once, with a leader"


def member_health(body: Body, span: Span, history: History) -> Found:
    """A member that is healthy answers with a leader; one that is not does not."""
    for member in _present(body):
        name = member["name"]
        if member["healthy"] and not _may_be_healthy(history, name, span):
            yield f"{name} healthy", f"{name} {_answers(history, name, span)}"
        ill = not member["healthy"] and not _is_vague(member)
        if ill and history.answers_well(name, span) and not _may_have_alarm(history, span):
            yield f"{name} unhealthy", f"{name} answered at once, with a leader"


def member_state(body: Body, span: Span, history: History) -> Found:
    """Each member's process is what the process table says: it runs, is stopped, has ended."""
    for member in body["members"]:
        name, state = member["name"], member["state"]
        pulses = history.pulses_of(name, span)
        if not pulses:
            continue
        found = {seen.pulse for seen in pulses}
        fits = {
            "running": Pulse.ALIVE,
            "paused": Pulse.STOPPED,
            "exited": Pulse.ENDED,
            "stopped": Pulse.ENDED,
            "failed": Pulse.ENDED,
            REMOVED: Pulse.ENDED,
        }.get(state)
        if fits is not None and fits not in found:
            yield f"{name} {state}", f"{name} {_pulse(history, name, span)}"
        pids = {seen.pid for seen in pulses}
        if state in ("running", "paused") and member["pid"] not in pids:
            yield f"{name} with pid {member['pid']}", f"pids {pids}"


def member_role(body: Body, span: Span, history: History) -> Found:
    """A member's role and whom it follows are what it said of itself at some moment."""
    for member in _present(body):
        name, role = member["name"], member["role"]
        samples = history.answers_of(name, span)
        answers = [
            each.value for each in samples if each.value is not None and not each.value.refused
        ]
        if role is None or role == "proxy" or not samples or len(answers) < len(samples):
            continue
        roles = {_role(answer.learner, answer.leader, answer.leads) for answer in answers}
        roles |= {"leader"} if history.may_lead(name, None, span) else set()
        if role not in roles and not history.wavers(name, span):
            yield f"{name} is {role}", f"{name} said {', '.join(sorted(roles))}"
        names = {history_name(history, answer.leader) for answer in answers} | {None}
        follows = member.get("follows")
        if follows not in names and not any(sign.member == name for sign in _signs(history, span)):
            yield f"{name} follows {follows}", f"{name} follows {names - {None}}"


def member_term(body: Body, span: Span, history: History) -> Found:
    """A member's term is one in which it was."""
    for member in _present(body):
        term, terms = member["term"], history.terms_of(member["name"], span)
        if term is not None and terms and term not in terms:
            yield f"{member['name']} in term {term}", f"{member['name']} in {_numbers(terms)}"


def member_revision(body: Body, span: Span, history: History) -> Found:
    """A member's revision lies between what it had before and what it had after."""
    for member in _present(body):
        name, revision = member["name"], member["revision"]
        samples = history.answers.get(name, [])
        known = [each for each in samples if each.value is not None and not each.value.refused]
        before = [
            each.value.revision for each in known if each.value and each.received < span.begin
        ]
        after = [each.value.revision for each in known if each.value and each.sent > span.end]
        if revision is None or not before or not after or before[-1] > after[0]:
            continue
        if not before[-1] <= revision <= after[0]:
            yield f"{name} at revision {revision}", f"{name} from {before[-1]} to {after[0]}"


def member_list(body: Body, span: Span, history: History) -> Found:
    """Who is a member: everyone on etcd's own list, and nobody else."""
    lists = history.lists_in(span)
    if not lists or not body["members"]:
        return
    told = {member["id"] for member in _present(body)}
    told |= {entry["id"] for entry in body.get("elsewhere", ())}
    always = frozenset.intersection(*(frozenset(e.id for e in listed) for listed in lists))
    ever = frozenset(entry.id for listed in lists for entry in listed)
    named = {entry.id: entry.name for listed in lists for entry in listed}
    for missing in sorted(always - told):
        yield "nothing of it", f"{named[missing] or missing} on etcd's member list"
    for member in _present(body):
        if member["id"] is not None and member["id"] not in ever and member["role"] is not None:
            yield (
                f"{member['name']} ({member['id']}) is a member",
                "it is not on etcd's member list",
            )


def alarms(body: Body, span: Span, history: History) -> Found:
    """The alarms that are told are up, and those that are up are told."""
    told = _everyones(history, span)
    if not told:
        return
    ever, always = set(frozenset.union(*told)), set(frozenset.intersection(*told))
    said = {_word(alarm) for alarm in body.get("alarms") or ()}
    for member in body["members"]:
        said |= {_word(alarm) for alarm in member.get("alarms") or ()}
    if said - ever:
        yield f"alarms {sorted(said)}", f"{sorted(ever) or 'none'} up"
    answered = any(
        member["role"] is not None and not member.get("why") for member in body["members"]
    )
    if always - said and answered:
        yield f"alarms {sorted(said) or 'none'}", f"{sorted(always)} up all the time"


def elsewhere(body: Body, span: Span, history: History) -> Found:
    """Who is on etcd's list and no process here is on that list."""
    lists = history.lists_in(span)
    ever = {entry.id for listed in lists for entry in listed}
    for entry in body.get("elsewhere", ()):
        if lists and entry["id"] not in ever:
            yield f"{entry['id']} is on etcd's list", "it is not"
        if entry["answers"] and not entry["started"]:
            yield f"{entry['id']} answers", "it never started"


RULES: tuple[Rule, ...] = (
    leader,
    newest_leader,
    no_leader,
    quorum_lost,
    quorum_there,
    voters,
    healthy_count,
    member_health,
    member_state,
    member_role,
    member_term,
    member_revision,
    member_list,
    alarms,
    elsewhere,
)


def contradictions(claim: Status | Healthy, history: History) -> Iterable[Contradiction]:
    """What an answer to `status` says and the witness saw otherwise."""
    if claim.body is None:
        return
    for rule in RULES:
        for said, seen in rule(claim.body, claim.told, history):
            yield Contradiction(f"status.{rule.__name__}", said, seen, claim.span.end)


def history_name(history: History, member_id: str | None) -> str | None:
    """The name of the member with this ID on any list."""
    if member_id is None:
        return None
    return next(
        (
            entry.name
            for sample in reversed(history.lists)
            for entry in sample.value
            if entry.id == member_id
        ),
        member_id,
    )


def _present(body: Body) -> list[Mapping[str, Any]]:
    return [member for member in body["members"] if member["state"] != REMOVED]


def _voters(listed: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in listed if not entry.learner]


def _told(body: Body) -> str:
    """What is said of each member, for whoever looks for the cause."""
    return ", ".join(
        f"{member['name']} {member['state']} {member['role']} of {member.get('follows')}"
        for member in body["members"]
    )


def _owns_up(body: Body) -> bool:
    """It says of itself that it does not know."""
    late = bool(body["quorum"].get("late"))
    return late or any(_is_vague(member) for member in body["members"])


def _is_vague(member: Body) -> bool:
    """It says that this member's answer did not come, or told nothing."""
    return bool(UNKNOWN.search(str(member.get("why") or "")))


def _may_be_healthy(history: History, name: str, span: Span) -> bool:
    """It told of a leader, or refused to tell; or it lived, and did not answer the witness in time."""
    samples = history.answers_of(name, span)
    return not samples or any(
        history.may_live(name, span)
        if sample.value is None
        else sample.value.refused or sample.value.leader is not None
        for sample in samples
    )


def _may_have_alarm(history: History, span: Span) -> bool:
    return any(_everyones(history, span))


def _everyones(history: History, span: Span) -> list[frozenset[str]]:
    """What alarms the members that answered told of, at every look."""
    return [
        sample.value.alarms
        for name in history.answers
        for sample in history.answers_of(name, span)
        if sample.value is not None and not sample.value.refused
    ]


def _signs(history: History, span: Span) -> list[Any]:
    return [sign for sign in history.signs if span.begin <= sign.ts <= span.end]


def _role(learner: bool, leader: str | None, leads: bool) -> str:
    if learner:
        return "learner"
    if leader is None:
        return "candidate"
    return "leader" if leads else "follower"


def _word(alarm: object) -> str:
    return str(alarm.get("alarm") if isinstance(alarm, Mapping) else alarm)


def _leading(history: History, span: Span) -> str:
    reigns = [
        f"{each.member} (term {each.term})" for each in history.reigns if each.span.meets(span)
    ]
    return f"{', '.join(reigns) or 'nobody'} leading"


def _pulse(history: History, name: str, span: Span) -> str:
    found = [f"{seen.pulse} (pid {seen.pid})" for seen in history.pulses_of(name, span)]
    return ", then ".join(dict.fromkeys(found)) or "unseen"


def _answers(history: History, name: str, span: Span) -> str:
    if all(sample.value is None for sample in history.answers_of(name, span)):
        return f"silent; its process {_pulse(history, name, span)}"
    return "without a leader"


def _numbers(found: Iterable[int]) -> str:
    return " or ".join(str(each) for each in sorted(found)) or "none"
