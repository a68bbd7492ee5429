"""Tries reads on the members all the time while something is measured: when could clients read?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sandbox.model.verdict import PROBE_EVERY_S, READ_GIVES_UP_S

if TYPE_CHECKING:
    from sandbox.etcd.gateway import Gateway


class Successes:
    """When reads succeeded, in monotonic seconds, in order; `more` is set by each."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.more = asyncio.Event()

    def note(self, moment: float) -> None:
        """A read succeeded."""
        self.times.append(moment)
        self.more.set()

    async def one_after(self, moment: float, timeout_s: float) -> bool:
        """Wait for a read that succeeds after `moment`; whether one did in time."""
        deadline = time.monotonic() + timeout_s
        while not (self.times and self.times[-1] > moment):
            self.more.clear()
            try:
                await asyncio.wait_for(self.more.wait(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                return False
        return True


class Probe:
    """Linearizable reads, one each 20 ms to each of `client_urls`, while at least one watches.

    None waits for an earlier one. Reads leave the revisions as they are.
    """

    def __init__(self, gateway: Gateway, client_urls: Callable[[], Iterable[str]]) -> None:
        self._gateway = gateway
        self._client_urls = client_urls
        self._watchers: list[Successes] = []
        self._reads: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Successes]:
        """The successes from now on, as long as the block runs."""
        successes = Successes()
        self._watchers.append(successes)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        try:
            yield successes
        finally:
            self._watchers.remove(successes)
            if not self._watchers:
                self._running.cancel()
                self._running = None
                for read in self._reads:
                    read.cancel()

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            for url in self._client_urls():
                read = asyncio.create_task(self._read(url))
                self._reads.add(read)
                read.add_done_callback(self._reads.discard)
            due = max(due + PROBE_EVERY_S, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    async def _read(self, url: str) -> None:
        if await self._gateway.linearizable_read(url, READ_GIVES_UP_S):
            moment = time.monotonic()
            for watcher in self._watchers:
                watcher.note(moment)
