"""Looks at members from outside, without the product's help, until each one serves clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from urllib.parse import urlsplit

ASK_EVERY_S = 0.01
ANSWER_WITHIN_S = 1.0


class HealthWatch:
    """Notes when each client URL first answers, through etcd's own API, that it knows a leader.

    A member that starts accepts connections before it answers them: such a question is left
    standing, so the answer comes the moment that the member serves. `maintenance/status` is
    asked because `/health` writes to the log of etcd 3.4.
    """

    def __init__(self, client_urls: Sequence[str]) -> None:
        self._healthy_at: dict[str, float] = {}
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(url,), daemon=True) for url in client_urls
        ]

    def __enter__(self) -> HealthWatch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def all_healthy_at(self, timeout_s: float = 60.0) -> float:
        """When the last member became healthy, on the monotonic clock; TimeoutError if one does not."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if len(self._healthy_at) < len(self._threads):
            raise TimeoutError(f"not all members were healthy after {timeout_s:g} s")
        return max(self._healthy_at.values())

    def _ask(self, url: str) -> None:
        address = urlsplit(url).netloc
        while not self._stopped.is_set():
            if _knows_leader(address):
                self._healthy_at[url] = time.monotonic()
                return
            self._stopped.wait(ASK_EVERY_S)


def _knows_leader(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=ANSWER_WITHIN_S)
    with contextlib.closing(connection):
        try:
            connection.request("POST", "/v3/maintenance/status", b"{}")
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return False
    return int(answer.get("leader", 0)) != 0
