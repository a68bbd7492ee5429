"""Conditions that something has happened since the step began. Pure."""

from __future__ import annotations

import statistics

from etcd_sandbox.learn.condition import Condition, breaking, mending, nothing
from etcd_sandbox.learn.record import Happening, What
from etcd_sandbox.learn.sentences import election_words, happening_words, leader_words
from etcd_sandbox.learn.view import View, is_whole
from etcd_sandbox.words.shown import size


def hit(text: str, verb: str, who: str) -> Condition:
    """A member was killed, stopped, paused, resumed or started; `who` says which, or what it was."""
    what = What(verb)

    def is_it(happening: Happening) -> bool:
        if happening.what is not what:
            return False
        match who:
            case "any":
                return True
            case "leader":
                return happening.led
            case "follower":
                return not happening.led
            case name:
                return name in happening.who

    def met(view: View) -> str | None:
        found = next((each for each in view.record.happenings if is_it(each)), None)
        return None if found is None else happening_words(found)

    return Condition(text=text, met=met, foresees=is_it)


def links(text: str, verb: str, names: str | None) -> Condition:
    """A fault on links was made, between these members and others if they are named."""
    what = What(verb)
    wanted = frozenset((names or "").split())

    def is_it(happening: Happening) -> bool:
        sides = (frozenset(happening.who), frozenset(happening.other))
        return happening.what is what and (not wanted or wanted in sides)

    def met(view: View) -> str | None:
        found = next((each for each in view.record.happenings if is_it(each)), None)
        return None if found is None else happening_words(found)

    return Condition(text=text, met=met, foresees=is_it)


def healed(text: str) -> Condition:
    """No fault is left."""

    def met(view: View) -> str | None:
        gone = any(each.what is What.HEALED for each in view.record.happenings)
        clear = not view.status.faults and not view.record.hanging
        return "no fault is left" if clear and (gone or not view.began.faults) else None

    return Condition(text=text, met=met, foresees=lambda each: each.what is What.HEALED)


def leader_elected(text: str) -> Condition:
    """Somebody has come to lead, and still does."""

    def met(view: View) -> str | None:
        elections = view.record.elections
        if not elections or view.status.leader != elections[-1].member:
            return None
        return election_words(elections[-1])

    return Condition(text=text, met=met, foresees=nothing)


def elections(text: str, count: str) -> Condition:
    """So many elections, and the cluster is whole again."""

    def met(view: View) -> str | None:
        found = view.record.elections
        if len(found) < int(count) or not is_whole(view.status, view.record.hanging):
            return None
        gaps = [each.after_s for each in found if each.after_s is not None]
        words = f"{len(found)} elections; {leader_words(view.status)}"
        if not gaps:
            return words
        middle = statistics.median(gaps)
        return f"{words}; {middle:.2f} s without a leader in the median"

    # Whatever it takes to have so many of them.
    return Condition(text=text, met=met, foresees=lambda each: True)


def quorum(text: str, how: str) -> Condition:
    """The quorum was lost, or is there again."""
    lost = how == "lost"
    what = What.QUORUM_LOST if lost else What.QUORUM_REGAINED

    def met(view: View) -> str | None:
        quorum = view.status.quorum
        found = next((e for e in reversed(view.record.happenings) if e.what is what), None)
        if lost:
            return happening_words(found) if found is not None and quorum.ok is False else None
        if not quorum.ok or (found is None and not view.began.quorum.ok):
            return None
        return (
            f"there is a quorum: {quorum.healthy} of {quorum.voters} members are healthy, "
            f"{leader_words(view.status)}"
        )

    return Condition(text=text, met=met, foresees=breaking if lost else mending)


def alarm(text: str, kind: str) -> Condition:
    """An alarm is up."""

    def met(view: View) -> str | None:
        raised = [
            each
            for each in view.record.happenings
            if each.what is What.ALARM_RAISED and each.fields.get("alarm") == kind
        ]
        if not raised:
            return None
        largest = max((each.db_size_bytes or 0 for each in view.status.members), default=0)
        return f"the alarm {kind} is up; the largest database has {size(largest)}"

    def foresees(happening: Happening) -> bool:
        return happening.what is What.ALARM_RAISED and happening.fields.get("alarm") == kind

    return Condition(text=text, met=met, foresees=foresees)


def term_risen(text: str, name: str) -> Condition:
    """A member stands for election in a higher term than there was."""

    def met(view: View) -> str | None:
        stood, before = view.record.stood.get(name), view.began.term or view.began.logs.term
        if stood is None or before is None or stood <= before:
            return None
        return f"{name} stands for election in term {stood}, while the term was {before}"

    return Condition(text=text, met=met, foresees=nothing)
