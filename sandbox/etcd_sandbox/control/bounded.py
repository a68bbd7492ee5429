"""What stands before the control API: bounds to a request and what is done when who asked is gone; the user it names."""

from __future__ import annotations

import asyncio
import binascii
import contextlib
from base64 import b64decode
from typing import TYPE_CHECKING

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etcd_sandbox.control.requests import USER_HEADER
from etcd_sandbox.control.wire import error_to_wire
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.access import Credentials

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from etcd_sandbox.cluster.cluster import Cluster


LARGEST_BODY_BYTES = 8 << 20
"""A plan of 300 processes, each with a large environment, has less than a tenth of that."""

BODY_WITHIN_S = 10.0


STREAMS = ("/v1/events", "/v1/logs", "/v1/availability")
ENDING = ("/v1/shutdown", "/v1/upgrade/halt")
KEPT_FREE = 64

MOST_VERBS = 64
"""What acts is measured while it does, by questions to all members: more at once delay everybody's answers."""


class _Refused(Exception):
    def __init__(self, status: int, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.error = SandboxError(what, hint=hint)


class _Gone(Exception):
    """Who asked has left before the question was asked."""


class Bounded:
    """An application that gets each body whole, or not at all.

    A question (GET) whose asker is gone is given up. What changes something is done to its end:
    half a change would be worse than one that nobody hears of. `most` is how many requests may be
    under way at once; streams leave some of them to those who do not stay, and verbs are fewer.
    """

    def __init__(self, application: ASGIApp, most: int) -> None:
        self._application = application
        self._most = most
        self._under_way = self._verbs = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_verb = scope["method"] == "POST" and scope["path"] not in ENDING
        self._under_way += 1
        self._verbs += is_verb
        try:
            body = await self._let_in(scope, receive)
        except _Gone:
            return
        except _Refused as refused:
            await _refuse(send, refused)
        else:
            await self._attended(scope, body, receive, send)
        finally:
            self._under_way -= 1
            self._verbs -= is_verb

    async def _let_in(self, scope: Scope, receive: Receive) -> bytes:
        if self._verbs > MOST_VERBS:
            raise _Refused(
                503, f"{MOST_VERBS} verbs are under way already", "wait for some of them"
            )
        most = self._most - (KEPT_FREE if scope["path"] in STREAMS else 0)
        if self._under_way > most and scope["path"] not in ENDING:
            raise _Refused(
                503,
                f"the supervisor answers {most} requests already, and takes no more",
                "end some of the viewers: each log or event stream is one",
            )
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                return await _body(receive)
        except TimeoutError:
            what = f"the request's body was not there within {BODY_WITHIN_S:g} s"
            raise _Refused(408, what) from None

    async def _attended(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        gone = asyncio.Event()
        told = False

        async def next_message() -> Message:
            nonlocal told
            if not told:
                told = True
                return {"type": "http.request", "body": body, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        work = asyncio.create_task(self._work(scope, next_message, send))
        # While nobody asks for the next message uvicorn does not look whether the other end is gone.
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
            gone.set()
            if not work.done() and scope["method"] in ("GET", "HEAD"):
                # A stream ends by itself then; whatever else would wait for nobody.
                await asyncio.wait({work}, timeout=0.1)
                work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
        finally:
            leaving.cancel()
            work.cancel()

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)


async def _body(receive: Receive) -> bytes:
    content = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        content += message.get("body", b"")
        if len(content) > LARGEST_BODY_BYTES:
            raise _Refused(413, f"the request is larger than {LARGEST_BODY_BYTES >> 20} MiB")
        if not message.get("more_body", False):
            return bytes(content)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, refused: _Refused) -> None:
    content = msgspec.json.encode(error_to_wire(refused.error))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


_NAME = USER_HEADER.lower().encode()


class UserHeader:
    """Hands the header on to the cluster, and the request to the application.

    A header that names nobody is passed over: whoever writes it has checked the user before.
    """

    def __init__(self, app: ASGIApp, cluster: Cluster) -> None:
        self._app = app
        self._cluster = cluster

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope.get("headers", ()):
            if name == _NAME:
                try:
                    user = Credentials.parse(b64decode(value, validate=True).decode())
                    self._cluster.become(user)
                except (SandboxError, binascii.Error, UnicodeDecodeError):
                    pass
        await self._app(scope, receive, send)
