"""What a headline says (that of `status` as text, that of the dashboard) against what the witness saw. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.witness.claims import Contradiction, Status
from tests.witness.history import History

_LEADER = re.compile(r"(?:★|leader) (\S+) \(term (\d+)\)")
_NO_LEADER = re.compile(r"\bno leader\b", re.IGNORECASE)
_NO_QUORUM = re.compile(r"\bno quorum\b|quorum lost", re.IGNORECASE)
_COUNT = re.compile(r"(\d+) of (\d+) (?:healthy|answer|up)")
_UNKNOWN = re.compile(r"in time|unknown|not known|wants a user")


def contradictions(claim: Status, history: History) -> Iterable[Contradiction]:
    """What the headlines of an answer say and the witness saw otherwise."""
    for line in claim.headlines:
        for rule, seen in _untrue(line, claim, history):
            yield Contradiction(f"headline.{rule}", repr(line), seen, claim.span.end)


def _untrue(line: str, claim: Status, history: History) -> Iterable[tuple[str, str]]:
    span = claim.told
    reign = history.led_throughout(span)
    if (found := _LEADER.search(line)) and not history.may_lead(found[1], int(found[2]), span):
        yield "leader", f"{found[1]} not leading in term {found[2]}"
    if reign is not None and not _UNKNOWN.search(line):
        if _NO_LEADER.search(line):
            yield "no_leader", f"{reign.member} led in term {reign.term}, reads were served"
        if _NO_QUORUM.search(line):
            yield "quorum_lost", "reads were served all the time"
    lists = history.lists_in(span)
    if (found := _COUNT.search(line)) and lists:
        counts = {sum(not entry.learner for entry in listed) for listed in lists}
        if int(found[2]) not in counts:
            yield "voters", f"{sorted(counts)} on etcd's list"
