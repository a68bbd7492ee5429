"""What is broken on purpose between members, and what it means for each pair of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct


class LinkFault(Struct, frozen=True, kw_only=True):
    """One fault on the links between the members `side` and the members `other`, both ways.

    Members are named by their process names. `kind` is the verb's name. `delay_s` is added to each way,
    give or take up to `jitter_s`; None where nothing passes.
    """

    kind: str
    side: tuple[str, ...]
    other: tuple[str, ...]
    delay_s: float | None = None
    jitter_s: float = 0.0

    @property
    def pairs(self) -> frozenset[Pair]:
        """The ordered pairs of members between which it acts; a member has no link to itself."""
        return frozenset(
            pair
            for one in self.side
            for another in self.other
            if one != another
            for pair in ((one, another), (another, one))
        )


Pair = tuple[str, str]
"""Who dials, and who is dialled, by process name."""


class Rule(Struct, frozen=True, kw_only=True):
    """What becomes of the traffic of one pair: nothing passes, or it is late."""

    cut: bool = False
    delay_s: float = 0.0
    jitter_s: float = 0.0


def rules_of(faults: Iterable[LinkFault]) -> dict[Pair, Rule]:
    """The rule of each pair that has one: a cut beats a delay, a later delay an earlier one."""
    rules: dict[Pair, Rule] = {}
    for fault in faults:
        for pair in fault.pairs:
            if fault.delay_s is None:
                rules[pair] = Rule(cut=True)
            elif not (pair in rules and rules[pair].cut):
                rules[pair] = Rule(delay_s=fault.delay_s, jitter_s=fault.jitter_s)
    return rules


def are_linked(one: str, another: str, rules: Mapping[Pair, Rule]) -> bool:
    """Whether traffic passes between two members, both ways."""
    return not (rules.get((one, another), _OPEN).cut or rules.get((another, one), _OPEN).cut)


_OPEN = Rule()
