"""Asks members through etcd's JSON gateway, each question with a deadline of its own."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from sandbox.errors import InputError
from sandbox.etcd.ids import hex_id

_NOT_FOUND = 404
_NO_SUCH_METHOD: dict[str, object] = {"code": 5}
_ZERO_KEY = "AA=="
_READ_BYTES = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusAnswer:
    """What a member says of itself. `leader` is None while it knows none; IDs are unpadded hex."""

    member_id: str
    version: str
    leader: str | None
    term: int
    revision: int
    raft_index: int
    raft_applied_index: int
    db_size_bytes: int
    is_learner: bool
    errors: tuple[str, ...]

    @property
    def has_alarm(self) -> bool:
        """An alarm (NOSPACE, CORRUPT) is up somewhere in the cluster."""
        return any("alarm:" in error for error in self.errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAnswer:
    """An entry of the member list; without `name` and `client_urls` it has never started."""

    id: str
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool


class Gateway:
    """One HTTP client for all members. Trouble with a member is an answer (None, False), never an exception.

    h11 over asyncio's streams instead of httpx: a question costs a quarter, and nothing heavy is
    imported while the members of a new cluster need the processor themselves.
    """

    def __init__(self, client_cert: str = "", client_key: str = "") -> None:
        """`client_cert` and `client_key` are paths, for members that ask for a certificate.

        Raises InputError when they cannot be loaded. The members' own certificates are not
        checked: all of them are on this machine.
        """
        self._client_cert = client_cert
        self._client_key = client_key
        self._tls: ssl.SSLContext | None = None
        if client_cert:
            self._tls = _tls(client_cert, client_key)
        self._idle: dict[tuple[str, int], list[_Connection]] = {}

    async def aclose(self) -> None:
        """Close all connections."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()

    async def status(self, client_url: str, timeout_s: float) -> StatusAnswer | None:
        """The member's own view; None when it does not answer in time. Local and cheap."""
        answer = await self._ask(client_url, "maintenance/status", "{}", timeout_s)
        header = answer.get("header") if answer is not None else None
        if answer is None or not isinstance(header, dict):
            return None
        member = _number(header, "member_id")
        if not member:
            return None
        leader = _number(answer, "leader")
        errors = answer.get("errors")
        return StatusAnswer(
            member_id=hex_id(member),
            version=str(answer.get("version", "")),
            leader=hex_id(leader) if leader else None,
            term=_number(answer, "raftTerm") or _number(header, "raft_term"),
            revision=_number(header, "revision"),
            raft_index=_number(answer, "raftIndex"),
            raft_applied_index=_number(answer, "raftAppliedIndex"),
            db_size_bytes=_number(answer, "dbSize"),
            is_learner=answer.get("isLearner") is True,
            errors=tuple(str(error) for error in errors) if isinstance(errors, list) else (),
        )

    async def hash_kv(self, client_url: str, timeout_s: float, revision: int = 0) -> int | None:
        """The hash of the keys up to `revision` (0: the latest); None when there is no answer.

        Members without `hashkv` (3.4, early 3.5) give the hash of the whole database instead.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_s
        body = f'{{"revision":"{revision}"}}'
        answer = await self._ask(client_url, "maintenance/hashkv", body, timeout_s)
        if answer == _NO_SUCH_METHOD:
            answer = await self._ask(client_url, "maintenance/hash", "{}", deadline - clock())
        return _number(answer, "hash") if answer is not None and "header" in answer else None

    async def linearizable_read(self, client_url: str, timeout_s: float) -> bool:
        """Whether a read that needs a quorum succeeds in time. It changes nothing."""
        body = f'{{"key":"{_ZERO_KEY}","count_only":true}}'
        answer = await self._ask(client_url, "kv/range", body, timeout_s)
        return answer is not None and "header" in answer

    async def members(self, client_url: str, timeout_s: float) -> tuple[MemberAnswer, ...] | None:
        """The member list as that member has it; None when it does not answer in time."""
        answer = await self._ask(client_url, "cluster/member/list", "{}", timeout_s)
        listed = answer.get("members") if answer is not None else None
        if not isinstance(listed, list):
            return None
        return tuple(
            MemberAnswer(
                id=hex_id(_number(member, "ID")),
                name=str(member.get("name", "")),
                peer_urls=_texts(member, "peerURLs"),
                client_urls=_texts(member, "clientURLs"),
                is_learner=member.get("isLearner") is True,
            )
            for member in listed
            if isinstance(member, dict)
        )

    async def _ask(
        self, client_url: str, method: str, body: str, timeout_s: float
    ) -> dict[str, object] | None:
        """The answer's JSON object; None when there is none in time, or it is an error.

        _NO_SUCH_METHOD when this etcd does not have it.
        """
        try:
            async with asyncio.timeout(timeout_s):
                status, text = await self._post(f"{client_url}/v3/{method}", body.encode())
        except (TimeoutError, OSError, ValueError, h11.ProtocolError, asyncio.IncompleteReadError):
            return None
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict) and "code" not in answer:
            return answer
        # An unknown path is the one case that only the status tells: 3.4 answers it with text.
        return _NO_SUCH_METHOD if status == _NOT_FOUND else None

    async def _post(self, url: str, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        if parts.hostname is None or parts.scheme not in ("http", "https"):
            raise ValueError(url)
        address = (parts.hostname, parts.port or (443 if secure else 80))
        idle = self._idle.setdefault(address, [])
        # A kept connection may have died with its member: only then is a second one worth a try.
        if idle:
            connection = idle.pop()
            try:
                return await self._exchange(connection, idle, parts.path, body)
            except (OSError, h11.ProtocolError, asyncio.IncompleteReadError):
                pass
        connection = await _connect(*address, self._context() if secure else None)
        return await self._exchange(connection, idle, parts.path, body)

    @staticmethod
    async def _exchange(
        connection: _Connection, idle: list[_Connection], path: str, body: bytes
    ) -> tuple[int, bytes]:
        try:
            status, answer = await connection.post(path, body)
        except BaseException:
            connection.close()
            raise
        if connection.reusable:
            idle.append(connection)
        else:
            connection.close()
        return status, answer

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = _tls(self._client_cert, self._client_key)
        return self._tls


class _Connection:
    """One connection to one member, for one question at a time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host
        self._http = h11.Connection(h11.CLIENT)

    @property
    def reusable(self) -> bool:
        """Another question may be asked here."""
        return self._http.our_state is h11.IDLE

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The status and the whole body of the answer."""
        request = h11.Request(
            method="POST",
            target=path,
            headers=[
                ("Host", self._host),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
            ],
        )
        sent = (request, h11.Data(data=body), h11.EndOfMessage())
        self._writer.write(b"".join(self._http.send(event) or b"" for event in sent))
        status, content = 0, []
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_READ_BYTES))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                content.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError("closed before the answer was whole")
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return status, b"".join(content)

    def close(self) -> None:
        """Give the connection up, without waiting for the other side."""
        self._writer.transport.abort()


async def _connect(host: str, port: int, context: ssl.SSLContext | None) -> _Connection:
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    return _Connection(reader, writer, f"{host}:{port}")


def _tls(client_cert: str, client_key: str) -> ssl.SSLContext:
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


def _number(answer: dict[str, object], key: str) -> int:
    """A 64-bit number comes as text, and not at all when it is zero."""
    value = answer.get(key, 0)
    try:
        return int(value) if isinstance(value, (int, str)) else 0
    except ValueError:
        return 0


def _texts(answer: dict[str, object], key: str) -> tuple[str, ...]:
    values = answer.get(key)
    return tuple(str(value) for value in values) if isinstance(values, list) else ()
