"""By what the cluster shows that a step was done: a small closed vocabulary. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from etcd_sandbox.learn import eventconditions as event
from etcd_sandbox.learn import memberconditions as members
from etcd_sandbox.learn import stateconditions as state
from etcd_sandbox.learn import wayconditions as way
from etcd_sandbox.learn.condition import MEMBER_NAME, RUNS_IN, WAYS, Condition


def parse_condition(text: str) -> Condition:
    """The condition that these words mean. Raises ValueError, whose text says what may stand there."""
    words = " ".join(text.split())
    for pattern, _, make in _VOCABULARY:
        if found := re.fullmatch(pattern, words):
            return make(words, *found.groups())
    raise ValueError(f"unknown condition {words!r}")


def vocabulary() -> list[str]:
    """How each condition is written."""
    return [shown for _, shown, _ in _VOCABULARY]


_WHO = rf"(leader|follower|any|{MEMBER_NAME})"

_VOCABULARY: tuple[tuple[str, str, Callable[..., Condition]], ...] = (
    (r"enter", "enter", state.enter),
    (r"healthy", "healthy", state.healthy),
    (r"healthy (\d+)", "healthy N", state.so_many_healthy),
    (
        rf"(killed|stopped|paused|resumed|started) {_WHO}",
        "killed|stopped|paused|resumed|started leader|follower|any|MEMBER",
        event.hit,
    ),
    (r"leader elected", "leader elected", event.leader_elected),
    (rf"leader is ({MEMBER_NAME})", "leader is MEMBER", state.leader_is),
    (r"elections (\d+)", "elections N", event.elections),
    (r"quorum (lost|regained)", "quorum lost|regained", event.quorum),
    (
        rf"(partitioned|cut|slowed)(?: ({MEMBER_NAME}(?: {MEMBER_NAME})*))?",
        "partitioned|cut|slowed [MEMBER…]",
        event.links,
    ),
    (r"healed", "healed", event.healed),
    (r"key (\S+) is (.+)", "key K is V", state.key),
    (r"key (\S+) (exists|gone)", "key K exists|gone", state.key_there),
    (r"keys (\S+) (\d+)", "keys PREFIX N", state.keys),
    (r"alarm ([A-Z]+)", "alarm KIND", event.alarm),
    (r"no alarm", "no alarm", state.no_alarm),
    (rf"role ({MEMBER_NAME}) (leader|follower|candidate|learner)", "role MEMBER ROLE", state.role),
    (r"members (\d+)", "members N", state.members),
    (rf"version ({MEMBER_NAME}) (\d+\.\d+(?:\.\d+)?)", "version MEMBER SERIES", state.version),
    (rf"term risen ({MEMBER_NAME})", "term risen MEMBER", event.term_risen),
    (r"database shrunk", "database shrunk", state.shrunk),
    (rf"voter ({MEMBER_NAME})", "voter MEMBER", members.voter),
    (rf"learner ({MEMBER_NAME})", "learner MEMBER", members.learner),
    (rf"removed ({MEMBER_NAME})", "removed MEMBER", members.removed),
    (rf"replaced ({MEMBER_NAME})", "replaced MEMBER", members.replaced),
    (r"never started (\d+)", "never started N", members.never_started),
    (r"new cluster", "new cluster", members.new_cluster),
    (r"nobody leads", "nobody leads", state.nobody_leads),
    (r"cluster version (\d+\.\d+)", "cluster version SERIES", state.cluster_version),
    (r"brought up", "brought up", way.brought_up),
    (rf"bootstrapped ({WAYS})", f"bootstrapped {WAYS}", way.bootstrapped),
    (rf"runs in ({RUNS_IN})", f"runs in {RUNS_IN}", way.runs_in),
)
