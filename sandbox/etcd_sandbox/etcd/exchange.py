"""HTTP with an etcd: questions and whole answers over kept connections, without anything heavy.

h11 over asyncio's streams instead of httpx: a question costs a quarter, and nothing heavy is
imported while the members of a new cluster need the processor themselves.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import socket
import ssl
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import PurePath
from urllib.parse import urlsplit

import h11
from msgspec import Struct

from etcd_sandbox.errors import InputError
from etcd_sandbox.model.access import SECURE_SCHEMES, SOCKET_SCHEMES
from etcd_sandbox.paths import SOCKET_PATH_LIMIT

JSON = "application/json"

TROUBLE = (TimeoutError, OSError, ValueError, h11.ProtocolError, asyncio.IncompleteReadError)
"""The errors that a question may end with instead of an answer."""

LEFT_S = 10.0
"""How long an answer that nobody waits for any more may take: longer than etcd's own seven seconds."""

LEFT_AT_MOST = 8
"""So many of them at one server; with one more, the oldest is given up with its connection."""

IDLE_AT_MOST = 16
"""So many connections to one server are kept."""

_READ_BYTES = 65536

_NO_PORT = 0
_AT_SOCKET = re.compile(r"(?P<file>.+)(?P<target>/(?:v\d+/.*|version|health.*|metrics))")
"""The last of what etcd serves that a URL names: a directory on the way may be called so, too."""

Headers = tuple[tuple[str, str], ...]


class Exchange:
    """One HTTP client for any number of servers, at `http`, `https`, and etcd's `unix` and `unixs`.

    `tls` makes the context when it is needed. What is asked for at a socket follows its path:
    `unix:///run/etcd.sock/v3/kv/range`.

    Whoever gives a question up gives up the answer, not the connection: it is kept until the answer
    has come, and is there for the next question, which pays for no new connection, no new handshake.
    """

    def __init__(self, tls: Callable[[], ssl.SSLContext]) -> None:
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, int], list[_Connection]] = {}
        self._certificates: dict[tuple[str, int], bytes] = {}
        self._left: dict[tuple[str, int], list[asyncio.Task[tuple[int, bytes]]]] = {}
        self._lookups = Lookups()

    def certificate(self, url: str) -> bytes | None:
        """The certificate that the server there last showed, in DER; None where it has shown none."""
        return self._certificates.get(_place(url)[0])

    async def aclose(self) -> None:
        """Close all connections."""
        left = [talk for talks in self._left.values() for talk in talks]
        for talk in left:
            talk.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()

    async def send(
        self, method: str, url: str, body: bytes, content_type: str = JSON, headers: Headers = ()
    ) -> tuple[int, bytes]:
        """The status and the whole body of the answer. Raises one of TROUBLE when there is none."""
        address, target, secure = _place(url)
        question = _Question(method, target, body, (("Content-Type", content_type), *headers))
        talk = asyncio.ensure_future(self._talk(address, secure, question))
        try:
            return await asyncio.shield(talk)
        except asyncio.CancelledError:
            question.wanted = False
            self._leave(address, talk)
            raise

    async def _talk(
        self, address: tuple[str, int], secure: bool, question: _Question
    ) -> tuple[int, bytes]:
        idle = self._idle.setdefault(address, [])
        # A kept connection may have died with its server: only then is a second one worth a try.
        if idle:
            connection = idle.pop()
            try:
                return await self._exchange(connection, idle, question)
            except (OSError, h11.ProtocolError, asyncio.IncompleteReadError):
                pass
        connection = await self._open(address, secure)
        if secure:
            self._certificates[address] = connection.certificate
        if not question.wanted:
            # It was given up before it was asked: what changes something must not come later.
            idle.append(connection)
            raise TimeoutError
        return await self._exchange(connection, idle, question)

    async def _open(self, address: tuple[str, int], secure: bool) -> _Connection:
        if secure and self._tls is None:
            self._tls = self._make_tls()
        context = self._tls if secure else None
        host, port = address
        if port == _NO_PORT:
            return await _connect(host, port, context)
        *others, last = await self._lookups.addresses(host)
        for place in others:
            with suppress(OSError):
                return await _connect(host, port, context, place)
        return await _connect(host, port, context, last)

    def _leave(self, address: tuple[str, int], talk: asyncio.Task[tuple[int, bytes]]) -> None:
        """Nobody waits for this answer any more; its connection is wanted."""
        talks = self._left.setdefault(address, [])
        talks.append(talk)
        timer = asyncio.get_running_loop().call_later(LEFT_S, talk.cancel)

        def over(ended: asyncio.Task[tuple[int, bytes]]) -> None:
            timer.cancel()
            talks.remove(ended)
            if not ended.cancelled():
                ended.exception()

        talk.add_done_callback(over)
        for oldest in talks[:-LEFT_AT_MOST]:
            oldest.cancel()

    async def stream(
        self, method: str, url: str, body: bytes, content_type: str = JSON, headers: Headers = ()
    ) -> AsyncGenerator[bytes, None]:
        """The body of the answer, whatever its status, piece by piece as it comes.

        Raises one of TROUBLE when it does not come to its end.
        """
        address, target, secure = _place(url)
        question = _Question(method, target, body, (("Content-Type", content_type), *headers))
        connection = await self._open(address, secure)
        try:
            async with aclosing(connection.events(question)) as events:
                async for event in events:
                    if isinstance(event, h11.Data):
                        yield bytes(event.data)
        finally:
            connection.close()

    @staticmethod
    async def _exchange(
        connection: _Connection, idle: list[_Connection], question: _Question
    ) -> tuple[int, bytes]:
        try:
            answer = await connection.ask(question)
        except BaseException:
            connection.close()
            raise
        if connection.reusable and len(idle) < IDLE_AT_MOST:
            idle.append(connection)
        else:
            connection.close()
        return answer


class _Question(Struct):
    """A request; `wanted` is False once nobody waits for the answer any more."""

    method: str
    target: str
    body: bytes
    headers: Headers
    wanted: bool = True


class _Connection:
    """One connection to one server, for one question at a time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host
        self._http = h11.Connection(h11.CLIENT)

    @property
    def certificate(self) -> bytes:
        """The server's certificate in DER; empty without TLS."""
        secured = self._writer.get_extra_info("ssl_object")
        return (secured.getpeercert(binary_form=True) if secured else None) or b""

    @property
    def reusable(self) -> bool:
        """Another question may be asked here."""
        return self._http.our_state is h11.IDLE

    async def ask(self, question: _Question) -> tuple[int, bytes]:
        """The status and the whole body of the answer."""
        status, content = 0, []
        async for event in self.events(question):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                content.append(bytes(event.data))
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return status, b"".join(content)

    async def events(self, question: _Question) -> AsyncGenerator[h11.Event, None]:
        """The parts of the answer, until it is whole."""
        request = h11.Request(
            method=question.method,
            target=question.target,
            headers=[
                ("Host", self._host),
                *question.headers,
                ("Content-Length", str(len(question.body))),
            ],
        )
        sent = (request, h11.Data(data=question.body), h11.EndOfMessage())
        self._writer.write(b"".join(self._http.send(event) or b"" for event in sent))
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_READ_BYTES))
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError("closed before the answer was whole")
            elif isinstance(event, h11.Event):
                yield event
                if isinstance(event, h11.EndOfMessage):
                    return

    def close(self) -> None:
        """Give the connection up, without waiting for the other side."""
        self._writer.transport.abort()


def _place(url: str) -> tuple[tuple[str, int], str, bool]:
    """Host and port (of a socket: its file and none), what is asked for there, and whether by TLS."""
    parts = urlsplit(url)
    secure = parts.scheme in SECURE_SCHEMES
    if parts.scheme in SOCKET_SCHEMES:
        file = url.partition("://")[2]
        found = _AT_SOCKET.fullmatch(file)
        if found is None:
            return (file, _NO_PORT), "/", secure
        return (found["file"], _NO_PORT), found["target"], secure
    if parts.hostname is None or parts.scheme not in ("http", "https"):
        raise ValueError(url)
    address = (parts.hostname, parts.port or (443 if secure else 80))
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return address, target, secure


async def _connect(
    host: str, port: int, context: ssl.SSLContext | None, place: str = ""
) -> _Connection:
    """`place` is the address of a host that has been looked up."""
    if port == _NO_PORT:
        with _short(host) as path:
            reader, writer = await asyncio.open_unix_connection(
                path, ssl=context, server_hostname="localhost" if context else None
            )
        return _Connection(reader, writer, "localhost")
    reader, writer = await asyncio.open_connection(
        place or host, port, ssl=context, server_hostname=host if context else None
    )
    shown = f"[{host}]" if ":" in host else host
    return _Connection(reader, writer, f"{shown}:{port}")


class Lookups:
    """One look-up for each name at a time, in a thread of its own that holds up neither work nor the end.

    asyncio's own would share its few threads with all other work, and the program waits for them at its end.
    """

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Future[list[str]]] = {}

    async def addresses(self, host: str) -> list[str]:
        """Where the host can be reached; it itself where there is nothing to look up. Raises OSError."""
        if host == "localhost" or _is_address(host):
            return [host]
        found = self._under_way.get(host)
        if found is None:
            loop = asyncio.get_running_loop()
            found = self._under_way[host] = loop.create_future()
            found.add_done_callback(lambda ended: self._over(host, ended))
            threading.Thread(target=_look_up, args=(host, loop, found), daemon=True).start()
        return await asyncio.shield(found)

    def _over(self, host: str, ended: asyncio.Future[list[str]]) -> None:
        del self._under_way[host]
        if not ended.cancelled():
            ended.exception()  # whoever asked may have given up


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _look_up(host: str, loop: asyncio.AbstractEventLoop, found: asyncio.Future[list[str]]) -> None:
    addresses: list[str] | OSError
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
    except OSError as error:
        addresses = error
    except UnicodeError:
        addresses = OSError(f"{host} cannot be a host's name")

    def tell() -> None:
        if found.done():
            return
        if isinstance(addresses, OSError):
            found.set_exception(addresses)
        else:
            found.set_result(addresses)

    with suppress(RuntimeError):  # the program has ended
        loop.call_soon_threadsafe(tell)


def tls_context(client_cert: str, client_key: str) -> ssl.SSLContext:
    """For talking to members, whose own certificates are not checked; see `Gateway`.

    Raises InputError for a certificate that cannot be loaded.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if client_cert:
        try:
            context.load_cert_chain(client_cert, client_key or None)
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(
                f"the client certificate cannot be used ({reason})", client_cert
            ) from error
    return context


@contextmanager
def _short(file: str) -> Iterator[str]:
    """The socket's file by a path that can be connected to, however long its own is: etcd binds a relative one."""
    if len(os.fsencode(file)) <= SOCKET_PATH_LIMIT or sys.platform != "linux":
        yield file
        return
    path = PurePath(file)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
