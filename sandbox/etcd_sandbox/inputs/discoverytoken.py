"""From `--discovery URL` to a token of an existing discovery service, found fit before anything starts."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.discovery import DiscoveryClient, TokenState, no_service
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.bootstrap import DiscoveryProtocol, DiscoverySpec
from etcd_sandbox.model.state import Registration
from etcd_sandbox.plan.ways.discovery import token_url
from etcd_sandbox.plan.ways.request import Registrants

Answer = TypeVar("Answer")

_V2_GONE_SINCE = (3, 6)
_ONE_CLUSTER = "a token introduces one cluster, once: leave it out, or register a new one"


class ServiceUrl(Struct, frozen=True):
    """A service's URL, and the URL of a token there where that was given; no slash at their ends."""

    service: str
    token_url: str = ""

    @property
    def token(self) -> str:
        """The token that the URL names."""
        return self.token_url.rpartition("/")[2]


def read_address(url: str) -> ServiceUrl:
    """What `--discovery URL` names. Raises InputError for what is no URL of http or https."""
    try:
        parts = urlsplit(url)
        well = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        well = False
    if not well:
        raise InputError(
            f"{url!r} is no URL of a discovery service",
            "--discovery",
            "write it like http://127.0.0.1:2379 or https://discovery.example/TOKEN",
        )
    service, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    # As it is typed into a browser: https://discovery.etcd.io/new?size=3.
    return ServiceUrl(service) if path in ("", "/new") else ServiceUrl(service, f"{service}{path}")


def is_of(known: DiscoverySpec, url: str, token: str) -> bool:
    """Whether options name the service and the token that a recorded cluster has already."""
    address = read_address(url)
    if known.process or token not in ("", known.token):
        return False
    return (
        address.token_url == known.token_url
        if address.token_url
        else (address.service == known.service)
    )


def existing_token(
    url: str,
    token: str,
    size: int | None,
    registrants: Registrants,
    *,
    timeout_s: float | None = None,
) -> DiscoverySpec:
    """The token for `registrants` at the service `url`: the one that URL or `token` names, or a fresh one.

    `size` is what was asked for; None: as many as there are registrants. Raises InputError for a
    token that cannot be used and a service that does not speak their protocol, NoService for one
    that does not answer or is none.
    """
    address = read_address(url)
    if address.token_url and token not in ("", address.token):
        raise InputError(
            f"the URL names the token {address.token!r}, and --discovery-token another, {token!r}",
            url,
            "leave one of them out",
        )
    client = DiscoveryClient() if timeout_s is None else DiscoveryClient(timeout_s)
    return _run(_Search(client, registrants, size).find(address, token))


def _run(work: Coroutine[Any, Any, Answer]) -> Answer:
    # The caller's thread may have an event loop of its own.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class _Search:
    def __init__(self, client: DiscoveryClient, registrants: Registrants, size: int | None) -> None:
        self._client = client
        self._registrants = registrants
        self._asked_size = size
        self._size = size or len(registrants.members)

    async def find(self, address: ServiceUrl, token: str) -> DiscoverySpec:
        try:
            if address.token_url:
                self._must_speak_v2("a token's URL belongs to the v2 protocol", address.token_url)
                return await self._given(address.service, address.token, [address.token_url])
            version = await self._client.etcd_version(address.service)
            if version is not None:
                return await self._at_etcd(address, token, version)
            return await self._at_public_service(address, token)
        finally:
            await self._client.aclose()

    async def _at_etcd(self, address: ServiceUrl, token: str, version: str) -> DiscoverySpec:
        """At an etcd that serves as one: the better protocol that both sides speak."""
        protocols = list(self._registrants.protocols)
        v2_url = token_url(address.service, token) if token else ""
        serves_v2 = DiscoveryProtocol.V2 in protocols and await self._client.serves_v2(
            address.service
        )
        if not serves_v2 and protocols == [DiscoveryProtocol.V2]:
            raise InputError(
                f"the etcd {version} there does not serve the v2 protocol, which these members need",
                address.service,
                "start it with --enable-v2"
                if parse(version)[:2] < _V2_GONE_SINCE
                else "v2 ended with etcd 3.5: name an etcd 3.4 or 3.5 with --enable-v2, "
                "or give the members etcd 3.6 or newer with --etcd",
            )
        if token:
            urls = ["" if each is DiscoveryProtocol.V3 else v2_url for each in protocols]
            return await self._given(address.service, token, urls if serves_v2 else [""])
        return self._fresh(protocols[0], address.service)

    def _fresh(self, protocol: DiscoveryProtocol, service: str) -> DiscoverySpec:
        """A new token; it is registered when the cluster starts."""
        token = uuid.uuid4().hex
        is_v2 = protocol is DiscoveryProtocol.V2
        return DiscoverySpec(
            protocol=protocol,
            service=Address(service),
            token=token,
            size=self._size,
            token_url=token_url(service, token) if is_v2 else "",
        )

    async def _at_public_service(self, address: ServiceUrl, token: str) -> DiscoverySpec:
        """At a service that makes the tokens itself; it knows v2 only."""
        self._must_speak_v2("such a service serves the v2 protocol", address.service)
        if token:
            return await self._given(address.service, token, [f"{address.service}/{token}"])
        made = read_address(await self._client.new_token_url(address.service, self._size))
        if not made.token_url:
            raise no_service(address.service, f"its new token is {made.service!r}")
        return await self._given(made.service, made.token, [made.token_url])

    async def _given(self, service: str, token: str, urls: list[str]) -> DiscoverySpec:
        """A token that is registered already: by one of its URLs, or in v3 where that is empty."""
        for url in urls:
            discovery = DiscoverySpec(
                protocol=DiscoveryProtocol.V2 if url else DiscoveryProtocol.V3,
                service=Address(service),
                token=token,
                size=self._size,
                token_url=url,
                given=True,
            )
            state = await self._client.state(discovery)
            if state is not None:
                return self._fit(discovery, state)
        raise InputError(
            f"the discovery token {token!r} is not registered there",
            urls[0] or service,
            "check it, or leave it out for a fresh one",
        )

    def _fit(self, discovery: DiscoverySpec, state: TokenState) -> DiscoverySpec:
        """The token with its own size, if these members can still use it."""
        place = discovery.token_url or f"{discovery.service} ({discovery.token})"
        if self._asked_size not in (None, state.size):
            raise InputError(
                f"the token is for {state.size} members, and --discovery-size asks for "
                f"{self._asked_size}",
                place,
                "leave --discovery-size out, or the token for a fresh one",
            )
        if state.is_full:
            raise InputError(
                f"the token is used up: all {state.size} of its members have registered "
                f"({_named(state.registered)})",
                place,
                _ONE_CLUSTER,
            )
        ours = {url for _, url in self._registrants.members}
        if again := [each for each in state.registered if ours & set(each.peer_urls.split(","))]:
            raise InputError(
                f"an earlier cluster with these peer URLs has used the token: {_named(again)}",
                place,
                _ONE_CLUSTER,
            )
        names = {name for name, _ in self._registrants.members}
        if same := [each for each in state.registered if each.member in names]:
            raise InputError(
                f"members of the same name have registered with the token: {_named(same)}",
                place,
                "name these members differently: [[member]] name = '...' in a profile",
            )
        return replace(discovery, size=state.size, taken=len(state.registered))

    def _must_speak_v2(self, why: str, place: str) -> None:
        if DiscoveryProtocol.V2 not in self._registrants.protocols:
            raise InputError(
                f"{why}, which etcd 3.7 and later do not speak",
                place,
                "give the members an etcd up to 3.6 with --etcd, or name an etcd that serves v3 "
                "by its own URL, like http://127.0.0.1:2379",
            )


def _named(registered: Iterable[Registration]) -> str:
    return ", ".join(f"{each.member} at {each.peer_urls}" for each in registered)
