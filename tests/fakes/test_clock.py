"""The clock that jumps: all who ask for the time are told the same, and nobody waits."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

import pytest
from etcd_sandbox.supervise.bus import timestamp

from tests.fakes.clock import Clock, Stuck, run


def test_an_hour_less_a_second_is_over_at_once_for_whoever_asks_the_time() -> None:
    began = time.perf_counter()

    async def history(clock: Clock) -> tuple[float, float, float]:
        loop = asyncio.get_running_loop()
        before = loop.time(), time.monotonic(), time.time_ns() / 1e9
        stamped = datetime.fromisoformat(timestamp())
        await asyncio.sleep(2500)
        after = loop.time(), time.monotonic(), time.time_ns() / 1e9
        later = datetime.fromisoformat(timestamp())
        assert (later - stamped).total_seconds() == pytest.approx(2500)
        first, second, third = (now - then for now, then in zip(after, before, strict=True))
        return first, second, third

    assert run(history) == pytest.approx((2500.0, 2500.0, 2500.0))
    assert time.perf_counter() - began < 60


def test_what_goes_to_a_thread_is_done_before_the_time_goes_on() -> None:
    async def history(clock: Clock) -> float:
        before = clock.now_s
        assert await asyncio.to_thread(lambda: "done") == "done"
        return clock.now_s - before

    assert run(history) == 0


def test_waiting_for_nobody_is_an_error_and_no_standstill() -> None:
    async def history(clock: Clock) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match="nobody will ever be woken"):
        run(history)


def test_an_error_of_a_task_that_nobody_awaits_fails_the_history() -> None:
    async def history(clock: Clock) -> None:
        asyncio.get_running_loop().call_soon(lambda: [][1])
        await asyncio.sleep(1)

    with pytest.raises(AssertionError, match="Exception in callback"):
        run(history)
