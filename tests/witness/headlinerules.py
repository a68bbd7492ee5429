"""What a headline says (that of `status` as text, that of the dashboard) against what the witness saw. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.witness.claims import Contradiction, Headline
from tests.witness.history import History, Span

_LEADER = re.compile(r"(?:★|leader) (\S+) \(term (\d+)\)")
_NO_LEADER = re.compile(r"\bno leader\b", re.IGNORECASE)
_NO_QUORUM = re.compile(r"\bno quorum\b|quorum lost", re.IGNORECASE)
_COUNT = re.compile(r"(\d+) of (\d+) (?:healthy|answer|up)")
_UNKNOWN = re.compile(r"in time|not known|authentication is on")


def contradictions(claim: Headline, history: History) -> Iterable[Contradiction]:
    """What a headline says and the witness saw otherwise."""
    for rule, seen in _untrue(claim.line, claim.told, history):
        yield Contradiction(f"headline.{rule}", repr(claim.line), seen, claim.told.end)


def _untrue(line: str, span: Span, history: History) -> Iterable[tuple[str, str]]:
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
