"""Tries requests on the members all the time while somebody measures: when were clients served?"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from etcd_sandbox.cluster.gaps import Span, Try

GIVES_UP_S = 10.0
"""When a request is taken for lost: etcd itself gives up after seven seconds, with its own timers."""

AT_A_TIME = 9
"""Of N members so many N-ths are asked in one round: all of three, one of ten.

A linearizable read makes the leader hear from a quorum. Were all of many members asked all the time,
the questions would keep the machine from answering them.
"""

LOST_S = 1.0
"""A write that waits for longer was probably sent to a leader that was lost, and waits for seven seconds.
Those behind it need not: more are tried. Reads wait for each other inside etcd."""

REFUSED_S = 1.0
"""How long nothing is tried after a refusal: members log each refused write as a warning."""

Request = Callable[[str, float], Awaitable[bool | None]]
"""Asks at that URL, for so many seconds at most; whether it was served, None where that cannot be known."""


class Record:
    """The requests that have ended since somebody watches, in the order of their ends; `more` is set by each."""

    def __init__(self, every_s: float, at_a_time: int, pending: Callable[[], list[float]]) -> None:
        self.every_s = every_s
        self.at_a_time = at_a_time
        self.tries: list[Try] = []
        self.more = asyncio.Event()
        self.untried: list[Span] = []
        self._pending = pending

    def note(self, ended: Try) -> None:
        """A request has ended."""
        self.tries.append(ended)
        self.more.set()

    def note_forbidden(self, began: float, until: float) -> None:
        """A request was refused for a reason that is none of the cluster's: nothing is known of that time."""
        self.untried.append((began, until))
        self.more.set()

    @property
    def unknown(self) -> bool:
        """Requests are refused, and none was served: how others are served cannot be known."""
        return bool(self.untried) and not any(each.served for each in self.tries)

    def taken(self) -> list[Try]:
        """What has ended since the last call."""
        taken, self.tries = self.tries, []
        return taken

    @property
    def pending(self) -> list[float]:
        """When those began that members who run have not answered yet."""
        return self._pending()

    async def served_after(self, moment: float, timeout_s: float) -> bool:
        """Wait for a request that is served after `moment`; whether one was in time."""
        deadline = time.monotonic() + timeout_s
        while not any(each.served and each.ended > moment for each in reversed(self.tries)):
            if self.unknown:
                return False
            self.more.clear()
            try:
                await asyncio.wait_for(self.more.wait(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                return False
        return True


class Probe:
    """One kind of request, tried in rounds over `client_urls` while at least one watches.

    A member that has not answered is not asked again, for `lost_s` seconds, so that none is ever asked
    more than it answers. In each round the members take turns, and the next one is tried at once where
    one fails: whether *any* member serves is known after each. Where one is refused for a reason that is
    none of the cluster's, the next round is a while later.
    """

    def __init__(
        self,
        request: Request,
        client_urls: Callable[[], Sequence[str]],
        *,
        lost_s: float = GIVES_UP_S,
    ) -> None:
        self._request = request
        self._client_urls = client_urls
        self._lost_s = lost_s
        self._watchers: list[Record] = []
        self._under_way: dict[asyncio.Task[None], tuple[str, float]] = {}
        self._turns: deque[str] = deque()
        self._rest: deque[str] = deque()
        self._running: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._not_before = 0.0

    @contextmanager
    def watching(self, every_s: float, at_a_time: int = AT_A_TIME) -> Iterator[Record]:
        """What ends from now on, as long as the block runs, tried every `every_s` seconds at least.

        `at_a_time` of N members are asked in one round, divided by N, at least one.
        """
        record = Record(every_s, at_a_time, self._pending)
        self._watchers.append(record)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        self._hurry.set()
        try:
            yield record
        finally:
            self._watchers.remove(record)
            if not self._watchers:
                self._running.cancel()
                self._running = None
                for task in self._under_way:
                    task.cancel()

    def _pending(self) -> list[float]:
        running = set(self._client_urls())
        return [began for url, began in self._under_way.values() if url in running]

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            if due >= self._not_before:
                self._begin_round(list(self._client_urls()))
            every_s = min(watcher.every_s for watcher in self._watchers)
            due = max(due + every_s, time.monotonic())
            self._hurry.clear()
            try:
                # Somebody who watches from now on may want it more often.
                await asyncio.wait_for(self._hurry.wait(), due - time.monotonic())
                due = time.monotonic()
            except TimeoutError:
                continue

    def _begin_round(self, urls: Sequence[str]) -> None:
        known = set(self._turns)
        self._turns = deque(
            [url for url in self._turns if url in urls] + [url for url in urls if url not in known]
        )
        now = time.monotonic()
        busy = {url for url, began in self._under_way.values() if now - began < self._lost_s}
        self._rest = deque(url for url in self._turns if url not in busy)
        at_a_time = max(watcher.at_a_time for watcher in self._watchers)
        for _ in range(max(1, min(len(urls), at_a_time // max(1, len(urls))))):
            self._try_next()

    def _try_next(self) -> None:
        """Ask the member whose turn it is in this round, if there is one left."""
        if not self._rest:
            return
        url = self._rest.popleft()
        self._turns.remove(url)
        self._turns.append(url)
        task = asyncio.create_task(self._try(url))
        self._under_way[task] = (url, time.monotonic())
        task.add_done_callback(lambda ended: self._under_way.pop(ended, None))

    async def _try(self, url: str) -> None:
        began = time.monotonic()
        served = await self._request(url, GIVES_UP_S)
        if served is None:
            self._not_before = time.monotonic() + REFUSED_S
            for watcher in self._watchers:
                watcher.note_forbidden(began, self._not_before)
            return
        ended = Try(where=url, began=began, ended=time.monotonic(), served=served)
        for watcher in self._watchers:
            watcher.note(ended)
        if not served and self._watchers:
            self._try_next()
