"""A snapshot as a member streams it through the JSON gateway: a JSON object a line, base64 within."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.etcd.answers import GIVE_A_USER, is_about_users
from etcd_sandbox.etcd.exchange import TROUBLE, Exchange, Headers


class _Part(msgspec.Struct):
    blob: bytes = b""


class _Failure(msgspec.Struct):
    message: str = ""


class _Line(msgspec.Struct):
    """One message of the stream, or what etcd says instead: within `error`, or as an answer of its own."""

    result: _Part | None = None
    error: _Failure | str | None = None
    message: str = ""


class Lines:
    """Cuts what arrives into lines, and takes the piece of the snapshot out of each."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._begun: list[bytes] = []
        self._decoder = msgspec.json.Decoder(_Line)

    def pieces(self, arrived: bytes) -> list[bytes]:
        """The pieces whose lines are whole now. Raises SandboxError with etcd's reason for refusing."""
        first, *rest = arrived.split(b"\n")
        self._begun.append(first)
        if not rest:
            return []
        whole = [b"".join(self._begun), *rest[:-1]]
        self._begun = [rest[-1]]
        return [self._piece(line) for line in whole if line.strip()]

    def last(self) -> list[bytes]:
        """The pieces in a last line without its end."""
        return self.pieces(b"\n")

    def _piece(self, line: bytes) -> bytes:
        try:
            told = self._decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise SandboxError(
                "the member does not stream a snapshot as etcd does", self._where
            ) from error
        if told.result is not None:
            return told.result.blob
        reason = told.error.message if isinstance(told.error, _Failure) else told.message
        raise SandboxError(
            f"the member gives no snapshot: {reason or told.error or 'it does not say why'}",
            self._where,
            GIVE_A_USER if is_about_users(0, reason) else "",
        )


async def pieces(
    http: Exchange, client_url: str, silence_s: float, headers: Headers = ()
) -> AsyncGenerator[bytes, None]:
    """The snapshot of the member at `client_url`; see `Gateway.snapshot`."""
    lines = Lines(client_url)
    url = f"{client_url}/v3/maintenance/snapshot"
    async with aclosing(http.stream("POST", url, b"{}", headers=headers)) as stream:
        while True:
            try:
                async with asyncio.timeout(silence_s):
                    arrived = await anext(stream, None)
            except TimeoutError as error:
                raise TimedOut(
                    f"the member sent nothing for {silence_s:g} s",
                    client_url,
                    "take the snapshot from another one with --on, or give it more --timeout",
                ) from error
            except TROUBLE as error:
                raise SandboxError(
                    f"the member ended the snapshot early ({error or type(error).__name__})",
                    client_url,
                    "take it from another member with --on",
                ) from error
            for piece in lines.last() if arrived is None else lines.pieces(arrived):
                yield piece
            if arrived is None:
                return
