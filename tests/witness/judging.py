"""All that was said against all that was seen. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tests.witness import eventrules, headlinerules, statusrules, verdictrules
from tests.witness.claims import Contradiction, Event, Said
from tests.witness.history import History, Span


def contradictions(
    said: Said, events: Sequence[Event], history: History, span: Span
) -> list[Contradiction]:
    """Every claim that the witness saw to be untrue, in the order of time."""
    found: list[Contradiction] = []
    for status in said.statuses:
        found += statusrules.contradictions(status, history)
    for headline in said.headlines:
        found += headlinerules.contradictions(headline, history)
    for verdict in said.verdicts:
        found += verdictrules.contradictions(verdict, history)
    for healthy in said.healthy:
        found += statusrules.contradictions(healthy, history)
        found += verdictrules.gave_up(healthy, history)
    for refusal in said.refusals:
        found += verdictrules.refused(refusal, history)
    found += eventrules.contradictions(events, history, span)
    return sorted(found, key=lambda each: each.at)


def summary(found: Sequence[Contradiction]) -> list[str]:
    """One line for each kind of contradiction: the first of it, and how often it was."""
    kinds: dict[tuple[str, str], list[Contradiction]] = {}
    for each in found:
        kinds.setdefault((each.rule, each.seen), []).append(each)
    return [
        f"{same[0]}" + (f" (and {len(same) - 1} more of it)" if len(same) > 1 else "")
        for same in kinds.values()
    ]
