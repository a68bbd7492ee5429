"""What is broken on purpose between members, and what it means for each pair of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

CLIENTS = "clients"
"""All clients together, where the name of a process stands."""

Pair = tuple[str, str]
"""Who sends, and who receives, by process name: one direction, whoever of the two dialled."""


class Rule(Struct, frozen=True, kw_only=True):
    """What becomes of what one of a pair sends to the other.

    With `cut` nothing passes, and with `refuse` clients are told so by a reset. `delay_s` is added, give or take up to `jitter_s`; `bytes_per_s` is how much passes, None
    for as much as can. Of the pieces that are sent, the share `stall` is late as after a retransmission, and
    the share `reset` ends its connection; `seed` is what is drawn from, None for anything.
    """

    cut: bool = False
    refuse: bool = False
    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float | None = None
    stall: float = 0.0
    reset: float = 0.0
    seed: int | None = None


CUT = Rule(cut=True)
_OPEN = Rule()


class LinkFault(Struct, frozen=True, kw_only=True):
    """One fault on the links between the members `side` and the members `other`, both ways or `one_way`.

    Members are named by their process names. `kind` is the verb's name. `how` are the fields of a Rule that
    it sets; a fault without any lets nothing pass.
    """

    kind: str
    side: tuple[str, ...]
    other: tuple[str, ...]
    one_way: bool = False
    how: Mapping[str, Any] = {}

    @property
    def pairs(self) -> frozenset[Pair]:
        """The directions between two members in which it acts; a member has no link to itself."""
        return frozenset(
            pair
            for one in self.side
            for another in self.other
            if one != another
            for pair in ((one, another), (another, one))[: 1 if self.one_way else 2]
        )

    def replaces(self, known: LinkFault) -> bool:
        """Whether nothing is left of a fault that was there before: the same, or the same kind with other figures."""
        if not self.how.keys() - {"refuse"}:
            return known == self
        return known.kind == self.kind and known.pairs <= self.pairs


def rules_of(faults: Iterable[LinkFault]) -> dict[Pair, Rule]:
    """The rule of each pair that has one: a cut beats all else, a later figure an earlier one."""
    rules: dict[Pair, Rule] = {}
    for fault in faults:
        for pair in fault.pairs:
            known = rules.get(pair, _OPEN)
            if not fault.how.keys() - {"refuse"}:
                rules[pair] = replace(CUT, refuse=known.refuse or bool(fault.how))
            elif not known.cut:
                rules[pair] = replace(known, **fault.how)
    return rules


def are_linked(one: str, another: str, rules: Mapping[Pair, Rule]) -> bool:
    """Whether traffic passes between two members, both ways."""
    return not (rules.get((one, another), _OPEN).cut or rules.get((another, one), _OPEN).cut)
