"""What happened, for everyone who asks: numbered, written down, and handed to each subscriber.

Events are never dropped: a subscriber's queue grows until it is read. Registering a subscriber
and taking its snapshot of the past happen without an `await` between, so nothing slips through.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from etcd_sandbox.model.event import Event, Kind

REMEMBERED_EVENTS = 10_000
LARGEST_FILE_BYTES = 16 << 20
"""Above this size the file is set aside (`events.jsonl.1`) when a supervisor starts."""

_log = logging.getLogger(__name__)


def timestamp(at_us: int | None = None) -> str:
    """That microsecond since the epoch, or now, as RFC 3339 in UTC with microseconds."""
    at_us = time.time_ns() // 1000 if at_us is None else at_us
    moment = _EPOCH + timedelta(microseconds=at_us)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Bus:
    """The events of one cluster, kept in `path` and in memory."""

    def __init__(self, path: Path) -> None:
        self._seq = _last_seq(path)
        if path.exists() and path.stat().st_size > LARGEST_FILE_BYTES:
            path.replace(path.with_name(path.name + ".1"))
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._unwritten: deque[bytes] = deque(maxlen=REMEMBERED_EVENTS)
        self._past: deque[Event] = deque(maxlen=REMEMBERED_EVENTS)
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self._listeners: list[Callable[[Event], None]] = []
        self._before: list[Callable[[], None]] = []

    def publish(self, kind: Kind, member: str | None = None, **fields: object) -> Event:
        """Number an event of this moment, write it down, hand it on."""
        for tell in self._before:
            tell()
        return self._publish(timestamp(), kind, member, fields)

    def publish_at(
        self, at_us: int, kind: Kind, member: str | None = None, /, **fields: object
    ) -> Event:
        """The same of one that happened earlier, at that microsecond since the epoch."""
        return self._publish(timestamp(at_us), kind, member, fields)

    def _publish(self, ts: str, kind: Kind, member: str | None, fields: dict[str, object]) -> Event:
        self._seq += 1
        event = Event(seq=self._seq, ts=ts, kind=kind, member=member, fields=fields)
        self._unwritten.append(json.dumps(event.to_wire()).encode() + b"\n")
        self._write_down()
        self._past.append(event)
        for queue in self._queues:
            queue.put_nowait(event)
        for listener in self._listeners:
            listener(event)
        return event

    def _write_down(self) -> None:
        """Write what is not in the file yet; what a full disk refuses is tried again with the next event."""
        while self._unwritten:
            line = self._unwritten[0]
            try:
                if (written := os.write(self._fd, line)) < len(line):
                    # Half a line would spoil the next one.
                    os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                _log.warning("%d events are not written down yet: %s", len(self._unwritten), error)
                return
            self._unwritten.popleft()

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event, at once and in order."""
        self._listeners.append(listener)

    def before(self, tell: Callable[[], None]) -> None:
        """Call `tell` before an event of this moment is published: whoever knows of earlier ones tells them."""
        self._before.append(tell)

    @contextmanager
    def subscribe(
        self, tail: int | None
    ) -> Iterator[tuple[list[Event], asyncio.Queue[Event | None]]]:
        """The last `tail` events (all that are remembered, if None) and a queue of what follows.

        None in the queue means that there will be no more.
        """
        past = list(self._past)
        if tail is not None:
            past = past[max(0, len(past) - tail) :]
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield past, queue
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """End every subscription."""
        for queue in self._queues:
            queue.put_nowait(None)
        os.close(self._fd)


def _last_seq(path: Path) -> int:
    """The number of the last event in the file; 0 when there is none that can be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 65536))
            lines = file.read().splitlines()
    except OSError:
        return 0
    for line in reversed(lines):
        try:
            return int(json.loads(line)["seq"])
        except (ValueError, KeyError, TypeError):
            continue
    return 0
