"""How soon a links' process that ended is replaced."""

from __future__ import annotations

from etcd_sandbox.supervise.kept import BACKOFF_LAST_S, next_pause


def test_a_process_that_lived_is_replaced_at_once() -> None:
    assert next_pause(0.0, 60.0) == 0.0
    assert next_pause(5.0, 60.0) == 0.0


def test_those_that_keep_dying_are_replaced_ever_later() -> None:
    pauses = [0.0]
    for _ in range(8):
        pauses.append(next_pause(pauses[-1], 0.2))
    assert pauses[1:] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, BACKOFF_LAST_S, BACKOFF_LAST_S]
