"""Asks a discovery service about a token, and registers one there, in either protocol."""

from __future__ import annotations

import asyncio
import json
import os
import ssl

import httpx

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.registry import (
    SIZE_KEY,
    NotUnderstood,
    TokenState,
    read_v2_members,
    read_v2_size,
    read_v3,
    v3_creation,
    v3_range,
)
from etcd_sandbox.model.spec import DiscoveryProtocol, DiscoverySpec

ANSWER_WITHIN_S = 5.0
"""What a service on another machine may take; one of ours answers within milliseconds."""

_OK, _CREATED, _EXISTS = 200, 201, 412

_HERE = ("localhost", "127.0.0.1", "[::1]")
"""What is asked without a proxy."""


class NoService(SandboxError):
    """It does not answer, or is no discovery service."""


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
