"""The client of the control API for an event loop: as `control.client`, on httpx."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import cached_property
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack, cast

from etcd_sandbox.control import requests
from etcd_sandbox.control.answers import checked, checked_news, gone, not_running, silent
from etcd_sandbox.control.requests import ActOptions, Request, user_header
from etcd_sandbox.control.wire import Frame, read_frames
from etcd_sandbox.model.verb import Verb
from etcd_sandbox.paths import ClusterPaths

if TYPE_CHECKING:
    import httpx


class AsyncControlClient:
    """Asks and tells the supervisor of one cluster: the methods and errors of ControlClient.

    `async with` or `aclose` gives its connections back; an iterator that is left before its end
    is closed with `contextlib.aclosing`.
    """

    def __init__(self, paths: ClusterPaths, user: str | None = None) -> None:
        """`user` is `NAME:PASSWORD` of a user of etcd; by default what `$ETCD_SANDBOX_USER` says."""
        self.paths = paths
        self._user = user

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        # Imported at the first question: it takes 80 ms, half of them for a command line of its
        # own, and the dashboard has painted before it asks.
        import httpx

        # A connection a question, as the blocking client has it: one that is kept may be closed
        # by the supervisor just when it is used again. There are no certificates to be checked,
        # which would take 25 ms to load.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        uds = str(self.paths.socket)
        transport = httpx.AsyncHTTPTransport(uds=uds, limits=limits, verify=False)
        return httpx.AsyncClient(
            transport=transport,
            base_url="http://sandbox",
            headers=user_header(self._user),
            trust_env=False,
        )

    async def __aenter__(self) -> AsyncControlClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give the connections back."""
        if "_http" in self.__dict__:
            await self._http.aclose()

    async def status(self, *, with_hash: bool = False) -> dict[str, Any]:
        """The cluster as it is now, in the shape of `status --json` (schema 1)."""
        return await self.ask(requests.status(with_hash=with_hash))

    async def plan(self) -> dict[str, Any]:
        """The running ClusterSpec as JSON."""
        return await self.ask(requests.plan())

    async def detail(self, process: str) -> dict[str, Any]:
        """One process from near: a Detail (`model.detail`) as JSON."""
        return await self.ask(requests.detail(process))

    async def ready(self, timeout_s: float) -> dict[str, Any]:
        """Wait until every process that `up` started is ready; `{"ready_s": …}`.

        Raises TimedOut, or SandboxError with the last lines of a process that ended.
        """
        return await self.ask(requests.ready(timeout_s))

    async def act(
        self,
        verb: Verb,
        select: Iterable[str] = (),
        **options: Unpack[ActOptions],
    ) -> dict[str, Any]:
        """Do `verb` to the selected processes; the Verdict (`model.verdict`) as JSON.

        The options are those of `requests.act`. Returns when the verb is done and, with `wait`,
        when the cluster has settled.
        """
        return await self.ask(requests.act(verb, select, **options))

    async def upgrade(
        self,
        select: Iterable[str],
        to: Mapping[str, object],
        *,
        force: bool = False,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Give the selected members the etcd `to` (an EtcdBinary as JSON), one after the other.

        What is told, as `control.wire` has it: the plan, each member that is done, the verdict.
        Raises the error that ended it. An iterator that is closed before its end halts the upgrade.
        """
        request = requests.upgrade(
            select, to, force=force, seed=seed, wait=wait, timeout_s=timeout_s
        )
        async with aclosing(self._objects(request)) as told:
            async for news in told:
                yield checked_news(news)
                if "verdict" in news:
                    return
        raise gone(self.paths)

    async def halt_upgrade(self) -> dict[str, Any]:
        """Have the upgrade end after the member that it is at; `{"halting": true}` if one is under way."""
        return await self.ask(requests.halt_upgrade())

    async def apply(self, spec: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
        """Make the running set match `spec`: `{"changed": […], "came": […], "went": […], "line": "…"}`."""
        return await self.ask(requests.apply(spec, dry_run=dry_run))

    async def shutdown(self, *, kill: bool = False, purge: bool = False) -> dict[str, Any]:
        """Begin to stop everything, the supervisor last; returns at once. Repeat with `kill` to hurry."""
        return await self.ask(requests.shutdown(kill=kill, purge=purge))

    async def events(
        self, *, follow: bool, tail: int | None = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """What happened, oldest first: the last `tail` events (all that are held, if None), then new ones."""
        async for event in self._objects(requests.events(follow=follow, tail=tail)):
            yield event

    async def availability(self, *, writes: bool = False) -> AsyncGenerator[dict[str, Any], None]:
        """Whether clients are served: a Bucket (`model.availability`) as JSON each 100 ms, from now on.

        `writes` tries writes, too; each is a revision.
        """
        async for bucket in self._objects(requests.availability(writes=writes)):
            yield bucket

    async def logs(
        self,
        select: Iterable[str] = (),
        *,
        follow: bool,
        tail: int | None = None,
        since_us: int | None = None,
    ) -> AsyncGenerator[Frame, None]:
        """Log lines in order of arrival, of the selected processes (all, if none is named).

        `tail` lines of the past, or those since `since_us` (microseconds since the epoch), or
        all that the files hold.
        """
        request = requests.logs(select, follow=follow, tail=tail, since_us=since_us)
        async with self._stream(request) as stream:
            pieces = _Pieces()
            async for piece in stream:
                for frame in pieces.frames(piece):
                    yield frame

    async def _objects(self, request: Request) -> AsyncGenerator[dict[str, Any], None]:
        """The objects of a stream that has one a line."""
        async with self._stream(request) as stream:
            rest = b""
            async for piece in stream:
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    yield json.loads(line)

    async def ask(self, request: Request) -> dict[str, Any]:
        """The answer to any question that has one in JSON (`control.requests` makes them)."""
        with self._errors():
            answer = await self._http.send(self._built(request))
            return cast(dict[str, Any], checked(answer.status_code, answer.content))

    @asynccontextmanager
    async def _stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        with self._errors():
            answer = await self._http.send(self._built(request), stream=True)
            try:
                if answer.status_code >= 400:
                    checked(answer.status_code, await answer.aread())
                yield answer.aiter_raw()
            finally:
                await answer.aclose()

    def _built(self, request: Request) -> httpx.Request:
        headers = {"Content-Type": "application/json"}
        return self._http.build_request(
            request.method,
            request.target,
            content=request.content,
            headers=headers,
            timeout=request.timeout_s,
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What goes wrong with the connection, as an error of ours."""
        import httpx

        try:
            yield
        except httpx.ConnectError as error:
            raise not_running(self.paths.name) from error
        except httpx.TimeoutException as error:
            raise silent(self.paths) from error
        except (httpx.TransportError, ConnectionResetError) as error:
            raise gone(self.paths) from error


class _Pieces:
    """The frames of a log stream that comes in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""

    def frames(self, piece: bytes) -> list[Frame]:
        """The frames that are whole now."""
        content = self._rest + piece
        stream = BytesIO(content)
        whole, found = 0, []
        for frame in read_frames(stream):
            whole = stream.tell()
            found.append(frame)
        self._rest = content[whole:]
        return found
