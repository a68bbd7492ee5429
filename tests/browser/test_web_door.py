"""Who gets in to the served dashboard, where it listens, and that it ends without a trace."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import aiohttp
import httpx
import psutil

from tests.browser.conftest import Served
from tests.conftest import SandboxCommand, until

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def origin(served: Served) -> str:
    """What its own page sends as Origin."""
    return f"http://{urlsplit(served.url).netloc}"


def open_websocket(served: Served, then: Callable[[], object], browsers: int = 1) -> None:
    """Be so many pages of it; when each was painted something, `then` is called."""

    async def be_there() -> None:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession())
            for _ in range(browsers):
                socket = await stack.enter_async_context(
                    session.ws_connect(f"{served.url}ws", origin=origin(served))
                )
                assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.BINARY
            await asyncio.to_thread(then)

    asyncio.run(be_there())


def test_who_lacks_the_token_or_comes_from_elsewhere_gets_nothing(
    up: Callable[[int], None], serve: Callable[..., Served]
) -> None:
    up(1)
    served = serve()
    parts = urlsplit(served.url)
    root, token = f"{origin(served)}/", parts.path.strip("/")
    own = {"Origin": origin(served)}
    foreign = {"Origin": "http://evil.example"}
    rebound = {"Host": f"evil.example:{parts.port}"}
    wrong = f"{root}{token[::-1]}/"
    for url, headers in (
        (root, {}),
        (wrong, {}),
        (f"{root}ws", HANDSHAKE | own),
        (f"{wrong}ws", HANDSHAKE | own),
        (f"{root}static/js/textual.js", {}),
        (f"{root}download/0123", {}),
        (f"{served.url}ws", HANDSHAKE),
        (f"{served.url}ws", HANDSHAKE | foreign),
        (f"{served.url}ws", HANDSHAKE | {"Origin": "null"}),
        (f"{served.url}ws", HANDSHAKE | rebound | {"Origin": f"http://{rebound['Host']}"}),
        (served.url, rebound),
        (served.url, foreign),
    ):
        answer = httpx.get(url, headers=headers)
        assert (answer.status_code, answer.text[:5]) == (403, "403: "), (url, headers)
        assert token not in answer.text
        assert served.dashboards() == [], (url, headers)
    page = httpx.get(served.url)
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert httpx.get(served.url.rstrip("/"), follow_redirects=True).text == page.text
    open_websocket(served, lambda: until(served.dashboards))
    until(lambda: not served.dashboards())


def test_the_end_of_the_server_is_the_end_of_every_dashboard_and_of_nothing_else(
    sandbox_command: SandboxCommand, up: Callable[[int], None], serve: Callable[..., Served]
) -> None:
    up(1)

    def ended_by(number: int) -> None:
        served = serve()

        def end() -> None:
            assert len(served.dashboards()) == 2
            code, out, err = served.end(number)
            assert (code, out) == (-number if number == signal.SIGKILL else 130, "")
            assert err == (
                "etcd-sandbox: cluster default: open that URL in a browser; Ctrl-C ends it\n"
            )
            until(lambda: not served.dashboards(), 30)

        open_websocket(served, end, browsers=2)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
        ended_by(number)
    sandbox_command("status")
    sandbox_command("down")
    sandbox_command.assert_nothing_left()


def test_a_dashboard_that_hangs_does_not_hold_up_the_end(
    up: Callable[[int], None], serve: Callable[..., Served]
) -> None:
    up(1)
    served = serve()

    def end() -> None:
        served.dashboards()[0].suspend()
        assert served.end()[0] == 130
        until(lambda: not served.dashboards(), 20)

    open_websocket(served, end)


def test_it_listens_for_this_machine_alone_unless_told_otherwise_and_says_what_that_means(
    up: Callable[[int], None], serve: Callable[..., Served]
) -> None:
    up(1)
    alone, open_to_all = serve(), serve("--bind", "0.0.0.0")
    assert listeners(alone) == ["127.0.0.1"]
    assert listeners(open_to_all) == ["0.0.0.0"]
    assert "run commands" not in alone.end()[2]
    port = urlsplit(open_to_all.url).port
    assert open_to_all.end()[2].startswith(
        f"etcd-sandbox: warning: everybody who can reach 0.0.0.0 port {port} and has the URL can"
        " run commands on this machine as you; the traffic is not encrypted\n"
    )


def test_a_cluster_that_is_gone_is_told_once(
    sandbox_command: SandboxCommand, up: Callable[[int], None], serve: Callable[..., Served]
) -> None:
    up(1)
    served = serve()
    sandbox_command("down")

    async def knock() -> aiohttp.WSMsgType:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{served.url}ws", origin=origin(served)) as socket,
        ):
            return (await socket.receive(timeout=30)).type

    assert asyncio.run(knock()) is aiohttp.WSMsgType.CLOSE
    err = served.end()[2]
    assert err.count("error: no cluster 'default' is running") == 1, err


def listeners(served: Served) -> list[str]:
    """The addresses where the server takes connections."""
    return [
        connection.laddr.ip
        for connection in psutil.Process(served.process.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]


def test_more_browsers_than_are_wanted_are_told_so_and_nonsense_ends_only_its_own(
    up: Callable[[int], None], serve: Callable[..., Served]
) -> None:
    up(1)
    served = serve("--viewers", "1")

    def be_turned_away() -> None:
        page = httpx.get(served.url)
        headers = HANDSHAKE | {"Origin": origin(served)}
        answer = httpx.get(f"{served.url}ws", headers=headers, timeout=30)
        assert (page.status_code, answer.status_code) == (200, 503)
        for text in (page.text, answer.text):
            assert "one browser shows this dashboard already" in text
            assert "--viewers" in text
        assert len(served.dashboards()) == 1

    open_websocket(served, be_turned_away)
    # Who comes right after another has left has a place, as a page that is loaded anew.
    open_websocket(served, lambda: None)
    until(lambda: "already" not in httpx.get(served.url).text)

    async def talk_nonsense() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{served.url}ws", origin=origin(served)) as socket,
        ):
            await socket.send_str('["resize", {"width": 1000000000, "height": 1000000000}]')
            await socket.send_str('["stdin", 5]')
            async for _ in socket:
                pass
            assert socket.close_code == 1003

    asyncio.run(talk_nonsense())
    until(lambda: not served.dashboards())
    _, _, err = served.end()
    assert err.count("a browser was turned away") == 1
    assert "Traceback" not in err
