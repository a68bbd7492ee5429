"""Asks a discovery service about a token, and registers one there, in either protocol.

What it keeps for a token, and how its answers are read, stands below: pure.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from typing import Any

import httpx
from msgspec import Struct

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.bootstrap import DiscoveryProtocol, DiscoverySpec
from etcd_sandbox.model.state import Registration

ANSWER_WITHIN_S = 5.0
"""The patience with a service on another machine; one of ours answers within milliseconds."""

_OK, _CREATED, _EXISTS = 200, 201, 412

_HERE = ("localhost", "127.0.0.1", "[::1]")
"""Hosts that are asked without a proxy."""


class NoService(SandboxError):
    """The service does not answer, or is no discovery service."""


class DiscoveryClient:
    """One client for any discovery service. Every question raises NoService for want of an answer."""

    def __init__(self, timeout_s: float = ANSWER_WITHIN_S) -> None:
        self._timeout_s = timeout_s
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def aclose(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.aclose()

    async def state(self, discovery: DiscoverySpec) -> TokenState | None:
        """The token now; None when it is not registered."""
        try:
            if discovery.protocol is DiscoveryProtocol.V3:
                url = f"{discovery.service}/v3/kv/range"
                answer = await self._send("POST", url, v3_range(discovery.token))
                return read_v3(*answer, discovery.token)
            size = read_v2_size(*await self._send("GET", f"{discovery.token_url}/{SIZE_KEY}"))
            if size is None:
                return None
            answer = await self._send("GET", f"{discovery.token_url}?recursive=true")
            return TokenState(size, read_v2_members(*answer))
        except NotUnderstood as error:
            raise no_service(discovery.token_url or discovery.service, str(error)) from error

    async def register(self, discovery: DiscoverySpec) -> bool:
        """Register the token with its size; False when it was registered before, and stays as it was."""
        if discovery.protocol is DiscoveryProtocol.V3:
            body = v3_creation(discovery.token, discovery.size)
            status, text = await self._send("POST", f"{discovery.service}/v3/kv/txn", body)
            if status == _OK:
                return b'"succeeded"' in text
        else:
            url = f"{discovery.token_url}/{SIZE_KEY}?prevExist=false"
            status, text = await self._send("PUT", url, data={"value": str(discovery.size)})
            if status in (_CREATED, _EXISTS):
                return status == _CREATED
        raise no_service(discovery.service, f"it answers with status {status}")

    async def etcd_version(self, service: str) -> str | None:
        """The version of the etcd that the service is; None for one of another kind."""
        status, text = await self._send("GET", f"{service}/version")
        try:
            answer = json.loads(text) if status == _OK else None
        except (ValueError, RecursionError):
            return None
        version = answer.get("etcdserver") if isinstance(answer, dict) else None
        return version if isinstance(version, str) else None

    async def serves_v2(self, service: str) -> bool:
        """Whether an etcd has the v2 API (`--enable-v2`)."""
        status, _ = await self._send("GET", f"{service}/v2/keys/")
        return status == _OK

    async def new_token_url(self, service: str, size: int) -> str:
        """A fresh token of a service that makes them itself, as discovery.etcd.io does."""
        status, text = await self._send("GET", f"{service}/new?size={size}")
        url = text.decode("utf-8", "replace").strip()
        if status == _OK and url.startswith(("http://", "https://")) and not url.split()[1:]:
            return url.rstrip("/")
        raise no_service(
            service, f"neither /version nor /new answers as one does (status {status})"
        )

    async def _send(
        self, method: str, url: str, body: bytes = b"", data: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        secure = url.startswith("https:")
        if secure not in self._clients:
            self._clients[secure] = client_of_the_world(secure=secure)
        try:
            headers = {"Content-Type": "application/json"} if body else None
            async with asyncio.timeout(self._timeout_s):
                answer = await self._clients[secure].request(
                    method, url, content=body or None, data=data, headers=headers
                )
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoService(
                f"the discovery service does not answer ({_reason(error, self._timeout_s)})",
                url,
                "start it, or check its URL",
            ) from error
        return answer.status_code, answer.content


def client_of_the_world(*, secure: bool) -> httpx.AsyncClient:
    """A client for services on this machine and on others, these through the proxies of the environment.

    A `secure` one counts certificates, by the system's authorities: to load those takes 25 ms.
    """
    here: dict[str, httpx.AsyncBaseTransport | None] = {f"all://{host}": None for host in _HERE}
    verify = ssl.create_default_context() if secure else False
    return httpx.AsyncClient(timeout=None, verify=verify, mounts=here)


def no_service(url: str, why: str) -> NoService:
    """The error for an answer that no discovery service gives."""
    return NoService(
        f"that is no discovery service: {why}",
        url,
        "name an etcd (with --enable-v2 for members older than 3.6) or a service like "
        "discovery.etcd.io, or leave --discovery out for one of our own",
    )


def _reason(error: BaseException, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"within {timeout_s:g} s"
    # The system's own reason is at the end: httpx wraps httpcore's error, which wraps anyio's.
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


SIZE_KEY = "_config/size"
"""Where the size is kept, below the token."""

_V3_PREFIX = "/_etcd/registry/"
_V3_MEMBERS = "members/"


class TokenState(Struct, frozen=True):
    """A registered token: its size, and who has registered, the earliest first.

    More than `size` may have: only the first so many are members of the cluster.
    """

    size: int
    registered: tuple[Registration, ...] = ()

    @property
    def is_full(self) -> bool:
        """As many have registered as the token is for."""
        return len(self.registered) >= self.size


class NotUnderstood(Exception):
    """The answer is not one of a discovery service; the text says what it is instead."""


def v3_prefix(token: str) -> str:
    """Below which the v3 protocol keeps everything of a token (etcd 3.6: `api/v3discovery`)."""
    return f"{_V3_PREFIX}{token}/"


def v3_range(token: str) -> bytes:
    """The question of the JSON gateway for everything of a token."""
    prefix = v3_prefix(token)
    behind = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return json.dumps({"key": _base64(prefix), "range_end": _base64(behind)}).encode()


def v3_creation(token: str, size: int) -> bytes:
    """The transaction that registers a token unless it is registered."""
    key = _base64(v3_prefix(token) + SIZE_KEY)
    return json.dumps(
        {
            "compare": [{"key": key, "target": "CREATE", "create_revision": "0"}],
            "success": [{"request_put": {"key": key, "value": _base64(str(size))}}],
        }
    ).encode()


def read_v3(status: int, text: bytes, token: str) -> TokenState | None:
    """The token in the answer to `v3_range`; None when it is not registered. Raises NotUnderstood."""
    answer = _object(status, text)
    if "header" not in answer:
        raise NotUnderstood(str(answer.get("message") or answer.get("error") or status))
    size, found = None, []
    prefix = v3_prefix(token)
    for entry in answer.get("kvs", ()):
        key, value = (_text(entry, name).removeprefix(prefix) for name in ("key", "value"))
        if key == SIZE_KEY:
            size = _size(value)
        elif key.startswith(_V3_MEMBERS):
            created = int(entry.get("create_revision", 0))
            found.append((created, _registration(key.removeprefix(_V3_MEMBERS), value)))
    return None if size is None else TokenState(size, _in_order(found))


def read_v2_size(status: int, text: bytes) -> int | None:
    """The size in a v2 answer; None for a token that is not registered. Raises NotUnderstood."""
    answer = _object(status, text)
    if answer.get("errorCode") == _KEY_NOT_FOUND:
        return None
    return _size(str(_node(answer).get("value", "")))


def read_v2_members(status: int, text: bytes) -> tuple[Registration, ...]:
    """The registered members in a v2 answer for the whole token. Raises NotUnderstood."""
    found = []
    for entry in _node(_object(status, text)).get("nodes", ()):
        name = str(entry.get("key", "")).rpartition("/")[2]
        if not name.startswith("_"):
            created = int(entry.get("createdIndex", 0))
            found.append((created, _registration(name, str(entry.get("value", "")))))
    return _in_order(found)


_KEY_NOT_FOUND = 100
_NOT_FOUND = 404


def _object(status: int, text: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        return answer
    if status == _NOT_FOUND:
        raise NotUnderstood("it answers 404 Not Found")
    raise NotUnderstood(f"it answers with status {status} and what is no JSON object")


def _node(answer: dict[str, Any]) -> dict[str, Any]:
    node = answer.get("node")
    if isinstance(node, dict):
        return node
    raise NotUnderstood(str(answer.get("message") or "its answer has no node"))


def _size(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise NotUnderstood(f"the token's size is {value!r}, which is no number") from None


def _registration(id_: str, value: str) -> Registration:
    """`infra1=http://a:1,infra1=http://b:1`: the name once, the URLs together."""
    pairs = [pair.partition("=") for pair in value.split(",")]
    return Registration(
        member=pairs[0][0], id=id_, peer_urls=",".join(url for _, _, url in pairs if url)
    )


def _in_order(found: list[tuple[int, Registration]]) -> tuple[Registration, ...]:
    return tuple(each for _, each in sorted(found, key=lambda pair: pair[0]))


def _text(entry: dict[str, Any], name: str) -> str:
    return base64.b64decode(str(entry.get(name, ""))).decode("utf-8", "replace")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
