"""How long the end waits for the viewers of the log: as long as one takes something, on a virtual clock."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest
from etcd_sandbox.control.streams import LAST_WORDS_WITHIN_S, STALLED_S, Streams

from tests.fakes.clock import Clock, run

NEVER_S = 1000.0


def waited_s(untaken: Callable[[float], int], ends_after_s: float = NEVER_S) -> float:
    """How long the end waits for one viewer that has `untaken` bytes before it after so many seconds."""

    async def history(clock: Clock) -> float:
        began, streams = clock.now_s, Streams()
        streams.open = 1

        def close() -> None:
            streams.open = 0

        asyncio.get_running_loop().call_later(ends_after_s, close)
        await streams.end(lambda: untaken(clock.now_s - began))
        return clock.now_s - began

    return run(history)


def test_a_viewer_that_takes_a_little_now_and_then_has_its_end() -> None:
    """It takes 1000 bytes each 1.5 s, and no whole piece before it has them all."""
    assert waited_s(lambda passed_s: 3000 - 1000 * int(passed_s / 1.5), 4.4) == pytest.approx(
        4.4, abs=0.02
    )


def test_a_viewer_that_takes_nothing_is_not_waited_for() -> None:
    assert waited_s(lambda _: 3000) == pytest.approx(STALLED_S, abs=0.02)


def test_a_viewer_that_takes_a_little_for_ever_is_not_waited_for_ever() -> None:
    counts = itertools.count(10**9, -1)
    assert waited_s(lambda _: next(counts)) == pytest.approx(LAST_WORDS_WITHIN_S, abs=0.02)


def test_nobody_waits_where_nobody_looks_on() -> None:
    async def history(clock: Clock) -> float:
        began = clock.now_s
        await Streams().end(lambda: 0)
        return clock.now_s - began

    assert run(history) == 0.0
