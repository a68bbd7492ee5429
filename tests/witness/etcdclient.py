"""The witness's own client of etcd: JSON over kept connections of its own, credentials of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

USER, PASSWORD = "root", "witness-root"
"""The user whom the witness makes where it switches authentication on."""

LOGIN_WITHIN_S = 10.0

_OWN_HEADERS = "Content-Type: application/json\r\nConnection: keep-alive\r\n"

_WANTS_USER = ("user name is empty", "user name not found")
_OLD_TOKEN = ("invalid auth token", "revision of auth store is old")


class Unanswered(Exception):
    """No answer came: refused connection, broken connection, or the time was over."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a member answered; `error` is etcd's own text where it refused."""

    body: Mapping[str, Any]
    error: str = ""
    code: int = 0

    @property
    def wants_user(self) -> bool:
        """It is refused to a stranger; etcd says so of a read after a quorum stood behind it."""
        return any(text in self.error for text in (*_WANTS_USER, *_OLD_TOKEN))


class Endpoint:
    """One member's client URL, with connections that are used again."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 2379
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._token = ""
        self._logging_in: asyncio.Task[None] | None = None

    async def ask(
        self, path: str, body: Mapping[str, object], timeout_s: float, *, patient: bool = False
    ) -> Reply:
        """The member's answer; with the witness's user where it wants one. Raises Unanswered.

        The token takes etcd a slow hash: only who is `patient` waits for it, and others have what the
        member says to a stranger until it is there.
        """
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._exchange(path, body)
                if reply.wants_user:
                    login = self._login(self._token)
                    if patient:
                        await login
                        reply = await self._exchange(path, body)
        except (TimeoutError, OSError, ValueError, IndexError, EOFError) as error:
            raise Unanswered(f"{type(error).__name__} {error}".strip()) from error
        return reply

    def close(self) -> None:
        """Give the connections back."""
        if self._logging_in is not None:
            self._logging_in.cancel()
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    def _login(self, known: str) -> asyncio.Task[None]:
        """Whatever fetches a token now, instead of the one that is `known`."""
        if self._logging_in is None or self._logging_in.done():
            self._logging_in = asyncio.create_task(self._fetch_token(known))
        return self._logging_in

    async def _fetch_token(self, known: str) -> None:
        if self._token != known:
            return
        self._token = ""
        with suppress(OSError, ValueError, IndexError, EOFError, TimeoutError):
            async with asyncio.timeout(LOGIN_WITHIN_S):
                who = {"name": USER, "password": PASSWORD}
                reply = await self._exchange("/v3/auth/authenticate", who)
                self._token = str(reply.body.get("token", ""))

    async def _exchange(self, path: str, body: Mapping[str, object]) -> Reply:
        reader, writer = await self._connection()
        whole = False
        try:
            content = json.dumps(body).encode()
            token = f"Authorization: {self._token}\r\n" if self._token else ""
            writer.write(
                f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n{_OWN_HEADERS}{token}"
                f"Content-Length: {len(content)}\r\n\r\n".encode()
                + content
            )
            reply, keep = await _read_reply(reader)
            whole = keep
        finally:
            if whole:
                self._idle.append((reader, writer))
            else:
                writer.close()
        return reply

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)


async def _read_reply(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    keep = "\r\nconnection: close" not in head
    if "\r\ntransfer-encoding: chunked" in head:
        content = b""
        while size := int(await reader.readline(), 16):
            content += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        length = head.split("\r\ncontent-length:", 1)[1].split("\r\n", 1)[0]
        content = await reader.readexactly(int(length))
    status = int(head.split(" ", 2)[1])
    try:
        read = json.loads(content)
    except ValueError:
        return Reply({}, content.decode(errors="replace") or str(status), -1), keep
    if status == 200 and isinstance(read, dict):
        return Reply(read), keep
    error = read if isinstance(read, dict) else {}
    text = str(error.get("message") or error.get("error") or content.decode(errors="replace"))
    return Reply({}, text, int(error.get("code") or -1)), keep
