"""A process of the supervisor's own that has to be there: one that ends unexpectedly has a successor at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from asyncio.subprocess import Process
from collections.abc import Callable

BACKOFF_FIRST_S = 0.1
BACKOFF_LAST_S = 5.0
SHORT_LIFE_S = 1.0
"""A process that ended sooner than this is one that keeps dying: the next one waits longer."""

log = logging.getLogger(__name__)


class Kept:
    """Keeps the process called `what`; `on_started` and `on_ended` are told its pid.

    Who refines this executes it (`_execute`), and talks with it until it has ended (`_attend`).
    """

    longest_pause_s = BACKOFF_LAST_S
    """Before the next one, where they keep dying."""

    def __init__(
        self, what: str, *, on_started: Callable[[int], None], on_ended: Callable[[int], None]
    ) -> None:
        self._what = what
        self._on_started = on_started
        self._on_ended = on_ended
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    async def start(self) -> None:
        """Execute the process. Raises OSError."""
        process = await self._begin()
        self._keeping = asyncio.create_task(self._keep(process))

    async def wait_closed(self) -> None:
        """After `close`: return when the process is gone and has been reported."""
        if self._keeping is not None:
            await self._keeping

    async def _execute(self) -> Process:
        """Execute it; what has changed since the one before is told by `_executed`. Raises OSError."""
        raise NotImplementedError

    def _executed(self) -> None:
        """There is a new process: it knows nothing yet."""

    async def _attend(self, process: Process) -> None:
        """Take what it says, until it says nothing any more."""
        raise NotImplementedError

    def _end(self) -> None:
        """Have no successor any more, and kill the process."""
        self._closed.set()
        self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _begin(self) -> Process:
        process = await self._execute()
        self._on_started(process.pid)
        self._process = process
        self._executed()
        return process

    async def _keep(self, process: Process) -> None:
        pause_s = 0.0
        while True:
            began = time.monotonic()
            code = await self._until_ended(process)
            lived_s, successor = time.monotonic() - began, None
            while successor is None:
                if self._closed.is_set():
                    return
                pause_s, lived_s = next_pause(pause_s, lived_s, self.longest_pause_s), 0.0
                log.warning("%s ended (%d): another in %.1f s", self._what, code, pause_s)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closed.wait(), pause_s)
                    return
                with contextlib.suppress(OSError):
                    successor = await self._begin()
            process = successor

    async def _until_ended(self, process: Process) -> int:
        try:
            if self._closed.is_set():
                self._kill()
            await self._attend(process)
            return await process.wait()
        finally:
            self._process = None
            self._on_ended(process.pid)


def next_pause(last_s: float, lived_s: float, longest_s: float = BACKOFF_LAST_S) -> float:
    """How long to wait before the next process: not at all, unless they keep dying."""
    if lived_s >= SHORT_LIFE_S:
        return 0.0
    return min(max(BACKOFF_FIRST_S, last_s * 2), longest_s)
