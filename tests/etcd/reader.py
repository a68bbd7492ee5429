"""An independent reader of a cluster: a process of its own that finds out how long reads failed.

    python reader.py http://127.0.0.1:12379 …

It reads linearizably on every member, over and over, with several reads under way on each, and
says `reading` when all of them answer. At the end of stdin it prints one JSON object:
`longest_gap_s`, the longest time between two successes on any member; `late_s`, by how much the
machine let a read begin too late about the ends of that time; and `reads`.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

READERS_PER_MEMBER = 3
EVERY_S = 0.02
TIMEOUT_S = 0.2
ABOUT_S = 0.1
_BODY = json.dumps({"key": "AA==", "count_only": True})


class IndependentReader:
    """The process, for the time of a with-block; what it found is known after it."""

    longest_gap_s: float
    late_s: float
    reads: int

    def __init__(self, endpoints: list[str]) -> None:
        self._endpoints = endpoints

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", str(Path(__file__)), *self._endpoints],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "reading\n"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        said, _ = self._process.communicate(timeout=10)
        found: dict[str, Any] = json.loads(said)
        self.longest_gap_s, self.late_s = found["longest_gap_s"], found["late_s"]
        self.reads = found["reads"]


class _Readers:
    """Threads that read: when they succeeded, and from when to when each waited for a processor."""

    def __init__(self, endpoints: list[str]) -> None:
        self.moments: list[float] = []
        self.waits: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(urlsplit(endpoint).netloc, place))
            for endpoint in endpoints
            for place in range(READERS_PER_MEMBER)
        ]
        self._answered = [threading.Event() for _ in self._threads]
        for thread in self._threads:
            thread.start()

    def until_all_answered(self) -> None:
        for answered in self._answered:
            answered.wait()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _read(self, address: str, place: int) -> None:
        me = self._threads.index(threading.current_thread())
        connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
        due = time.monotonic() + EVERY_S * place / READERS_PER_MEMBER
        while True:
            due = max(due, time.monotonic())
            if self._over.wait(due - time.monotonic()):
                break
            self.waits.append((due, time.monotonic()))
            due += EVERY_S
            try:
                connection.request("POST", "/v3/kv/range", _BODY)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                continue
            if answer.status == 200 and b"header" in content:
                self.moments.append(time.monotonic())
                self._answered[me].set()
        connection.close()


def main() -> None:
    readers = _Readers(sys.argv[1:])
    readers.until_all_answered()
    sys.stdout.write("reading\n")
    sys.stdout.flush()
    began = time.monotonic()
    with suppress(KeyboardInterrupt):
        sys.stdin.read()
    readers.end()
    moments = [began, *sorted(moment for moment in readers.moments if moment > began)]
    gap_s, *ends = max((later - earlier, earlier, later) for earlier, later in pairwise(moments))
    late_s = max(
        ended - due
        for due, ended in readers.waits
        if any(due - ABOUT_S < end < ended + ABOUT_S for end in ends)
    )
    json.dump({"longest_gap_s": gap_s, "late_s": late_s, "reads": len(moments) - 1}, sys.stdout)


if __name__ == "__main__":
    main()
