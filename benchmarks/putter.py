"""Puts keys into etcd over its JSON gateway, as cheaply as Python can, and prints how long it took.

Executed as `putter.py PORT CLIENTS SECONDS`: each client keeps one HTTP/1.1 connection and sends
the same bytes again as soon as it has the answer. One JSON object out: `puts`, `wall_s`, and
`median_s`, the median time of one put.
"""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import sys
import time
from typing import cast

import uvloop

VALUE_BYTES = 100
OK = b"HTTP/1.1 200"


class Client(asyncio.Protocol):
    """One connection: a put, its answer, the next put."""

    def __init__(self, number: int, until: float) -> None:
        key, value = base64.b64encode(b"bench/%d" % number), base64.b64encode(bytes(VALUE_BYTES))
        body = b'{"key":"%s","value":"%s"}' % (key, value)
        head = b"POST /v3/kv/put HTTP/1.1\r\nHost: etcd\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._request = head + body
        self._until = until
        self._answer = b""
        self._sent_at = 0.0
        self.took_s: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._put()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        now = time.perf_counter()
        if not head.startswith(OK):
            self._fail(f"etcd answered {self._answer!r}")
            return
        self.took_s.append(now - self._sent_at)
        if now < self._until:
            self._put()
        else:
            self.done.set_result(None)
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"etcd closed the connection: {error}")

    def _put(self) -> None:
        self._answer = b""
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(why))


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])


async def put(port: int, count: int, seconds: float) -> dict[str, float]:
    """Put with so many clients for so long."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    clients = [Client(number, began + seconds) for number in range(count)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(client.done for client in clients))
    wall_s = time.perf_counter() - began
    took_s = [each for client in clients for each in client.took_s]
    return {"puts": len(took_s), "wall_s": wall_s, "median_s": statistics.median(took_s)}


def main() -> None:
    port, clients, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    print(json.dumps(uvloop.run(put(port, clients, seconds))))  # noqa: T201


if __name__ == "__main__":
    main()
