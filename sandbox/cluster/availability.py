"""Tries reads and writes on the members all the time while somebody looks on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING

from sandbox.model.availability import BUCKET_S, Bucket
from sandbox.model.verdict import READ_GIVES_UP_S

if TYPE_CHECKING:
    from sandbox.etcd.gateway import Gateway

WAITING_KEPT = 3000
"""Five minutes: what a viewer that stands still for longer has not taken is lost to it, the oldest first."""

WRITTEN_KEY = "etcd-sandbox/availability"
"""The one key that is written, with a number that rises; each write is a revision."""


_log = logging.getLogger(__name__)


class Availability:
    """A bucket each 100 ms, the same for all who look on; nothing is tried while nobody does.

    `client_urls` are where clients reach the running members. Writes are tried, on one member
    after the other, while at least one viewer wants them.
    """

    def __init__(self, gateway: Gateway, client_urls: Callable[[], Sequence[str]]) -> None:
        self._gateway = gateway
        self._client_urls = client_urls
        self._viewers: dict[asyncio.Queue[Bucket | None], bool] = {}
        self._running: asyncio.Task[None] | None = None

    async def watch(self, *, writes: bool) -> AsyncGenerator[Bucket, None]:
        """The buckets from now on, in order, each when all its requests have ended or are given up."""
        queue: asyncio.Queue[Bucket | None] = asyncio.Queue(WAITING_KEPT)
        self._viewers[queue] = writes
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        try:
            while (bucket := await queue.get()) is not None:
                yield bucket
        finally:
            del self._viewers[queue]
            if not self._viewers and self._running is not None:
                self._running.cancel()
                self._running = None

    def close(self) -> None:
        """End what everybody watches."""
        for queue in self._viewers:
            _put(queue, None)

    async def _run(self) -> None:
        due, number = time.monotonic(), 0
        under_way: list[asyncio.Task[Bucket]] = []
        try:
            while True:
                under_way.append(asyncio.create_task(self._try(number)))
                number += 1
                while under_way and under_way[0].done():
                    tried = under_way.pop(0)
                    if error := tried.exception():
                        _log.error("a tenth of a second was not measured", exc_info=error)
                    else:
                        self._tell(tried.result())
                due = max(due + BUCKET_S, time.monotonic())
                await asyncio.sleep(due - time.monotonic())
        finally:
            for task in under_way:
                task.cancel()

    async def _try(self, number: int) -> Bucket:
        time_us, urls = time.time_ns() // 1000, self._client_urls()
        wanted = bool(urls) and any(self._viewers.values())
        writing = [urls[number % len(urls)]] if wanted else []
        reads, writes = await asyncio.gather(
            asyncio.gather(
                *(self._gateway.linearizable_read(url, READ_GIVES_UP_S) for url in urls)
            ),
            asyncio.gather(
                *(
                    self._gateway.put(url, WRITTEN_KEY, str(number), READ_GIVES_UP_S)
                    for url in writing
                )
            ),
        )
        return Bucket(
            time_us=time_us,
            reads=sum(reads),
            reads_failed=len(reads) - sum(reads),
            writes=sum(writes),
            writes_failed=len(writes) - sum(writes),
        )

    def _tell(self, bucket: Bucket) -> None:
        for queue in self._viewers:
            _put(queue, bucket)


def _put(queue: asyncio.Queue[Bucket | None], bucket: Bucket | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(bucket)
