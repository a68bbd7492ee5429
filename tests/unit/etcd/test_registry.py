"""What a discovery service keeps for a token, from its own answers."""

from __future__ import annotations

import base64
import json

import pytest
from etcd_sandbox.etcd.discovery import (
    NotUnderstood,
    TokenState,
    read_v2_members,
    read_v2_size,
    read_v3,
    v3_creation,
    v3_range,
)
from etcd_sandbox.model.state import Registration

V2_TOKEN = b"""{"action":"get","node":{"key":"/discovery/tok","dir":true,"nodes":[
{"key":"/discovery/tok/9d1055460edd4f9f","value":"infra3=http://a:3","modifiedIndex":6,"createdIndex":6},
{"key":"/discovery/tok/3c25c6897ec4ab74","value":"infra1=http://a:1,infra1=http://b:1","modifiedIndex":5,"createdIndex":5}
],"modifiedIndex":4,"createdIndex":4}}"""
NOBODY = b'{"action":"get","node":{"key":"/discovery/nix","dir":true,"modifiedIndex":4}}'
NO_KEY = b'{"errorCode":100,"message":"Key not found","cause":"/discovery","index":3}'


def v3_answer(**kvs: str) -> bytes:
    entries = [
        {
            "key": base64.b64encode(f"/_etcd/registry/tok/{key}".encode()).decode(),
            "value": base64.b64encode(value.encode()).decode(),
            "create_revision": str(9 - place),
        }
        for place, (key, value) in enumerate(kvs.items())
    ]
    return json.dumps({"header": {"revision": "9"}, "kvs": entries}).encode()


def test_members_are_told_in_the_order_in_which_they_registered() -> None:
    assert read_v2_members(200, V2_TOKEN) == (
        Registration(member="infra1", id="3c25c6897ec4ab74", peer_urls="http://a:1,http://b:1"),
        Registration(member="infra3", id="9d1055460edd4f9f", peer_urls="http://a:3"),
    )
    text = v3_answer(
        **{
            "members/9d10": "infra3=http://a:3",
            "members/3c25": "infra1=http://a:1,infra1=http://b:1",
            "_config/size": "3",
        }
    )
    assert read_v3(200, text, "tok") == TokenState(
        3,
        (
            Registration(member="infra1", id="3c25", peer_urls="http://a:1,http://b:1"),
            Registration(member="infra3", id="9d10", peer_urls="http://a:3"),
        ),
    )


def test_a_token_where_nobody_has_registered_is_none_the_less_there() -> None:
    assert read_v2_members(200, NOBODY) == ()
    assert read_v2_size(200, b'{"action":"get","node":{"key":"/x","value":"3"}}') == 3
    assert read_v3(200, v3_answer(**{"_config/size": "5"}), "tok") == TokenState(5)


def test_a_token_that_is_not_registered_is_none() -> None:
    assert read_v2_size(404, NO_KEY) is None
    assert read_v3(200, b'{"header":{"revision":"1"}}', "tok") is None
    # Somebody registered without a size: no member will take that for a token.
    assert read_v3(200, v3_answer(**{"members/1": "a=http://a"}), "tok") is None


def test_a_token_is_full_when_as_many_have_registered_as_it_is_for() -> None:
    each = Registration(member="a", id="1", peer_urls="http://a")
    assert not TokenState(2, (each,)).is_full
    assert TokenState(2, (each, each)).is_full
    assert TokenState(2, (each, each, each)).is_full


@pytest.mark.parametrize(
    ("status", "text", "why"),
    [
        (404, b"404 page not found\n", "it answers 404 Not Found"),
        (200, b"<html>", "it answers with status 200 and what is no JSON object"),
        (200, b"[]", "no JSON object"),
        (500, b'{"message":"Internal Server Error"}', "Internal Server Error"),
        (
            200,
            b'{"action":"get","node":{"key":"/x","value":"three"}}',
            "'three', which is no number",
        ),
    ],
)
def test_what_no_discovery_service_answers_is_not_taken_for_an_answer(
    status: int, text: bytes, why: str
) -> None:
    with pytest.raises(NotUnderstood) as caught:
        read_v2_size(status, text)
    assert why in str(caught.value)


def test_a_refusal_of_the_v3_gateway_is_told_in_its_words() -> None:
    with pytest.raises(NotUnderstood, match="permission denied"):
        read_v3(403, b'{"code":7,"message":"etcdserver: permission denied"}', "tok")


def test_v3_asks_for_the_keys_of_one_token_and_registers_it_once() -> None:
    asked = {k: base64.b64decode(v).decode() for k, v in json.loads(v3_range("tok")).items()}
    assert asked == {"key": "/_etcd/registry/tok/", "range_end": "/_etcd/registry/tok0"}
    made = json.loads(v3_creation("tok", 3))
    assert base64.b64decode(made["success"][0]["request_put"]["value"]) == b"3"
    assert made["compare"][0]["create_revision"] == "0"
