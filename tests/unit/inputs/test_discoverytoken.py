"""Tokens of an existing discovery service: found fit, or refused with the reason, by a service in memory."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from etcd_sandbox.config.profile import Profile
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.inputs.discoverytoken import ServiceUrl, existing_token, is_of, read_address
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.ways import AskedWay, bootstrap_inputs
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.bootstrap import Bootstrap, DiscoveryProtocol, DiscoverySpec
from etcd_sandbox.model.spec import ClusterSpec, MemberProcess, MemberSpec, Source, SourceKind
from etcd_sandbox.plan.ways.request import Registrants

V2, V3 = DiscoveryProtocol.V2, DiscoveryProtocol.V3
MEMBERS = (("infra1", "http://127.0.0.1:12380"), ("infra2", "http://127.0.0.1:22380"))
OLD = Registrants(protocols=(V2,), members=MEMBERS)
NEW = Registrants(protocols=(V3,), members=MEMBERS)
ANY = Registrants(protocols=(V3, V2), members=MEMBERS)

ETCD_35 = {"/version": '{"etcdserver":"3.5.1","etcdcluster":"3.5.0"}', "/v2/keys/": "{}"}
ETCD_37 = {"/version": '{"etcdserver":"3.7.3","etcdcluster":"3.7.0"}'}
NO_KEY = '{"errorCode":100,"message":"Key not found"}'


def token_of_v2(path: str, size: int, *members: str) -> dict[str, str]:
    nodes = [
        {"key": f"/x/{place}", "value": member, "createdIndex": place}
        for place, member in enumerate(members)
    ]
    return {
        f"{path}/_config/size": json.dumps({"node": {"value": str(size)}}),
        f"{path}?recursive=true": json.dumps({"node": {"nodes": nodes}}),
    }


@contextmanager
def service(answers: dict[str, str], otherwise: str = "404 page not found") -> Iterator[str]:
    """A service that knows these answers, by path, on a thread with a loop of its own."""
    started, places = threading.Event(), list[str]()
    loop = asyncio.new_event_loop()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).decode().split()[1]
                text = answers.get(path)
                status, body = (404, otherwise) if text is None else (200, text)
                body = body.replace("SERVICE", places[0])
                head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body.encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        places.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        started.set()
        async with server:
            await ended.wait()

    ended = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(30)
    try:
        yield places[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


@pytest.mark.parametrize(
    ("url", "service_url", "token_url"),
    [
        ("http://127.0.0.1:2379", "http://127.0.0.1:2379", ""),
        ("http://127.0.0.1:2379/", "http://127.0.0.1:2379", ""),
        ("https://disc.example/new?size=3", "https://disc.example", ""),
        ("https://disc.example/tok/", "https://disc.example", "https://disc.example/tok"),
        ("http://a:1/v2/keys/discovery/t", "http://a:1", "http://a:1/v2/keys/discovery/t"),
    ],
)
def test_a_url_names_a_service_or_a_token_there(url: str, service_url: str, token_url: str) -> None:
    assert read_address(url) == ServiceUrl(service_url, token_url)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:2379", "ftp://a/", "http://", "http://a:x/", "http://[/"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="is no URL of a discovery service"):
        read_address(url)


def test_a_token_of_an_etcd_is_fresh_and_of_the_better_protocol() -> None:
    with service(ETCD_35) as url:
        old = existing_token(url, "", None, OLD)
        assert (old.protocol, old.service, old.size, old.given) == (V2, url, 2, False)
        assert old.token_url == f"{url}/v2/keys/discovery/{old.token}"
        assert existing_token(url, "", 3, OLD).size == 3
        assert existing_token(url, "", None, OLD).token != old.token
        new = existing_token(url, "", None, ANY)
        assert (new.protocol, new.token_url) == (V3, "")


def test_a_service_that_makes_its_tokens_itself_is_asked_for_one() -> None:
    answers = {"/new?size=2": "SERVICE/fresh\n", **token_of_v2("/fresh", 2)}
    with service(answers) as url:
        made = existing_token(url, "", None, OLD)
        assert (made.protocol, made.token, made.given) == (V2, "fresh", True)
        assert made.token_url == f"{url}/fresh"


def test_a_token_that_is_there_brings_its_size_and_who_has_taken_a_place() -> None:
    answers = ETCD_35 | token_of_v2("/v2/keys/discovery/t", 5, "other=http://10.0.0.1:2380")
    with service(answers, NO_KEY) as url:
        for asked, token in ((f"{url}/v2/keys/discovery/t", ""), (url, "t")):
            found = existing_token(asked, token, None, OLD)
            assert (found.size, found.taken, found.places) == (5, 1, 4)
            assert (found.token, found.given) == ("t", True)


USED = ("a=http://10.0.0.1:2380", "b=http://10.0.0.2:2380")


@pytest.mark.parametrize(
    ("answers", "path", "token", "size", "registrants", "what", "hint"),
    [
        (ETCD_35, "/v2/keys/discovery/t", "", None, OLD, "'t' is not registered", "fresh one"),
        (ETCD_35, "", "t", None, OLD, "'t' is not registered", "fresh one"),
        ({**ETCD_35, "/v3/kv/range": '{"header":{}}'}, "", "t", None, ANY, "'t' is not", "fresh"),
        (ETCD_37, "", "", None, OLD, "the etcd 3.7.3 there does not serve", "v2 ended with"),
        (
            {"/version": ETCD_35["/version"]},
            "",
            "",
            None,
            OLD,
            "the etcd 3.5.1 there does not serve the v2",
            "start it with --enable-v2",
        ),
        ({}, "/t", "", None, NEW, "a token's URL belongs to the v2 protocol", "up to 3.6"),
        ({}, "", "", None, NEW, "such a service serves the v2 protocol", "up to 3.6"),
        ({}, "/t", "u", None, OLD, "names the token 't', and --discovery-token", "leave one"),
        (token_of_v2("/t", 5), "/t", "", 3, OLD, "is for 5 members, and --disc", "leave --disc"),
        (
            token_of_v2("/t", 2, *USED),
            "/t",
            "",
            None,
            OLD,
            "used up: all 2 of its members have registered (a at http://10.0.0.1:2380, b at",
            "introduces one cluster",
        ),
        (
            token_of_v2("/t", 3, f"infra1={MEMBERS[0][1]}"),
            "/t",
            "",
            None,
            OLD,
            "an earlier cluster with these peer URLs has used the token: infra1 at",
            "introduces one cluster",
        ),
        (
            token_of_v2("/t", 3, "infra1=http://10.0.0.1:2380"),
            "/t",
            "",
            None,
            OLD,
            "members of the same name have registered with the token: infra1 at http://10.0",
            "in a profile",
        ),
    ],
)
def test_a_token_that_cannot_be_used_is_refused_with_the_reason(
    answers: dict[str, str],
    path: str,
    token: str,
    size: int | None,
    registrants: Registrants,
    what: str,
    hint: str,
) -> None:
    with service(answers, NO_KEY) as url, pytest.raises(InputError) as caught:
        existing_token(url + path, token, size, registrants)
    assert what in caught.value.what
    assert hint in caught.value.hint
    assert caught.value.where.startswith("http")


def test_what_is_no_discovery_service_is_told_from_one_that_does_not_answer() -> None:
    with service({}) as url, pytest.raises(SandboxError) as caught:
        existing_token(url, "", None, OLD)
    assert "that is no discovery service" in caught.value.what
    with pytest.raises(SandboxError) as caught:
        existing_token(url, "", None, OLD)
    assert caught.value.what == "the discovery service does not answer (Connection refused)"


def test_a_service_that_takes_too_long_does_not_hold_up_the_start() -> None:
    with socket_that_says_nothing() as url, pytest.raises(SandboxError) as caught:
        existing_token(url, "", None, OLD, timeout_s=0.05)
    assert caught.value.what == "the discovery service does not answer (within 0.05 s)"


@contextmanager
def socket_that_says_nothing() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


KNOWN = DiscoverySpec(
    protocol=V2,
    service=Address("http://a:1"),
    token="t",
    size=3,
    token_url="http://a:1/v2/keys/discovery/t",
)


@pytest.mark.parametrize(
    ("url", "token", "same"),
    [
        ("http://a:1", "", True),
        ("http://a:1/", "t", True),
        ("http://a:1/v2/keys/discovery/t", "", True),
        ("http://a:1", "u", False),
        ("http://a:2", "", False),
        ("http://a:1/v2/keys/discovery/u", "", False),
    ],
)
def test_the_token_of_a_cluster_is_known_again_by_its_service(
    url: str, token: str, same: bool
) -> None:
    assert is_of(KNOWN, url, token) is same


def recorded(data: Path, discovery: DiscoverySpec) -> ClusterSpec:
    member = MemberSpec(
        name="infra1",
        id=None,
        client_url=Address(""),
        peer_url=Address(""),
        data_dir=str(data),
        data_owned=True,
        token="",
    )
    process = MemberProcess(name="etcd1", argv=(), shown="", cwd="/", member=member)
    return ClusterSpec(
        name="default",
        source=Source(kind=SourceKind.MEMBERS),
        processes=(process,),
        discovery=discovery,
    )


def nowhere(name: str) -> tuple[str, str]:
    raise AssertionError(name)


def test_data_keeps_its_token_and_without_data_a_token_is_fresh(tmp_path: Path) -> None:
    own = DiscoverySpec(
        protocol=V2, service=Address("http://a:1"), token="t", size=3, process="discovery"
    )

    def token(spec: ClusterSpec | None, *, fresh: bool = False) -> str:
        options = Options(bootstrap="discovery", fresh=fresh)
        return bootstrap_inputs(AskedWay.of(options, Profile()), spec, nowhere).token

    kept = recorded(tmp_path, own)
    assert token(kept) != "t"
    (tmp_path / "member" / "wal").mkdir(parents=True)
    assert token(kept) == "t"
    assert token(kept, fresh=True) != "t"
    assert token(None) != token(None)


def test_a_cluster_with_data_does_not_ask_its_service_again(tmp_path: Path) -> None:
    (tmp_path / "member" / "wal").mkdir(parents=True)
    asked = AskedWay.of(Options(discovery="http://a:1"), Profile())
    inputs = bootstrap_inputs(asked, recorded(tmp_path, KNOWN), nowhere)
    assert inputs.bootstrap is Bootstrap.DISCOVERY
    ask: Callable[[Registrants], DiscoverySpec] | None = inputs.ask_service
    assert ask is not None
    assert ask(OLD) == KNOWN
