"""One order to a cluster: a verb with all that it takes."""

from __future__ import annotations

import signal

from msgspec import Struct

from etcd_sandbox.model.verb import Verb


class Order(Struct, frozen=True, kw_only=True):
    """One verb with all that it takes; what a verb has no use for is left alone.

    `select` and `versus` are selectors: the targets, and the other side of a fault on links
    (empty: everyone else). `signal` is a number, for `kill`. `seed` is what `random` draws
    from; None: anything. `name` is that of the new member for `add` (None: the next free one), which
    with `learner` gets no vote. `force` has etcd asked for what would break the quorum.
    With `wait` the cluster is given time to settle, and the verdict says
    what happened meanwhile. `timeout_s` is for everything together.
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
