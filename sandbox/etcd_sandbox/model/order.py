"""One order to a cluster: a verb with all that it takes; and how a signal is typed: `KILL`, `sigkill`, `9`."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from etcd_sandbox.errors import InputError, shortened
from etcd_sandbox.verbs import Verb

LONGEST_TIMEOUT_S = 1e9
"""Thirty years: what waits for longer waits for ever, and what adds to it still counts."""

MOST_WORDS = 1000

Seconds = Annotated[float, Meta(ge=0, le=LONGEST_TIMEOUT_S)]
Words = Annotated[tuple[str, ...], Meta(max_length=MOST_WORDS)]
"""What may be asked for, and waited for."""


class Order(Struct, frozen=True, kw_only=True):
    """One verb with all that it takes; what a verb has no use for is left alone.

    `select` and `versus` are selectors: the targets, and the other side of a fault on links
    (empty: everyone else). `signal` is a number, for `kill`. `seed` is what `random` draws
    from; None: anything. `name` is that of the new member for `add` (None: the next free one), which
    with `learner` gets no vote. `force` has etcd asked for what would break the quorum.
    With `wait` the cluster is given time to settle, and the verdict says
    what happened meanwhile. `timeout_s` is for everything together. `more` are the options that
    the verb declares beyond these.
    """

    verb: Verb
    select: tuple[str, ...] = ()
    versus: tuple[str, ...] = ()
    signal: int = signal.SIGKILL
    delay_s: float = 0.0
    jitter_s: float = 0.0
    seed: int | None = None
    name: str | None = None
    learner: bool = False
    force: bool = False
    wait: bool = True
    timeout_s: float = 30.0
    more: Mapping[str, object] = {}


def signal_name(text: str) -> str:
    """The full name (`SIGKILL`) of a signal given by name or number. Raises InputError."""
    word = text.strip().upper()
    if word.isdecimal():
        known = {str(each.value): each.name for each in signal.Signals}
        if word in known:
            return known[word]
        raise InputError(f"there is no signal {shortened(text)}", hint="kill -l lists them")
    from etcd_sandbox.errors import nearest

    name = word if word.startswith("SIG") else f"SIG{word}"
    if name not in signal.Signals.__members__:
        near = nearest(name, signal.Signals.__members__)
        hint = f"did you mean {near}?" if near else "kill -l lists them"
        raise InputError(f"there is no signal {shortened(text)!r}", hint=hint)
    return signal.Signals[name].name


def signal_number(text: str) -> int:
    """The number of a signal given by name or number. Raises InputError."""
    return signal.Signals[signal_name(text)].value
