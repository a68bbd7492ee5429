"""Lines of several members' logs in the order in which they were written, not in which they were read."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence

from msgspec import Struct

from etcd_sandbox.etcd.raftlog import Sign, SignKind

HOLD_S = 0.05
"""How long a line waits for earlier ones from other logs. A busy supervisor reads many logs at once."""

_EARLIEST_US, _LATEST_US = 10_000_000, 5_000
"""A line says when it was written; one that says something impossible was written when it was read."""

_RANK = {SignKind.BECAME_CANDIDATE: 0, SignKind.BECAME_LEADER: 1}
_OTHER_RANK = 2

Take = Callable[[str, Sign, int], None]


class Heard(Struct, frozen=True):
    """A sign in the log of a process; `read_us` is when it was read, in microseconds since the epoch."""

    process: str
    sign: Sign
    read_us: int

    @property
    def is_exact(self) -> bool:
        """It says when it was written, and that can be."""
        said = self.sign.time_us
        return said is not None and -_EARLIEST_US <= said - self.read_us <= _LATEST_US

    @property
    def at_us(self) -> int:
        """When it was written, by its own word; when it was read, where it does not say so exactly."""
        said = self.sign.time_us
        return min(said, self.read_us) if said is not None and self.is_exact else self.read_us


def in_order(heard: Sequence[Heard]) -> list[Heard]:
    """These in the order in which they were written; those of one process keep theirs.

    At the same moment the lower term comes first, and who stands before who is elected.
    """
    found = []
    first_us = min((each.read_us for each in heard), default=0)
    for process in {each.process: None for each in heard}:
        latest, keyed = 0, []
        for each in heard:
            if each.process == process:
                # What tells no exact time may have been written at any time of these.
                latest = max(latest, each.at_us if each.is_exact else first_us)
                keyed.append(((latest, *_causal(each.sign)), each))
        found.append(keyed)
    return [each for _, each in heapq.merge(*found, key=lambda entry: entry[0])]


def _causal(sign: Sign) -> tuple[int, bool, int]:
    return (sign.term or 0, not sign.pre_vote, _RANK.get(sign.kind, _OTHER_RANK))


class LogOrder:
    """Holds signs back for a moment, and hands them on in order with the moment of each."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._held: list[Heard] = []
        self._timer: asyncio.TimerHandle | None = None

    def hold(self, process: str, sign: Sign, read_us: int) -> None:
        """It is handed on in a moment."""
        self._held.append(Heard(process, sign, read_us))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HOLD_S, self.flush)

    def flush(self) -> None:
        """Hand on what is held, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        held, self._held = self._held, []
        for each in in_order(held):
            self._take(each.process, each.sign, each.at_us)
