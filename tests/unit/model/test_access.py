"""Addresses are read once, and moved as values; JSON has them as text."""

from __future__ import annotations

import msgspec
import pytest
from etcd_sandbox.model.access import Address, as_pairs, as_text, as_value


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port"),
    [
        ("http://127.0.0.1:2379", "http", "127.0.0.1", 2379),
        ("https://[::1]:2379", "https", "::1", 2379),
        ("HTTP://Node1.example:80/x", "http", "node1.example", 80),
        ("http://node1", "http", "node1", None),
        ("http://a:b", "http", "a", None),
        ("http://a:99999", "http", "a", None),
        ("http://[", "", "", None),
        ("unix://localhost:m1", "unix", "", None),
        ("unix:///run/etcd.sock:2379", "unix", "", None),
        ("", "", "", None),
    ],
)
def test_an_address_knows_what_it_is_made_of(
    text: str, scheme: str, host: str, port: int | None
) -> None:
    address = Address(text)
    assert address == text
    assert (address.scheme, address.host, address.port) == (scheme, host, port)


def test_an_address_moves_and_keeps_the_rest() -> None:
    assert Address.here(2379) == "http://127.0.0.1:2379"
    assert Address.here(1, "https", "::1") == "https://[::1]:1"
    assert Address("https://[::1]:1/x").moved(2) == "https://[::1]:3/x"
    assert Address("http://0.0.0.0:1").at("box-infra1") == "http://box-infra1:1"
    assert Address("http://box/x").at("::1") == "http://[::1]/x"


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("http://localhost:1", ("127.0.0.1", 1)),
        ("https://[::1]:1", ("::1", 1)),
        ("http://a", None),
        ("unix://a:1", None),
    ],
)
def test_only_an_address_of_tcp_is_bound(text: str, bound: tuple[str, int] | None) -> None:
    assert Address(text).bound == bound


def test_a_list_of_members_has_a_pair_for_each_peer_url() -> None:
    a, b = Address("http://h:1"), Address("http://h:2")
    assert as_pairs({"x": (a, b), "y": (b,)}) == ("x=http://h:1", "x=http://h:2", "y=http://h:2")


class Holder(msgspec.Struct):
    url: Address
    others: tuple[Address, ...] = ()


def test_an_address_is_text_in_json_and_an_address_again() -> None:
    holder = Holder(Address("http://h:1"), (Address("http://h:2"),))
    content = msgspec.json.encode(holder, enc_hook=as_text)
    assert content == b'{"url":"http://h:1","others":["http://h:2"]}'
    again = msgspec.json.decode(content, type=Holder, dec_hook=as_value)
    assert (again.url.port, again.others[0].port) == (1, 2)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": 1}, Holder, dec_hook=as_value)
