"""Conditions that the cluster is in a state, however it came there. Pure."""

from __future__ import annotations

from etcd_sandbox.etcd.version import series
from etcd_sandbox.learn.condition import Asks, Condition, breaking, mending, nothing
from etcd_sandbox.learn.record import What
from etcd_sandbox.learn.sentences import leader_words
from etcd_sandbox.learn.view import View, is_whole, members_of
from etcd_sandbox.words.shown import size


def enter(text: str) -> Condition:
    """It is the guide that knows whether it was looked at."""
    return Condition(text=text, met=lambda view: None, foresees=nothing)


def healthy(text: str) -> Condition:
    """The cluster is whole."""

    def met(view: View) -> str | None:
        if not is_whole(view.status, view.record.hanging):
            return None
        quorum = view.status.quorum
        return (
            f"all {len(members_of(view.status))} members are healthy and "
            f"{leader_words(view.status)}"
            if quorum.voters > 1
            else f"{view.status.leader} is healthy"
        )

    return Condition(text=text, met=met, foresees=mending)


def so_many_healthy(text: str, count: str) -> Condition:
    """Exactly so many members are healthy."""

    def met(view: View) -> str | None:
        healthy = [each.name for each in view.status.members if each.healthy]
        if len(healthy) != int(count):
            return None
        return f"{', '.join(healthy)} are healthy, {view.status.leader} leads"

    return Condition(text=text, met=met, foresees=lambda each: breaking(each) or mending(each))


def leader_is(text: str, name: str) -> Condition:
    """This member leads."""

    def met(view: View) -> str | None:
        leads = view.status.leader == name
        return leader_words(view.status) if leads else None

    return Condition(text=text, met=met, foresees=nothing)


def key(text: str, key: str, value: str) -> Condition:
    """A key has this value."""

    def met(view: View) -> str | None:
        found = dict(view.keys.get(key, ()))
        return f"the key {key} is {value!r}" if found.get(key) == value else None

    return Condition(text=text, met=met, foresees=nothing, key=key)


def key_there(text: str, key: str, how: str) -> Condition:
    """A key is there, or gone."""

    def met(view: View) -> str | None:
        if key not in view.keys:
            return None
        there = key in dict(view.keys[key])
        if there is (how == "gone"):
            return None
        return f"the key {key} is {'there' if there else 'gone'}"

    return Condition(text=text, met=met, foresees=nothing, key=key)


def keys(text: str, prefix: str, count: str) -> Condition:
    """So many keys begin with the prefix."""

    def met(view: View) -> str | None:
        if prefix not in view.keys or len(view.keys[prefix]) != int(count):
            return None
        what = "key begins" if count == "1" else "keys begin"
        return f"{count} {what} with {prefix}"

    return Condition(text=text, met=met, foresees=nothing, prefix=prefix)


def no_alarm(text: str) -> Condition:
    """No alarm is up, and every member is healthy."""

    def met(view: View) -> str | None:
        whole = is_whole(view.status, view.record.hanging)
        return "no alarm is up and every member is healthy" if whole else None

    return Condition(text=text, met=met, foresees=mending)


def role(text: str, name: str, role: str) -> Condition:
    """A member says that it has this role."""

    def met(view: View) -> str | None:
        member = view.member(name)
        found = member is not None and member.role is not None and member.role.value == role
        return f"{name} is a {role}" if found else None

    return Condition(text=text, met=met, foresees=nothing)


def members(text: str, count: str) -> Condition:
    """So many members, all healthy."""

    def met(view: View) -> str | None:
        there = members_of(view.status)
        if len(there) != int(count) or not all(each.healthy for each in there):
            return None
        return f"the cluster has {count} members, all healthy"

    return Condition(
        text=text, met=met, foresees=lambda each: each.what in (What.REMOVED, What.STOPPED)
    )


def version(text: str, name: str, series: str) -> Condition:
    """A member is healthy and runs an etcd of this series."""

    def met(view: View) -> str | None:
        member = view.member(name)
        version = member.version if member is not None and member.healthy else None
        if version is None or not f"{version}.".startswith(f"{series}."):
            return None
        return f"{name} runs etcd {version}"

    return Condition(
        text=text,
        met=met,
        foresees=lambda each: each.what in (What.STOPPED, What.UPGRADED) and name in each.who,
    )


def cluster_version(text: str, wanted: str) -> Condition:
    """The members have agreed that all of them are of this series, or a newer one."""

    def met(view: View) -> str | None:
        version = view.known.cluster_version
        return f"the cluster version is {wanted}" if version and series(version) == wanted else None

    return Condition(
        text=text,
        met=met,
        foresees=lambda each: each.what in (What.STOPPED, What.UPGRADED),
        asks=Asks.VERSION,
    )


def nobody_leads(text: str) -> Condition:
    """Members run, and none of them knows a leader."""

    def met(view: View) -> str | None:
        answering = [each for each in view.status.members if each.role is not None]
        if not answering or view.status.leader or any(each.follows for each in answering):
            return None
        names = " and ".join(each.name for each in answering)
        return f"nobody leads: {names} {'know' if len(answering) > 1 else 'knows'} no leader"

    return Condition(text=text, met=met, foresees=breaking)


def shrunk(text: str) -> Condition:
    """The databases are half as large as they were, or less."""

    def met(view: View) -> str | None:
        before, now = (
            sum(each.db_size_bytes or 0 for each in status.members)
            for status in (view.began, view.status)
        )
        answered = all(each.db_size_bytes is not None for each in view.status.members)
        if not answered or now * 2 > before:
            return None
        return f"the databases have shrunk from {size(before)} to {size(now)} together"

    return Condition(text=text, met=met, foresees=nothing)
