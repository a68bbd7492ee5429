"""Conditions on who is a member, by etcd's own list and the members' IDs. Pure."""

from __future__ import annotations

from etcd_sandbox.learn.condition import Asks, Condition, Foresees, nothing, taking_down
from etcd_sandbox.learn.record import Happening, What
from etcd_sandbox.learn.view import View
from etcd_sandbox.model.state import Role

_GOING = (What.REMOVED, What.STOPPED, What.ENDED)
"""What becomes of a member that is taken out: its process ends, too."""


def learner(text: str, name: str) -> Condition:
    """This member is on the list without a vote, and runs."""

    def met(view: View) -> str | None:
        member = view.member(name)
        there = member is not None and member.healthy and member.role is Role.LEARNER
        return f"{name} is a learner, and is healthy" if there else None

    return Condition(text=text, met=met, foresees=_coming(name, learner=True))


def voter(text: str, name: str) -> Condition:
    """This member is on the list with a vote, and is healthy."""

    def met(view: View) -> str | None:
        member = view.member(name)
        if member is None or not member.healthy or member.role in (None, Role.LEARNER):
            return None
        listed = view.known.listed or ()
        voters = [peer for peer in listed if not peer.is_learner]
        if member.id not in [peer.id for peer in voters]:
            return None
        return f"{name} has a vote: there are {len(voters)} now, and {len(voters) // 2 + 1} are a quorum"

    return Condition(text=text, met=met, foresees=_coming(name, learner=False), asks=Asks.MEMBERS)


def removed(text: str, name: str) -> Condition:
    """This member is on the list no more."""

    def met(view: View) -> str | None:
        listed = view.known.listed
        if not listed or name in [peer.name for peer in listed]:
            return None
        member = view.member(name)
        if member is not None and member.state.alive:
            return None
        voters = sum(not peer.is_learner for peer in listed)
        return f"{name} is no member any more: {voters} have a vote, {voters // 2 + 1} are a quorum"

    return Condition(
        text=text,
        met=met,
        foresees=lambda each: each.what in _GOING and name in each.who,
        asks=Asks.MEMBERS,
    )


def replaced(text: str, name: str) -> Condition:
    """A member of this name has a vote and is healthy, and it is not the one that was there before."""

    def met(view: View) -> str | None:
        member = view.member(name)
        before = next((each.id for each in view.began.members if each.name == name), None)
        if member is None or not member.healthy or member.role in (None, Role.LEARNER):
            return None
        if member.id is None or member.id == before:
            return None
        return f"{name} is a new member: its ID is {member.id}, and was {before}"

    def foresees(happening: Happening) -> bool:
        return happening.what in (*_GOING, What.ADDED) and name in happening.who

    return Condition(text=text, met=met, foresees=foresees)


def never_started(text: str, count: str) -> Condition:
    """So many members are on the list that have never been there."""

    def met(view: View) -> str | None:
        listed = view.known.listed
        if listed is None or sum(not peer.name for peer in listed) != int(count):
            return None
        voters = sum(not peer.is_learner for peer in listed)
        who = f"{count} of them was never started" if int(count) else "all of them were started"
        return f"{voters} members have a vote, {voters // 2 + 1} are a quorum, and {who}"

    return Condition(text=text, met=met, foresees=nothing, asks=Asks.MEMBERS)


def new_cluster(text: str) -> Condition:
    """All members have other IDs than when the step began: it is another cluster, of the same names."""

    def met(view: View) -> str | None:
        before = {each.id for each in view.began.members}
        there = view.status.members
        if not there or any(each.id is None or each.id in before for each in there):
            return None
        first = there[0]
        return f"it is another cluster: {first.name} has the ID {first.id} now"

    return Condition(
        text=text,
        met=met,
        foresees=lambda each: taking_down(each) or each.what in (What.KILLED, What.BROUGHT_UP),
    )


def _coming(name: str, *, learner: bool) -> Foresees:
    def foresees(happening: Happening) -> bool:
        same = bool(happening.fields.get("learner")) is learner
        return happening.what is What.ADDED and name in happening.who and same

    return foresees
