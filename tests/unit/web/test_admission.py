"""Who is let in to the dashboard in the browser: by name, by token, by origin."""

from __future__ import annotations

import pytest
from etcd_sandbox.web.admission import Door, Knock, refusal

TOKEN = "0123456789abcdef0123456789abcdef"
HERE = "127.0.0.1:8379"
DOOR = Door(TOKEN)


def knock(path: str = f"/{TOKEN}/", host: str = HERE, **more: object) -> str | None:
    return refusal(DOOR, Knock(path, host, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [f"/{TOKEN}/", f"/{TOKEN}", f"/{TOKEN}/static/js/textual.js"])
def test_who_has_the_token_is_let_in(path: str) -> None:
    assert knock(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        f"//{TOKEN}/",
        "/ws",
        "/static/js/textual.js",
        "/download/0123",
        f"/{TOKEN[:-1]}/",
        f"/{TOKEN}0/",
        f"/{TOKEN.upper()}/",
        f"/static/../{TOKEN}/",
        f"/ws?token={TOKEN}",
        f"/\udcff{TOKEN[1:]}/",
        "/ä/",
    ],
)
def test_a_path_without_the_token_is_refused_whatever_it_is(path: str) -> None:
    assert knock(path) == "open the whole URL that etcd-sandbox printed"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8379", "127.0.0.1", "localhost:9000", "LocalHost:8379", "[::1]:8379", "10.0.0.7:1"],
)
def test_addresses_and_own_names_are_names_to_call_it_by(host: str) -> None:
    assert knock(host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example:8379",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8379",
        "evil@127.0.0.1:8379",
        "127.0.0.1:8379; script-src *",
        "127.0.0.1:8379\n",
        "127.0.0.1:port",
        "[::1",
        "[localhost]:8379",
    ],
)
def test_a_name_of_somebody_else_is_refused_even_with_the_token(host: str) -> None:
    assert str(knock(host=host)).startswith("this server does not go by that name")


def test_further_names_are_only_those_it_was_given() -> None:
    door = Door(TOKEN, frozenset({"laptop.local"}))
    assert refusal(door, Knock(f"/{TOKEN}/", "Laptop.local:8379")) is None
    assert refusal(door, Knock(f"/{TOKEN}/", "localhost:8379")) is not None


@pytest.mark.parametrize("websocket", [True, False])
@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://127.0.0.1:9999",
        "http://127.0.0.1",
        "http://localhost:8379",
        "http://127.0.0.1:8379.evil.example",
        "http://evil@127.0.0.1:8379",
        "file://",
        "null",
        "",
    ],
)
def test_another_site_is_refused_even_with_the_token(origin: str, websocket: bool) -> None:
    refused = knock(origin=origin, websocket=websocket)
    assert refused == "another site may not use this server"


@pytest.mark.parametrize("host", [HERE, "localhost:8379", "[::1]:8379"])
def test_the_own_page_may_open_a_websocket_by_each_name(host: str) -> None:
    path = f"/{TOKEN}/ws"
    assert knock(path, host, origin=f"http://{host}", websocket=True) is None


def test_a_websocket_says_where_it_comes_from_a_page_need_not() -> None:
    assert knock(websocket=True) == "a websocket needs an Origin"
    assert knock() is None
