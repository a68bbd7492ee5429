"""The supervisor's side of the control API: Starlette routes over one cluster, served by uvicorn.

`curl --unix-socket …/control.sock http://sandbox/v1/status` works as well.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from uvicorn.config import Config
from uvicorn.server import Server

from etcd_sandbox.cluster.cluster import Cluster
from etcd_sandbox.cluster.upgrading import Upgrade
from etcd_sandbox.control.asked import (
    ShutdownBody,
    act_body,
    body_of,
    flag,
    number,
    order_of,
)
from etcd_sandbox.control.bounded import Bounded, UserHeader
from etcd_sandbox.control.connections import (
    BACKLOG,
    TAKEN_AT_ONCE,
    Connection,
    Waiting,
    most_connections,
)
from etcd_sandbox.control.streams import Streams, frames
from etcd_sandbox.control.wire import error_to_wire, lost_frame
from etcd_sandbox.errors import InputError, NotRunning, SandboxError, TimedOut
from etcd_sandbox.model.access import as_text
from etcd_sandbox.model.order import LONGEST_TIMEOUT_S
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.model.upgrade import MemberUpgrade, UpgradeOrder, UpgradePlan
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.verbs import VERBS

REQUESTS_END_WITHIN_S = 1

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


class Routes:
    """The routes over one cluster."""

    def __init__(self, cluster: Cluster, streams: Streams) -> None:
        self._cluster = cluster
        self._streams = streams

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/status", self.status),
                Route("/v1/plan", self.plan),
                Route("/v1/processes/{name}", self.detail),
                Route("/v1/ready", self.ready),
                Route("/v1/events", self.events),
                Route("/v1/logs", self.logs),
                Route("/v1/availability", self.availability),
                Route("/v1/act/{verb}", self.act, methods=["POST"]),
                Route("/v1/upgrade", self.upgrade, methods=["POST"]),
                Route("/v1/upgrade/halt", self.halt_upgrade, methods=["POST"]),
                Route("/v1/apply", self.apply, methods=["POST"]),
                Route("/v1/shutdown", self.shutdown, methods=["POST"]),
            ],
            middleware=[Middleware(UserHeader, cluster=self._cluster)],
            exception_handlers={
                SandboxError: _refused,
                HTTPException: _unknown,
                Exception: _failed,
            },
        )

    async def status(self, request: Request) -> Response:
        """GET: the cluster now (schema 1); `hash=1` adds the members' hashes."""
        return _json(await self._cluster.operations.status(with_hash=_flag(request, "hash")))

    async def plan(self, request: Request) -> Response:
        """GET: the running ClusterSpec."""
        return _json(self._cluster.spec)

    async def detail(self, request: Request) -> Response:
        """GET: one process from near (`model.state`), by a selector that means one."""
        return _json(await self._cluster.operations.detail(request.path_params["name"]))

    async def ready(self, request: Request) -> Response:
        """GET: waits up to `timeout_s` for what the start began."""
        asked = request.query_params.get("timeout_s")
        timeout_s = number("timeout_s", asked, 30.0, least=0, most=LONGEST_TIMEOUT_S)
        return _json(await self._cluster.ready(timeout_s))

    async def act(self, request: Request) -> Response:
        """POST: one verb to the selected processes, and between members; a Verdict."""
        verb = VERBS.get(request.path_params["verb"])
        if verb is None:
            raise InputError(
                f"no verb {request.path_params['verb']!r}", hint=f"verbs: {', '.join(VERBS)}"
            )
        body = await _body(request, act_body(verb))
        if not body.select and verb.targets.selected:
            raise InputError(f"{verb} needs to know whom", hint="select names processes")
        return _json(await self._cluster.operations.act(order_of(verb, body)))

    async def upgrade(self, request: Request) -> Response:
        """POST: give members another etcd, one after the other: NDJSON as `control.wire` has it.

        `dry_run=1`: the UpgradePlan, and nothing is done. Whoever leaves the stream halts it.
        """
        order = await _body(request, UpgradeOrder)
        if not order.select:
            raise InputError("upgrade needs to know whom", hint="select names members, or is all")
        if _flag(request, "dry_run"):
            return _json(await self._cluster.operations.upgrading.plan(order))
        upgrade = await self._cluster.operations.upgrading.begin(order)
        return StreamingResponse(_news(upgrade), media_type="application/x-ndjson")

    async def halt_upgrade(self, request: Request) -> Response:
        """POST: end the upgrade after the member that it is at."""
        return _json({"halting": self._cluster.operations.upgrading.halt()})

    async def apply(self, request: Request) -> Response:
        """POST: make the running set match the ClusterSpec in the body; `dry_run=1` only compares."""
        wanted = await _body(request, ClusterSpec)
        return _json(
            await self._cluster.operations.apply(wanted, dry_run=_flag(request, "dry_run"))
        )

    async def shutdown(self, request: Request) -> Response:
        """POST: begin to stop everything."""
        body = await _body(request, ShutdownBody)
        self._cluster.shutdown(kill=body.kill, purge=body.purge)
        return _json({"stopping": True})

    async def events(self, request: Request) -> Response:
        """GET: events as NDJSON, the last `tail`, and with `follow=1` what comes."""
        tail = int(_number(request, "tail"))
        follow = _flag(request, "follow")

        async def lines() -> AsyncIterator[bytes]:
            with self._cluster.bus.subscribe(None if tail < 0 else tail) as (past, queue):
                if follow:
                    self._cluster.last_words.follows("events")
                yield b"".join(
                    msgspec.json.encode(event.to_wire(), enc_hook=as_text) + b"\n" for event in past
                )
                while follow and (event := await queue.get()) is not None:
                    yield msgspec.json.encode(event.to_wire(), enc_hook=as_text) + b"\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def availability(self, request: Request) -> Response:
        """GET: buckets of 100 ms as NDJSON, from now on; `writes=1` tries writes, too."""
        buckets = self._cluster.operations.availability.watch(writes=_flag(request, "writes"))

        async def lines() -> AsyncIterator[bytes]:
            async with aclosing(buckets):
                async for bucket in buckets:
                    yield msgspec.json.encode(bucket) + b"\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def logs(self, request: Request) -> Response:
        """GET: log lines as frames (`control.wire`), of `select`, from `tail` lines or `since_us` on."""
        words = request.query_params.getlist("select")
        processes = frozenset(await self._cluster.operations.select(words)) if words else None
        tail, since_us = _number(request, "tail"), _number(request, "since_us")
        reader = self._cluster.logbook.reader(
            processes,
            tail=None if tail < 0 else int(tail),
            since_us=None if since_us < 0 else int(since_us),
        )
        loss = self._cluster.logbook.loss
        lost = lost_frame(loss.lines, loss.losing, loss.why) if loss.lines else b""
        return StreamingResponse(
            frames(
                reader,
                self._streams,
                lost,
                self._cluster.last_words,
                follow=_flag(request, "follow"),
            ),
            media_type="application/octet-stream",
        )


async def _news(upgrade: Upgrade) -> AsyncIterator[bytes]:
    async with aclosing(upgrade.told()) as told:
        async for news in told:
            match news:
                case UpgradePlan():
                    line: dict[str, object] = {"plan": news}
                case MemberUpgrade():
                    line = {"member": news}
                case Verdict():
                    line = {"verdict": news}
                case SandboxError():
                    line = error_to_wire(news)
            yield msgspec.json.encode(line) + b"\n"


class ControlServer(Server):
    """uvicorn on a socket of our own; the signals and the end are the supervisor's to decide."""

    def __init__(self, cluster: Cluster) -> None:
        self._streams, most = Streams(), most_connections()

        class Counted(Connection):
            waiting = Waiting(most)

        super().__init__(
            Config(
                Bounded(Routes(cluster, self._streams).application(), most),
                log_config=None,
                access_log=False,
                date_header=False,
                server_header=False,
                lifespan="off",
                http=Counted,
                backlog=TAKEN_AT_ONCE,
                ws="none",
                timeout_graceful_shutdown=REQUESTS_END_WITHIN_S,
            )
        )
        self._cluster_ended = cluster.ended

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: the supervisor handles them."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve. asyncio takes as many connections at once as it lets wait."""
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(BACKLOG)

    async def main_loop(self) -> None:
        """Serve until the cluster has ended, without uvicorn's ten looks a second."""
        await self._cluster_ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; viewers that get on have the last lines within LAST_WORDS_WITHIN_S, or without their end.

        With nobody there, at once.
        """
        await self._streams.end(self._untaken)
        if self.server_state.connections:
            await super().shutdown(sockets)
        for server in self.servers:
            server.close()

    def _untaken(self) -> int:
        """How many bytes are written to connections that the other side has not taken."""
        transports = [connection.transport for connection in self.server_state.connections]
        return sum(transport.get_write_buffer_size() for transport in transports)


def bind(path: Path) -> socket.socket:
    """A listening Unix socket that only this user can connect to.

    uvicorn would make its own 0666. The caller holds the cluster's lock, so a socket file that
    is there already belongs to a dead supervisor.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(BACKLOG)
    return listener


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=as_text), media_type="application/json")


async def _body(request: Request, kind: type[_T]) -> _T:
    return body_of(await request.body(), kind, request.url.path)


def _flag(request: Request, name: str) -> bool:
    return flag(request.query_params.get(name))


def _number(request: Request, name: str) -> float:
    """A number that the request may name; -1 where it does not."""
    return number(name, request.query_params.get(name), -1)


async def _refused(request: Request, error: Exception) -> Response:
    match error:
        case InputError():
            status = 400
        case NotRunning():
            status = 404
        case TimedOut():
            status = 504
        case _:
            status = 409
    body = error_to_wire(error) if isinstance(error, SandboxError) else {}
    return Response(msgspec.json.encode(body), status, media_type="application/json")


async def _unknown(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    what = InputError(f"the control API has no {request.method} {request.url.path}")
    return Response(msgspec.json.encode(error_to_wire(what)), status, media_type="application/json")


async def _failed(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    what = SandboxError(f"the supervisor failed at this: {type(error).__name__}: {error}")
    return Response(msgspec.json.encode(error_to_wire(what)), 500, media_type="application/json")
