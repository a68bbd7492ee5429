"""Tries reads and writes on the members all the time while somebody looks on."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from etcd_sandbox.cluster.probe import LOST_S, Probe
from etcd_sandbox.model.service import BUCKET_S, LATE_S, UNNOTICED_S, Bucket

if TYPE_CHECKING:
    from etcd_sandbox.cluster.gaps import Try
    from etcd_sandbox.cluster.probe import Record
    from etcd_sandbox.cluster.raft import RaftWatch
    from etcd_sandbox.etcd.gateway import Gateway

READ_EVERY_S = 0.05

WAITING_KEPT = 3000
"""Five minutes: what a viewer that stands still for longer has not taken is lost to it, the oldest first."""

WRITTEN_KEY = "etcd-sandbox/availability"
"""The one key that is written, with a number that rises; each write is a revision."""


_log = logging.getLogger(__name__)


class Availability:
    """A bucket each 100 ms, the same for all who look on; nothing is tried while nobody does.

    `client_urls` are where clients reach the running members, `reads` are those that verdicts are
    measured with: an outage is as long here as there. Writes are tried, on one member after the
    other, while at least one viewer wants them.
    """

    def __init__(
        self,
        gateway: Gateway,
        client_urls: Callable[[], Sequence[str]],
        reads: Probe,
        raft: RaftWatch,
    ) -> None:
        self._client_urls = client_urls
        self._reads = reads
        self._raft = raft
        numbers = itertools.count()
        self._writes = Probe(
            lambda url, timeout_s: gateway.put(url, WRITTEN_KEY, str(next(numbers)), timeout_s),
            client_urls,
            lost_s=LOST_S,
        )
        self._viewers: dict[asyncio.Queue[Bucket | None], bool] = {}
        self._running: asyncio.Task[None] | None = None

    async def watch(self, *, writes: bool) -> AsyncGenerator[Bucket, None]:
        """The buckets from now on, in order, each when its time is over."""
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
        due = time.monotonic()
        with self._reads.watching(READ_EVERY_S, at_a_time=1) as reads, ExitStack() as stack:
            writes: Record | None = None
            while True:
                if any(self._viewers.values()) != (writes is not None):
                    stack.pop_all().close()
                    wanted = writes is None
                    writes = (
                        stack.enter_context(self._writes.watching(BUCKET_S, at_a_time=1))
                        if wanted
                        else None
                    )
                time_us = time.time_ns() // 1000
                due = max(due + BUCKET_S, time.monotonic())
                await asyncio.sleep(due - time.monotonic())
                try:
                    self._tell(self._bucket(time_us, reads, writes))
                except Exception:
                    _log.exception("a tenth of a second was not measured")

    def _bucket(self, time_us: int, reads: Record, writes: Record | None) -> Bucket:
        now, now_us = time.monotonic(), time.time_ns() // 1000
        read = reads.taken()
        written = writes.taken() if writes is not None else []
        served = [each.ended for each in read if each.served]
        moments = [now_us - round((now - moment) * 1_000_000) for moment in served]
        return Bucket(
            time_us=time_us,
            reads=len(served),
            reads_late=_late(read),
            reads_failed=len(read) - len(served),
            reads_waiting=_waiting(reads, now),
            writes=sum(each.served for each in written),
            writes_late=_late(written),
            writes_failed=sum(not each.served for each in written),
            writes_waiting=_waiting(writes, now) if writes is not None else 0,
            asked=len(self._client_urls()),
            first_read_us=min(moments, default=None),
            last_read_us=max(moments, default=None),
            leaderless=self._raft.leaderless_since is not None,
        )

    def _tell(self, bucket: Bucket) -> None:
        for queue in self._viewers:
            _put(queue, bucket)


def _late(tries: Sequence[Try]) -> int:
    return sum(each.served and each.took_s > LATE_S for each in tries)


def _waiting(record: Record, now: float) -> int:
    return sum(now - began > UNNOTICED_S for began in record.pending)


def _put(queue: asyncio.Queue[Bucket | None], bucket: Bucket | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(bucket)
