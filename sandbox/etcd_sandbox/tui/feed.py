"""Keeps the store fed from the control API, and goes on trying when the supervisor is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec

from etcd_sandbox.control.async_client import AsyncControlClient
from etcd_sandbox.control.wire import Frame, LinesFrame
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.event import Kind, event_from_wire
from etcd_sandbox.model.service import Bucket
from etcd_sandbox.model.state import ClusterStatus
from etcd_sandbox.tui.store import EVENTS_KEPT, Store

STATUS_EVERY_S = 1.0
"""An event brings the next answer forward."""

AGAIN_S = 1.0
"""How long until the supervisor is asked again that did not answer."""

STATUS_LEAST_S = 0.1

LINES_OF_THE_PAST = 2000

_KINDS = frozenset(Kind)


class Feed:
    """Four streams into one store: the members, the events, the availability, the logs.

    `changed` is called after each piece of news that is not a log line; `frame` gets those.
    """

    def __init__(
        self,
        client: AsyncControlClient,
        store: Store,
        *,
        changed: Callable[[], None],
        frame: Callable[[Frame], None],
    ) -> None:
        self._client = client
        self._store = store
        self._changed = changed
        self._frame = frame
        self._ask_now = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._buckets: asyncio.Task[None] | None = None
        self._supervisor = 0
        self._last_seq = 0
        self._heard_us = 0

    def start(self) -> None:
        for stream in (self._statuses, self._events, self._logs):
            self._tasks.append(asyncio.create_task(self._again_and_again(stream)))
        self.probe(writes=False)

    def probe(self, *, writes: bool) -> None:
        """Watch whether clients are served: by reads, or by reads and writes."""
        if self._buckets is not None:
            self._buckets.cancel()
            self._tasks.append(self._buckets)
        watch = partial(self._availability, writes=writes)
        self._buckets = asyncio.create_task(self._again_and_again(watch))

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._buckets] if self._buckets else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _again_and_again(self, stream: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                await stream()
            except SandboxError as error:
                self._store.lose(str(error))
                self._changed()
            except (msgspec.MsgspecError, ValueError, KeyError) as error:
                # A supervisor of another version.
                self._store.lose(f"the supervisor's answer is not understood: {error}")
                self._changed()
            await asyncio.sleep(AGAIN_S)

    async def _statuses(self) -> None:
        while True:
            # An event that comes while the members are asked is asked about again.
            self._ask_now.clear()
            answer = await self._client.status()
            self._store.take_status(msgspec.convert(answer, ClusterStatus))
            self._changed()
            await asyncio.sleep(STATUS_LEAST_S)
            try:
                await asyncio.wait_for(self._ask_now.wait(), STATUS_EVERY_S)
            except TimeoutError:
                continue

    async def _events(self) -> None:
        supervisor = int((await self._client.status())["supervisor"]["pid"])
        if supervisor != self._supervisor:
            # A new one may number its events from one again.
            self._supervisor, self._last_seq = supervisor, 0
        async with aclosing(self._client.events(follow=True, tail=EVENTS_KEPT)) as events:
            async for answer in events:
                if answer["kind"] in _KINDS and answer["seq"] > self._last_seq:
                    self._last_seq = answer["seq"]
                    self._store.take_event(event_from_wire(answer))
                    self._changed()
                    self._ask_now.set()

    async def _availability(self, *, writes: bool) -> None:
        async with aclosing(self._client.availability(writes=writes)) as buckets:
            async for answer in buckets:
                self._store.take_bucket(msgspec.convert(answer, Bucket))
                self._changed()

    async def _logs(self) -> None:
        frames: AsyncIterator[Frame]
        # After an interruption it goes on where it was.
        since_us = self._heard_us + 1 if self._heard_us else None
        tail = None if since_us else LINES_OF_THE_PAST
        async with aclosing(self._client.logs(follow=True, tail=tail, since_us=since_us)) as frames:
            async for frame in frames:
                if isinstance(frame, LinesFrame):
                    self._heard_us = frame.time_us
                self._frame(frame)
