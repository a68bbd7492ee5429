"""By what the cluster shows that a step was done: a small closed vocabulary. Pure.

Each function gives a clause with real figures once its condition holds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from etcd_sandbox.etcd.version import series as series_of
from etcd_sandbox.learn.condition import (
    MEMBER_NAME,
    RUNS_IN,
    WAYS,
    Asks,
    Foresees,
    breaking,
    condition,
    is_hit,
    is_on_links,
    mending,
    parse_condition,
    taking_down,
    vocabulary,
)
from etcd_sandbox.learn.record import (
    Incident,
    View,
    What,
    leader_words,
    made_of,
    members_of,
    told_by,
)
from etcd_sandbox.model.state import BootstrapStatus, Role
from etcd_sandbox.verbs import VERBS
from etcd_sandbox.words.shown import size

__all__ = ["parse_condition", "vocabulary"]

_MEMBER = rf"({MEMBER_NAME})"

# The cluster is in a state, however it came there.


@condition("enter")
def _enter(view: View) -> str | None:
    return None  # the guide knows whether the learner has looked


@condition("healthy", foresees=mending)
def _healthy(view: View) -> str | None:
    if not view.whole:
        return None
    if view.status.quorum.voters == 1:
        return f"{view.status.leader} is healthy"
    count = len(members_of(view.status))
    return f"all {count} members are healthy and {leader_words(view.status)}"


@condition(r"healthy (\d+)", "healthy N", foresees=lambda each, _: breaking(each) or mending(each))
def _so_many_healthy(view: View, count: str) -> str | None:
    healthy = [each.name for each in view.status.members if each.healthy]
    words = f"{', '.join(healthy)} are healthy, {view.status.leader} leads"
    return words if len(healthy) == int(count) else None


@condition(rf"leader is {_MEMBER}", "leader is MEMBER")
def _leader_is(view: View, name: str) -> str | None:
    return leader_words(view.status) if view.status.leader == name else None


@condition(r"key (\S+) is (.+)", "key K is V", reads="key")
def _key_is(view: View, key: str, value: str) -> str | None:
    found = dict(view.keys.get(key, ()))
    return f"the key {key} is {value!r}" if found.get(key) == value else None


@condition(r"key (\S+) (exists|gone)", "key K exists|gone", reads="key")
def _key_there(view: View, key: str, how: str) -> str | None:
    if key not in view.keys or (key in dict(view.keys[key])) is (how == "gone"):
        return None
    return f"the key {key} is {'gone' if how == 'gone' else 'there'}"


@condition(r"keys (\S+) (\d+)", "keys PREFIX N", reads="prefix")
def _keys(view: View, prefix: str, count: str) -> str | None:
    if prefix not in view.keys or len(view.keys[prefix]) != int(count):
        return None
    what = "key begins" if count == "1" else "keys begin"
    return f"{count} {what} with {prefix}"


@condition("no alarm", foresees=mending)
def _no_alarm(view: View) -> str | None:
    return "no alarm is up and every member is healthy" if view.whole else None


@condition(rf"role {_MEMBER} (leader|follower|candidate|learner)", "role MEMBER ROLE")
def _role(view: View, name: str, role: str) -> str | None:
    member = view.member(name)
    found = member is not None and member.role is not None and member.role.value == role
    return f"{name} is a {role}" if found else None


@condition(
    r"members (\d+)",
    "members N",
    foresees=lambda each, _: each.what in (What.REMOVED, What.STOPPED),
)
def _members(view: View, count: str) -> str | None:
    there = members_of(view.status)
    if len(there) != int(count) or not all(each.healthy for each in there):
        return None
    return f"the cluster has {count} members, all healthy"


def _upgrades(incident: Incident, *_: str) -> bool:
    return incident.what in (What.STOPPED, What.UPGRADED)


@condition(
    rf"version {_MEMBER} (\d+\.\d+(?:\.\d+)?)",
    "version MEMBER SERIES",
    foresees=lambda each, name, _: _upgrades(each) and name in each.who,
)
def _version(view: View, name: str, series: str) -> str | None:
    member = view.member(name)
    version = member.version if member is not None and member.healthy else None
    if version is None or not f"{version}.".startswith(f"{series}."):
        return None
    return f"{name} runs etcd {version}"


@condition(
    r"cluster version (\d+\.\d+)",
    "cluster version SERIES",
    foresees=_upgrades,
    asks=Asks.VERSION,
)
def _cluster_version(view: View, wanted: str) -> str | None:
    version = view.known.cluster_version
    return f"the cluster version is {wanted}" if version and series_of(version) == wanted else None


@condition("nobody leads", foresees=breaking)
def _nobody_leads(view: View) -> str | None:
    answering = [each for each in view.status.members if each.role is not None]
    if not answering or view.status.leader or any(each.follows for each in answering):
        return None
    names = " and ".join(each.name for each in answering)
    return f"nobody leads: {names} {'know' if len(answering) > 1 else 'knows'} no leader"


@condition("database shrunk")
def _shrunk(view: View) -> str | None:
    before, now = (
        sum(each.db_size_bytes or 0 for each in status.members)
        for status in (view.began, view.status)
    )
    answered = all(each.db_size_bytes is not None for each in view.status.members)
    if not answered or now * 2 > before:
        return None
    return f"the databases have shrunk from {size(before)} to {size(now)} together"


# Something has happened since the step began.


@condition(
    rf"(killed|stopped|paused|starved|resumed|started) (leader|follower|any|{MEMBER_NAME})",
    "killed|stopped|paused|starved|resumed|started leader|follower|any|MEMBER",
    foresees=is_hit,
)
def _hit(view: View, verb: str, who: str) -> str | None:
    hits = (each for each in view.record.incidents if is_hit(each, verb, who))
    return next((hit.words for hit in hits), None)


_ON_LINKS = "|".join(verb.past for verb in VERBS.values() if verb.targets.has_sides)


@condition(
    rf"({_ON_LINKS})(?: ({MEMBER_NAME}(?: {MEMBER_NAME})*))?",
    f"{_ON_LINKS} [MEMBER…]",
    foresees=is_on_links,
)
def _links(view: View, verb: str, names: str | None) -> str | None:
    faults = (each for each in view.record.incidents if is_on_links(each, verb, names))
    return next((fault.words for fault in faults), None)


def _heals(incident: Incident) -> bool:
    return incident.what is What.HEALED


@condition("healed", foresees=_heals)
def _healed(view: View) -> str | None:
    clear = not view.status.faults and not view.record.hanging
    gone = any(map(_heals, view.record.incidents)) or not view.began.faults
    return "no fault is left" if clear and gone else None


@condition("leader elected")
def _leader_elected(view: View) -> str | None:
    elections = view.record.elections
    if not elections or view.status.leader != elections[-1].member:
        return None
    return elections[-1].words


# Whatever it takes to have so many elections.
@condition(r"elections (\d+)", "elections N", foresees=lambda *_: True)
def _elections(view: View, count: str) -> str | None:
    elections = view.record.elections
    if len(elections) < int(count) or not view.whole:
        return None
    gaps = [each.after_s for each in elections if each.after_s is not None]
    words = f"{len(elections)} elections; {leader_words(view.status)}"
    if not gaps:
        return words
    return f"{words}; {statistics.median(gaps):.2f} s without a leader in the median"


@condition(
    r"quorum (lost|regained)",
    "quorum lost|regained",
    foresees=lambda each, how: breaking(each) if how == "lost" else mending(each),
)
def _quorum(view: View, how: str) -> str | None:
    quorum, what = view.status.quorum, What(f"quorum {how}")
    found = next((e for e in reversed(view.record.incidents) if e.what is what), None)
    if what is What.QUORUM_LOST:
        return found.words if found is not None and quorum.ok is False else None
    if not quorum.ok or (found is None and not view.began.quorum.ok):
        return None
    return (
        f"there is a quorum: {quorum.healthy} of {quorum.voters} members are healthy, "
        f"{leader_words(view.status)}"
    )


def _raises(incident: Incident, kind: str) -> bool:
    return incident.what is What.ALARM_RAISED and incident.fields.get("alarm") == kind


@condition(r"alarm ([A-Z]+)", "alarm KIND", foresees=_raises)
def _alarm(view: View, kind: str) -> str | None:
    if not any(_raises(each, kind) for each in view.record.incidents):
        return None
    largest = max((each.db_size_bytes or 0 for each in view.status.members), default=0)
    return f"the alarm {kind} is up; the largest database has {size(largest)}"


@condition(rf"term risen {_MEMBER}", "term risen MEMBER")
def _term_risen(view: View, name: str) -> str | None:
    stood, before = view.record.stood.get(name), view.began.term or view.began.logs.term
    if stood is None or before is None or stood <= before:
        return None
    return f"{name} stands for election in term {stood}, while the term was {before}"


# Who is a member, by etcd's own list and the members' IDs.


def _joins(incident: Incident, name: str) -> bool:
    return incident.what is What.ADDED and name in incident.who


def _goes(incident: Incident, name: str) -> bool:
    ends = (What.REMOVED, What.STOPPED, What.ENDED)  # the process of a removed member ends, too
    return incident.what in ends and name in incident.who


@condition(
    rf"voter {_MEMBER}",
    "voter MEMBER",
    foresees=lambda each, name: _joins(each, name) and not each.fields.get("learner"),
    asks=Asks.MEMBERS,
)
def _voter(view: View, name: str) -> str | None:
    member = view.member(name)
    if member is None or not member.healthy or member.role in (None, Role.LEARNER):
        return None
    voters = [peer.id for peer in view.known.listed or () if not peer.is_learner]
    if member.id not in voters:
        return None
    quorum = len(voters) // 2 + 1
    return f"{name} has a vote: there are {len(voters)} now, and {quorum} are a quorum"


@condition(
    rf"learner {_MEMBER}",
    "learner MEMBER",
    foresees=lambda each, name: _joins(each, name) and bool(each.fields.get("learner")),
)
def _learner(view: View, name: str) -> str | None:
    member = view.member(name)
    there = member is not None and member.healthy and member.role is Role.LEARNER
    return f"{name} is a learner, and is healthy" if there else None


@condition(rf"removed {_MEMBER}", "removed MEMBER", foresees=_goes, asks=Asks.MEMBERS)
def _removed(view: View, name: str) -> str | None:
    listed = view.known.listed
    if not listed or name in [peer.name for peer in listed]:
        return None
    member = view.member(name)
    if member is not None and member.state.alive:
        return None
    voters = sum(not peer.is_learner for peer in listed)
    return f"{name} is no member any more: {voters} have a vote, {voters // 2 + 1} are a quorum"


@condition(
    rf"replaced {_MEMBER}",
    "replaced MEMBER",
    foresees=lambda each, name: _goes(each, name) or _joins(each, name),
)
def _replaced(view: View, name: str) -> str | None:
    """A healthy voter has this name, and another ID than the member that had it before."""
    member = view.member(name)
    before = next((each.id for each in view.began.members if each.name == name), None)
    if member is None or not member.healthy or member.role in (None, Role.LEARNER):
        return None
    if member.id is None or member.id == before:
        return None
    return f"{name} is a new member: its ID is {member.id}, and was {before}"


@condition(r"never started (\d+)", "never started N", asks=Asks.MEMBERS)
def _never_started(view: View, count: str) -> str | None:
    listed = view.known.listed
    if listed is None or sum(not peer.name for peer in listed) != int(count):
        return None
    voters = sum(not peer.is_learner for peer in listed)
    who = f"{count} of them was never started" if int(count) else "all of them were started"
    return f"{voters} members have a vote, {voters // 2 + 1} are a quorum, and {who}"


@condition(
    "new cluster",
    foresees=lambda each: taking_down(each) or each.what in (What.KILLED, What.BROUGHT_UP),
)
def _new_cluster(view: View) -> str | None:
    before = {each.id for each in view.began.members}
    there = view.status.members
    if not there or any(each.id is None or each.id in before for each in there):
        return None
    return f"it is another cluster: {there[0].name} has the ID {there[0].id} now"


# How the cluster was brought up: it goes down for that, and comes up again.


def _is_by(how: BootstrapStatus, way: str) -> bool:
    return how.way.value == way


def _is_in(how: BootstrapStatus, what: str) -> bool:
    return how.runtime.kind == what


def _coming_up(fits: Callable[..., bool]) -> Foresees:
    """Foresees a cluster that is taken down, and comes up as it `fits`."""
    return lambda incident, *words: (
        taking_down(incident) if incident.bootstrap is None else fits(incident.bootstrap, *words)
    )


def _up(view: View, clause: str, met: bool) -> str | None:
    if not met or not view.whole:
        return None
    return f"{clause}, and all {len(view.status.members)} members are healthy"


@condition("brought up", foresees=_coming_up(lambda how: True))
def _brought_up(view: View) -> str | None:
    again = any(each.what is What.BROUGHT_UP for each in view.record.incidents)
    return _up(view, "the cluster was brought up again", again)


@condition(rf"bootstrapped ({WAYS})", f"bootstrapped {WAYS}", foresees=_coming_up(_is_by))
def _bootstrapped(view: View, way: str) -> str | None:
    how = view.status.bootstrap
    return _up(view, told_by(how), _is_by(how, way))


@condition(rf"runs in ({RUNS_IN})", f"runs in {RUNS_IN}", foresees=_coming_up(_is_in))
def _runs_in(view: View, what: str) -> str | None:
    how = view.status.bootstrap
    return _up(view, made_of(how), _is_in(how, what))
