"""The control socket under strange visitors: a cluster that is only a model, a real socket, threads that ask."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import socket
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

import pytest
from etcd_sandbox.cluster.cluster import Cluster
from etcd_sandbox.control import asked, bounded, connections
from etcd_sandbox.control.server import ControlServer, bind
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.order import LONGEST_TIMEOUT_S, Order
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.logbook import Logbook
from etcd_sandbox.verbs import LONGEST_DELAY_S

DEADLINE_S = 20.0
IDLE = 3000
FOLLOWERS = 300


class ModelCluster:
    """What the routes ask of a cluster. `act` ends when `go` is set."""

    def __init__(self, root: Path) -> None:
        self.ended = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self.bus = Bus(root / "events.jsonl")
        self.logbook = Logbook(root / "logs")
        self.operations = self.last_words = self
        self.orders: list[Order] = []
        self.done = self.waited_for = 0
        self.why = ""

    def follows(self, what: str) -> None:
        """Somebody listens to it."""

    async def status(self, *, with_hash: bool) -> dict[str, object]:
        return {"with_hash": with_hash}

    async def ready(self, timeout_s: float) -> dict[str, object]:
        self.waited_for += 1
        try:
            await asyncio.sleep(timeout_s)
        finally:
            self.waited_for -= 1
        return {}

    def shutdown(self, *, kill: bool, purge: bool) -> None:
        """It is only told to."""

    async def act(self, order: Order) -> dict[str, object]:
        self.orders.append(order)
        await self.go.wait()
        self.done += 1
        return {}


Scene = Callable[["Visitor"], None]


class Visitor:
    """Who comes to the socket, from a thread of its own."""

    def __init__(self, cluster: ModelCluster, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.cluster = cluster
        self._path = path
        self._loop = loop

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(DEADLINE_S)
        connection.connect(str(self._path))
        return connection

    def send(self, head: str, content: bytes = b"") -> socket.socket:
        connection = self.connect()
        connection.sendall(f"{head} HTTP/1.1\r\nHost: sandbox\r\n\r\n".encode() + content)
        return connection

    def post(self, path: str, content: bytes) -> tuple[int, dict[str, Any]]:
        with self.connect() as connection:
            head = (
                f"POST {path} HTTP/1.1\r\nHost: sandbox\r\nContent-Length: {len(content)}\r\n\r\n"
            )
            connection.sendall(head.encode() + content)
            return answer(connection)

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        with self.send(f"GET {path}") as connection:
            return answer(connection)

    def call(self, what: Callable[[], object]) -> None:
        """In the server's own thread."""
        self._loop.call_soon_threadsafe(what)


def answer(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    with connection.makefile("rb") as stream:
        status, length = int(stream.readline().split()[1]), 0
        while line := stream.readline().strip().lower():
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, json.loads(stream.read(length) or b"{}")


def until(there_is: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not there_is():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))  # noqa: PTH112, PTH208


def served(tmp_path: Path, scene: Scene) -> ModelCluster:
    """Serve a model cluster as long as the scene lasts."""

    async def run() -> ModelCluster:
        cluster, path = ModelCluster(tmp_path), tmp_path / "control.sock"
        server = ControlServer(cast(Cluster, cluster))
        serving = asyncio.create_task(server.serve(sockets=[bind(path)]))
        visitor = Visitor(cluster, path, asyncio.get_running_loop())
        try:
            await asyncio.to_thread(scene, visitor)
        finally:
            cluster.ended.set()
            cluster.go.set()
            cluster.logbook.close()
            cluster.bus.close()
            await serving
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)
        return cluster

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def _no_tracebacks(caplog: pytest.LogCaptureFixture) -> Generator[None, None, None]:
    caplog.set_level(logging.WARNING)
    yield
    assert [record.getMessage() for record in caplog.records] == []


def test_a_body_that_nobody_wants_is_refused_before_it_was_read(tmp_path: Path) -> None:
    def scene(visitor: Visitor) -> None:
        size = 400 << 20
        for head in (f"Content-Length: {size}", "Transfer-Encoding: chunked"):
            with visitor.connect() as connection:
                request = f"POST /v1/apply HTTP/1.1\r\nHost: sandbox\r\n{head}\r\n\r\n"
                connection.sendall(request.encode())
                sent, piece = 0, b"10000\r\n" + b"[" * 65536 + b"\r\n"
                with contextlib.suppress(OSError):
                    while sent < size:
                        sent += connection.send(piece)
                assert sent < 4 * bounded.LARGEST_BODY_BYTES
                status, body = answer(connection)
                assert status == 413
                assert "larger than 8 MiB" in body["error"]["what"]
        assert visitor.get("/v1/status")[0] == 200

    served(tmp_path, scene)


def test_a_body_that_does_not_come_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "BODY_WITHIN_S", 0.1)

    def scene(visitor: Visitor) -> None:
        with visitor.connect() as connection:
            connection.sendall(
                b"POST /v1/act/kill HTTP/1.1\r\nHost: sandbox\r\nContent-Length: 9\r\n\r\n{"
            )
            assert answer(connection)[0] == 408
            assert connection.recv(1) == b""

    assert not served(tmp_path, scene).orders


def test_a_connection_that_asks_nothing_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ASKS_WITHIN_S", 0.1)

    def scene(visitor: Visitor) -> None:
        for begun in (b"", b"GET /v1/status HTTP/1.1\r\nHo"):
            with visitor.connect() as connection:
                connection.sendall(begun)
                assert connection.recv(1) == b""

    served(tmp_path, scene)


@pytest.mark.parametrize("way", ["half closed", "dropped", "dropped with more to ask"])
def test_who_leaves_amid_a_verb_leaves_no_descriptor_and_the_verb_is_done(
    tmp_path: Path, way: str
) -> None:
    def scene(visitor: Visitor) -> None:
        visitor.cluster.go.clear()
        before, left = descriptors(), []
        body = b'{"select": ["etcd1"]}'
        head = f"POST /v1/act/kill HTTP/1.1\r\nHost: sandbox\r\nContent-Length: {len(body)}\r\n\r\n"
        for number in range(bounded.MOST_VERBS):
            connection = visitor.connect()
            connection.sendall(head.encode() + body)
            until(lambda number=number: len(visitor.cluster.orders) > number)  # type: ignore[misc]
            if way == "dropped with more to ask":
                connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: sandbox\r\n\r\n" * 3)
            if way == "half closed":
                connection.shutdown(socket.SHUT_WR)
                left.append(connection)
            else:
                connection.close()
        until(lambda: descriptors() - before <= len(left) + 5)
        for connection in left:
            connection.close()
        visitor.call(visitor.cluster.go.set)
        until(lambda: visitor.cluster.done == bounded.MOST_VERBS)

    served(tmp_path, scene)


def test_a_question_whose_asker_is_gone_is_given_up(tmp_path: Path) -> None:
    def scene(visitor: Visitor) -> None:
        before = descriptors()
        asked = [visitor.send("GET /v1/ready?timeout_s=1e9") for _ in range(100)]
        until(lambda: visitor.cluster.waited_for == 100)
        for connection in asked:
            connection.close()
        until(lambda: descriptors() - before <= 5 and visitor.cluster.waited_for == 0)

    served(tmp_path, scene)


_STRANGE_BODIES = [
    b'{"select": ["etcd1"], "timeout_s": 1e400}',
    b'{"select": ["etcd1"], "timeout_s": NaN}',
    b'{"select": ["etcd1"], "timeout_s": Infinity}',
    b'{"select": ["etcd1"], "timeout_s": -1}',
    b'{"select": ["etcd1"], "timeout_s": 1e300}',
    b'{"select": ["etcd1"], "delay_s": 1e300}',
    b'{"select": ["etcd1"], "seed": ' + b"9" * 5000 + b"}",
    b'{"select": ' + b"[" * 100_000,
    b'{"unknown": ' + b'{"a":' * 100_000,
    b'{"select": [' + b",".join([b'"etcd1"'] * 5000) + b"]}",
    b"[]",
    b"null",
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", _STRANGE_BODIES, ids=lambda body: body[:40].decode("latin-1"))
def test_a_body_that_cannot_be_meant_is_told_so(tmp_path: Path, body: bytes) -> None:
    def scene(visitor: Visitor) -> None:
        status, told = visitor.post("/v1/act/slow", body)
        assert (status, told["error"]["exit_code"]) == (400, 2)

    assert not served(tmp_path, scene).orders


@pytest.mark.parametrize(
    "asked",
    [
        "/v1/ready?timeout_s=inf",
        "/v1/ready?timeout_s=nan",
        "/v1/ready?timeout_s=-inf",
        "/v1/ready?timeout_s=" + "9" * 5000,
        "/v1/events?tail=1e400",
        "/v1/events?tail=nan",
        "/v1/logs?tail=-inf",
        "/v1/logs?since_us=1e300",
        "/v1/logs?since_us=%D9%A1x",
    ],
)
def test_a_number_that_is_none_is_told_so(tmp_path: Path, asked: str) -> None:
    def scene(visitor: Visitor) -> None:
        status, told = visitor.get(asked)
        assert (status, told["error"]["exit_code"]) == (400, 2)
        assert len(told["error"]["what"]) < 120

    served(tmp_path, scene)


def test_a_null_is_as_good_as_nothing(tmp_path: Path) -> None:
    def scene(visitor: Visitor) -> None:
        body = {"select": ["etcd1"], "versus": None, "delay_s": 0.1, "jitter_s": None}
        body |= dict.fromkeys(("signal", "seed", "name", "learner", "force", "wait", "timeout_s"))
        assert visitor.post("/v1/act/slow", json.dumps(body).encode())[0] == 200

    (order,) = served(tmp_path, scene).orders
    assert (order.select, order.jitter_s, order.timeout_s, order.wait) == (("etcd1",), 0, 30, True)


def test_what_there_is_not_is_told_in_the_same_shape(tmp_path: Path) -> None:
    def scene(visitor: Visitor) -> None:
        assert visitor.get("/v2/status")[0] == 404
        status, told = visitor.get("/v1/apply")
        assert (status, told["error"]["what"]) == (405, "the control API has no GET /v1/apply")

    served(tmp_path, scene)


def test_what_is_no_http_ends_the_connection_also_amid_an_answer(tmp_path: Path) -> None:
    def scene(visitor: Visitor) -> None:
        with visitor.connect() as connection:
            connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 400"
        with visitor.send("GET /v1/logs?follow=1") as connection:
            assert connection.recv(8) == b"HTTP/1.1"
            with contextlib.suppress(OSError):
                connection.sendall(b"\x00\r\n\r\n" * connections.AHEAD_BYTES)
                while connection.recv(65536):
                    pass
        assert visitor.get("/v1/status")[0] == 200

    served(tmp_path, scene)


def test_thousands_that_ask_nothing_and_hundreds_that_never_read_delay_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etcd_sandbox.control.server.most_connections", lambda: 500)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = min(hard, 2 * (IDLE + FOLLOWERS))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    idle = min(IDLE, soft - 2 * FOLLOWERS - 600)

    def scene(visitor: Visitor) -> None:
        with contextlib.ExitStack() as stack:
            for number in range(FOLLOWERS):
                followed = "logs" if number % 6 else "events"
                stack.enter_context(visitor.send(f"GET /v1/{followed}?follow=1"))
            lines = b"line\n" * 20_000
            for _ in range(20):
                visitor.call(lambda: visitor.cluster.logbook.append("etcd1", lines))
                visitor.call(lambda: visitor.cluster.bus.publish(Kind.CLUSTER_READY, after_s=1.0))
            waited = []
            for number in range(idle):
                stack.enter_context(visitor.connect())
                if number % 300 == 0:
                    # Of the processor, of which other programs may have the most: what is done first.
                    began = time.process_time()
                    assert visitor.get("/v1/status")[0] == 200
                    waited.append(time.process_time() - began)
            assert sorted(waited)[len(waited) // 2] < 0.3, waited

    served(tmp_path, scene)


def test_too_many_streams_are_told_so_and_leave_room_for_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = bounded.KEPT_FREE + 10
    monkeypatch.setattr("etcd_sandbox.control.server.most_connections", lambda: most)

    def scene(visitor: Visitor) -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(10):
                stream = stack.enter_context(visitor.send("GET /v1/logs?follow=1"))
                assert stream.recv(12) == b"HTTP/1.1 200"
            status, told = visitor.get("/v1/logs?follow=1")
            assert (status, told["error"]["exit_code"]) == (503, 1)
            assert "10 requests" in told["error"]["what"]
            assert visitor.get("/v1/status")[0] == 200
        until(lambda: visitor.get("/v1/logs?tail=0")[0] == 200)

    served(tmp_path, scene)


def test_more_verbs_than_can_be_measured_at_once_are_told_so_and_can_still_be_ended(
    tmp_path: Path,
) -> None:
    body = b'{"select": ["etcd1"]}'

    def scene(visitor: Visitor) -> None:
        visitor.cluster.go.clear()
        with contextlib.ExitStack() as stack:
            for _ in range(bounded.MOST_VERBS):
                head = f"POST /v1/act/kill HTTP/1.1\r\nHost: sandbox\r\nContent-Length: {len(body)}"
                connection = stack.enter_context(visitor.connect())
                connection.sendall(f"{head}\r\n\r\n".encode() + body)
            until(lambda: len(visitor.cluster.orders) == bounded.MOST_VERBS)
            status, told = visitor.post("/v1/act/kill", body)
            assert (status, told["error"]["exit_code"]) == (503, 1)
            assert visitor.get("/v1/status")[0] == 200
            assert visitor.post("/v1/shutdown", b"{}")[0] == 200
            visitor.call(visitor.cluster.go.set)
            until(lambda: visitor.post("/v1/act/kill", body)[0] == 200)

    served(tmp_path, scene)


def test_a_delay_may_be_as_long_as_is_said(tmp_path: Path) -> None:
    def scene(visitor: Visitor) -> None:
        body = {"select": ["etcd1"], "delay_s": LONGEST_DELAY_S}
        assert visitor.post("/v1/act/slow", json.dumps(body).encode())[0] == 200

    assert len(served(tmp_path, scene).orders) == 1


@pytest.mark.parametrize("text", ["-5", "-1", "1e10", "nan", "soon"])
def test_a_time_to_wait_that_is_none_is_told_with_what_it_may_be(text: str) -> None:
    with pytest.raises(InputError) as caught:
        asked.number("timeout_s", text, 30.0, least=0, most=LONGEST_TIMEOUT_S)
    assert str(caught.value) == f"timeout_s must be a number from 0 to 1000000000, not {text!r}"
