"""Serves the dashboard of one cluster to browsers: textual-serve's server, behind a door."""

from __future__ import annotations

import asyncio
import contextlib
import html
import io
import logging
import secrets
import shlex
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from string import Template

import msgspec
from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

from etcd_sandbox.web.admission import (
    Door,
    Knock,
    Looked,
    Pinged,
    Resized,
    Typed,
    message_of,
    refusal,
    within,
)
from etcd_sandbox.web.listening import Listening

ENDS_WITHIN_S = 2.0
"""A dashboard that has not ended so long after it was asked to is killed."""


class Viewer(AppService):
    """The dashboard process that one websocket shows."""

    async def run(self) -> None:
        """Pass on what the dashboard paints until it ends; then tell the browser."""
        try:
            await super().run()
        finally:
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self.remote_close()

    async def on_meta(self, data: bytes) -> None:
        """Take what it says beside what it paints; a file that it hands over is to be saved.

        Shown in a tab, Textual's picture of the screen would load its font from the internet.
        """
        said = msgspec.json.decode(data)
        await super().on_meta(msgspec.json.encode({**said, "open_method": "download"}))

    async def stop(self) -> None:
        """Ask the dashboard to end, and kill it if it does not; may be called again and at once."""
        process, task = self._process, self._task
        if process is None or task is None:
            return
        await self._download_manager.cancel_app_downloads(self.app_service_id)
        try:
            async with asyncio.timeout(ENDS_WITHIN_S):
                await self.send_meta({"type": "quit"})
                await process.wait()
        except TimeoutError:
            pass
        finally:
            # Also when this is cancelled while it waits.
            if process.returncode is None:
                process.kill()
        await asyncio.wait({task}, timeout=ENDS_WITHIN_S)


def command_of(cluster: str) -> str:
    """The shell command of a dashboard of that cluster, as textual-serve wants it."""
    words = [sys.executable, "-P", "-m", "etcd_sandbox", "-c", cluster, "dashboard"]
    return f"exec {shlex.join(words)}"


_HERE = Path(__file__).parent
_PAGE = Template((_HERE / "page.html").read_text())
_FONT_SIZES = range(6, 61)
_CLOSES_WITHIN_S = 1.0

LEAVES_WITHIN_S = 3.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BrowserDashboards(Server):
    """One cluster's dashboard for everybody who has the URL, each with a process of its own."""

    def __init__(
        self, cluster: str, listening: Listening, say: Callable[[str], None], most: int
    ) -> None:
        super().__init__(command_of(cluster), title=f"etcd-sandbox: {cluster}")
        self._listening = listening
        self._say = say
        self._door = Door(secrets.token_hex(16), listening.names)
        self._viewers: set[Viewer] = set()
        self._most = most
        self._told_full = False

    @property
    def url(self) -> str:
        """The URL to open; whoever has it can do what the dashboard can."""
        return f"http://{self._listening.shown}:{self._listening.port}/{self._door.token}/"

    async def until(self, signals: Iterable[int], ready: Callable[[], None]) -> None:
        ended = asyncio.Event()
        for number in signals:
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        app = await self._make_app()
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSES_WITHIN_S)
        await runner.setup()
        try:
            await web.SockSite(runner, self._listening.socket).start()
            ready()
            with contextlib.redirect_stdout(_LastWords(self._say)):
                await ended.wait()
                await runner.cleanup()
        finally:
            await runner.cleanup()

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guarded])
        inner = await super()._make_app()
        inner.router.add_get("/page.js", self._script)
        app.router.add_get(f"/{self._door.token}", self._to_page)
        app.add_subapp(f"/{self._door.token}", inner)
        app.on_response_prepare.append(_keep_private)
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        why = refusal(
            self._door,
            Knock(
                path=request.path,
                host=request.headers.get("Host", ""),
                origin=request.headers.get("Origin"),
                websocket="websocket" in request.headers.get("Upgrade", "").lower(),
            ),
        )
        if why is not None:
            return web.Response(status=403, text=f"403: {why}\n")
        return await handler(request)

    @property
    def _full(self) -> str:
        are = "one browser shows" if self._most == 1 else f"{self._most} browsers show"
        return f"{are} this dashboard already: close one of them, or give dashboard --web a larger --viewers"

    async def _has_place(self) -> bool:
        """Whether there is room for one more; a page that reloads frees its own a moment later."""
        deadline = time.monotonic() + LEAVES_WITHIN_S
        while len(self._viewers) >= self._most:
            if time.monotonic() > deadline:
                if not self._told_full:
                    self._told_full = True
                    with contextlib.suppress(OSError):
                        self._say(f"etcd-sandbox: a browser was turned away: {self._full}\n")
                return False
            await asyncio.sleep(0.05)
        self._told_full = False
        return True

    async def _to_page(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"/{self._door.token}/")

    async def _script(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(_HERE / "page.js")

    async def handle_index(self, request: web.Request) -> web.Response:
        """The page: our own, since textual-serve's loads a font from the internet."""
        size = to_int(request.query.get("fontsize", ""), 16)
        full = len(self._viewers) >= self._most
        text = _PAGE.substitute(
            closed=html.escape(f"If nothing was shown: {self._full}." if full else ""),
            title=html.escape(self.title),
            # Not textual-serve's `public_url`: a browser may have come by any of our names, and a
            # websocket of another name than the page's would be of a foreign origin.
            websocket=html.escape(f"ws://{request.host}/{self._door.token}/ws"),
            font_size=min(max(size, _FONT_SIZES[0]), _FONT_SIZES[-1]),
        )
        return web.Response(text=text, content_type="text/html")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """A browser has opened the page: give it a dashboard, as long as it stays."""
        websocket = web.WebSocketResponse(heartbeat=15, timeout=_CLOSES_WITHIN_S)

        async def tell(message: str) -> None:
            kind, word = msgspec.json.decode(message)
            if kind == "deliver_file_start":
                # The page opens /download/WORD, which lacks the token.
                word = f"../{self._door.token}/download/{word}"
            await websocket.send_json([kind, word])

        viewer = Viewer(
            self.command,
            write_bytes=websocket.send_bytes,
            write_str=tell,
            close=websocket.close,  # type: ignore[arg-type]
            download_manager=self.download_manager,
        )
        if not await self._has_place():
            raise web.HTTPServiceUnavailable(text=f"503: {self._full}\n")
        self._viewers.add(viewer)
        query = request.query
        try:
            await websocket.prepare(request)
            size = to_int(query.get("width", ""), 80), to_int(query.get("height", ""), 24)
            await viewer.start(*within(*size))
            await self._process_messages(websocket, viewer)
        except ValueError:
            await websocket.close(code=1003)  # what it sent is none of the page's messages
        finally:
            await viewer.stop()
            self._viewers.discard(viewer)
        return websocket

    async def _process_messages(
        self, websocket: web.WebSocketResponse, app_service: AppService
    ) -> None:
        """Pass on what the page says until it goes. Raises ValueError for what no page says."""
        async for sent in websocket:
            if sent.type != WSMsgType.TEXT:
                continue
            match message_of(sent.data):
                case Typed(text):
                    # A lone half of a surrogate pair is no character.
                    await app_service.send_bytes(text.encode("utf-8", "replace"))
                case Resized(columns, rows):
                    await app_service.set_terminal_size(columns, rows)
                case Pinged(word):
                    await websocket.send_json(["pong", word])
                case Looked(here=True):
                    await app_service.focus()
                case Looked():
                    await app_service.blur()
                case None:
                    pass

    async def on_startup(self, app: web.Application) -> None:
        """Says nothing: textual-serve would print its name and a URL without the token."""

    async def on_shutdown(self, app: web.Application) -> None:
        """End every dashboard, which closes its browser's websocket."""
        await asyncio.gather(*(viewer.stop() for viewer in self._viewers))


class _LastWords(io.TextIOBase):
    """What a dashboard wrote to stderr before it ended: textual-serve prints it, sometimes twice."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said = ""

    def write(self, text: str) -> int:
        if text not in (self._said, ""):
            with contextlib.suppress(OSError):
                self._say(text)
        self._said = text
        return len(text)


async def _keep_private(request: web.Request, response: web.StreamResponse) -> None:
    """The URL is the key: no cache keeps it, no other site is told it, and none is asked for anything."""
    response.headers.update(
        {
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": (
                "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
                f"connect-src 'self' ws://{request.host}; "
                "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
            ),
        }
    )


def serve(
    cluster: str,
    listening: Listening,
    signals: Iterable[int],
    ready: Callable[[str], None],
    say: Callable[[str], None],
    most: int,
) -> None:
    """Serve the cluster's dashboard until a signal comes, to so many browsers at once.

    `ready` is given the URL, `say` what dashboards that failed complain about.
    """
    # It complains that a dashboard did not start; so does the dashboard, and says why.
    logging.getLogger("textual-serve").disabled = True
    dashboards = BrowserDashboards(cluster, listening, say, most)
    asyncio.run(dashboards.until(signals, lambda: ready(dashboards.url)))
