"""One direction between two members: its rule, and what all connections share that carry it."""

from __future__ import annotations

import random

from etcd_sandbox.model.fault import Pair, Rule

RETRANSMITTED_AFTER_S = 0.2
"""TCP's least time until what was lost is sent again (Linux: TCP_RTO_MIN), twice as long each further time."""

MOST_LOSSES = 6

_BURST_S = 0.1
"""For how long what was not used may be made up for: the loop wakes up late now and then."""

_PIECE_S = 0.05
"""A limited lane sends what it has in pieces of so long."""

EARLY_BYTES = 64 << 10
"""How much is taken from a dialler before it is known where it goes, and while the lane is limited."""

LATE_BYTES = 4 << 20
"""How much a delay holds back per connection."""


class Lane:
    """What is drawn, and how much has passed, is common to the connections of one pair."""

    def __init__(self, rule: Rule, pair: Pair = ("", "")) -> None:
        self.rule = rule
        self._free_at = 0.0
        # Not of the seed alone, or all pairs would stall at once.
        self._draw = random.Random(None if rule.seed is None else f"{rule.seed} {pair}")

    @property
    def is_clear(self) -> bool:
        """Whether what is sent passes as if there were no rule."""
        rule = self.rule
        late = rule.delay_s or rule.jitter_s or rule.stall
        return not (rule.cut or late or rule.reset or rule.bytes_per_s is not None)

    def late_s(self) -> float:
        """How late the next piece is."""
        rule, late_s = self.rule, self.rule.delay_s
        if rule.jitter_s:
            late_s += self._draw.uniform(-rule.jitter_s, rule.jitter_s)
        if rule.stall:
            again_s = RETRANSMITTED_AFTER_S
            for _ in range(MOST_LOSSES):
                if self._draw.random() >= rule.stall:
                    break
                late_s += again_s
                again_s *= 2
        return late_s

    def breaks(self) -> bool:
        """Whether the next piece ends its connection."""
        return bool(self.rule.reset) and self._draw.random() < self.rule.reset

    @property
    def piece(self) -> int | None:
        """How many bytes are sent at once; None for any number."""
        rate = self.rule.bytes_per_s
        return None if rate is None else max(1, int(rate * _PIECE_S))

    def slot(self, size: int, now: float) -> float:
        """Take the next slot for so many bytes; when it is over."""
        assert self.rule.bytes_per_s is not None
        begins = max(self._free_at, now - _BURST_S)
        self._free_at = begins + size / self.rule.bytes_per_s
        return self._free_at

    @property
    def most_held(self) -> int:
        """How many bytes a connection holds back before its source is not read."""
        rate = self.rule.bytes_per_s
        if rate is None:
            return LATE_BYTES
        late = rate * (self.rule.delay_s + self.rule.jitter_s)
        return int(min(LATE_BYTES, EARLY_BYTES + late))
