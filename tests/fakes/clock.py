"""A clock that jumps to the next timer, and an event loop that runs on it.

Libraries that do this for asyncio (looptime 0.9, aiotools' VirtualClock) replace the loop's clock only.
The product asks `time.monotonic` and `time.time_ns` as well, so all of them have to tell one time.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

T = TypeVar("T")

_EPOCH_S = 1_800_000_000
"""What the wall clock shows when the virtual clock begins at zero."""

_LONGEST_S = 3600.0
"""A history that takes longer than an hour never ends."""


class Stuck(AssertionError):
    """Everybody waits for somebody: no timer is left that could wake anyone."""


class Clock:
    """Seconds since its beginning; only `VirtualLoop` moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        """As `time.monotonic`."""
        return self.now_s

    def time_ns(self) -> int:
        """As `time.time_ns`."""
        return _EPOCH_S * 1_000_000_000 + round(self.now_s * 1_000_000_000)

    def time(self) -> float:
        """As `time.time`."""
        return self.time_ns() / 1e9

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Within, the `time` module tells this clock's time."""
        with (
            mock.patch.object(time, "monotonic", self.monotonic),
            mock.patch.object(time, "time_ns", self.time_ns),
            mock.patch.object(time, "time", self.time),
        ):
            yield


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: where nothing is to be read, the time of the wait is over at once."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise Stuck("nobody will ever be woken")
        self._clock.now_s += max(0.0, timeout)
        if self._clock.now_s > _LONGEST_S:
            raise Stuck("the history does not end")
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a virtual clock; what is given to a thread is done at once instead."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(_JumpingSelector(clock))
        self._virtual = clock

    def time(self) -> float:
        return self._virtual.now_s

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., T], *args: object
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # a thread hands on whatever is raised in it
            done.set_exception(error)
        return done


def run(history: Callable[[Clock], Coroutine[Any, Any, T]]) -> T:
    """What `history` returns, run on a virtual clock. What a callback or a task raised is raised here."""
    clock = Clock()
    faults: list[Mapping[str, Any]] = []
    with clock.installed(), asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: faults.append(context))
        told = runner.run(history(clock))
    for fault in faults:
        raise AssertionError(fault["message"]) from fault.get("exception")
    return told
