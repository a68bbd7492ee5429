"""A writer that goes on whatever happens to the members, and knows which of its writes were acknowledged."""

from __future__ import annotations

import threading
import time
from itertools import count
from types import TracebackType
from typing import Self

from tests.etcd.client import all_below, is_put

TIMEOUT_S = 1.0
"""A write that is in flight when its leader goes may hang for 7 s."""

EVERY_S = 0.05

PREFIX = "written/"


class Writer:
    """Writes one key after the other, for the time of a with-block, at whichever member answers."""

    def __init__(self, endpoints: list[str], timeout_s: float = TIMEOUT_S) -> None:
        self._endpoints = endpoints
        self._timeout_s = timeout_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged: list[str] = []
        self.failed = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _write(self) -> None:
        at = 0
        for number in count():
            if self._over.wait(EVERY_S):
                return
            key = f"{PREFIX}{number}"
            if is_put(self._endpoints[at], key, key, self._timeout_s):
                self.acknowledged.append(key)
            else:
                self.failed += 1
                at = (at + 1) % len(self._endpoints)

    def lost(self, endpoint: str) -> list[str]:
        """The acknowledged writes that a member does not have, by its own copy of the data."""
        kept = all_below(endpoint, PREFIX)
        return [key for key in self.acknowledged if kept.get(key) != key]


def until_it_writes(writer: Writer, within_s: float = 30.0) -> None:
    """Return when a write was acknowledged."""
    deadline = time.monotonic() + within_s
    while not writer.acknowledged:
        assert time.monotonic() < deadline, "nothing is written"
        time.sleep(0.01)
