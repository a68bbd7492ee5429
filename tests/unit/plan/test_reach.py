"""Where a member of a Procfile is asked."""

from __future__ import annotations

import pytest
from etcd_sandbox.model.access import Address
from etcd_sandbox.plan.reach import reached_at

HERE = "http://127.0.0.1:12379"


@pytest.mark.parametrize(
    ("advertised", "listening", "reached"),
    [
        # What leads here is taken as it is.
        (HERE, HERE, HERE),
        ("http://localhost:1", "http://0.0.0.0:1", "http://localhost:1"),
        ("http://[::1]:1", "http://[::]:1", "http://[::1]:1"),
        ("https://10.0.0.5:1", "https://10.0.0.5:1", "https://10.0.0.5:1"),
        ("http://127.0.0.1:9", "http://127.0.0.1:1", "http://127.0.0.1:9"),
        # A name or an address that is not the member's here: an address that it listens on.
        ("http://node1.example:1", "http://0.0.0.0:1", "http://127.0.0.1:1"),
        ("http://node1.example:1", "http://[::]:1", "http://[::1]:1"),
        ("https://10.0.0.5:1", "https://0.0.0.0:1", "https://127.0.0.1:1"),
        ("http://node1.example:1", "http://10.0.0.5:1,http://0.0.0.0:2", "http://10.0.0.5:1"),
        ("http://0.0.0.0:1", "http://0.0.0.0:1", "http://127.0.0.1:1"),
        ("http://localhost:1", "http://10.0.0.5:1", "http://10.0.0.5:1"),
        # The first of several that leads here.
        ("http://node1.example:1,http://127.0.0.1:1", "http://0.0.0.0:1", "http://127.0.0.1:1"),
        ("", HERE, HERE),
        # etcd's own way to write a socket's file: relative to where it runs.
        ("unix://localhost:1", "unix://localhost:1", "unix:///work/localhost:1"),
        ("unix://run/a.sock", "unix://run/a.sock", "unix:///work/run/a.sock"),
        ("unixs:///run/a.sock", "unixs:///run/a.sock", "unixs:///run/a.sock"),
        ("http://localhost:2379", "unix://a.sock", "unix:///work/a.sock"),
        ("http://node1.example:1", "unix://a.sock,http://0.0.0.0:1", "http://127.0.0.1:1"),
        ("unix://a.sock", "http://0.0.0.0:1,unix://a.sock", "unix:///work/a.sock"),
        # What is no URL is etcd's to complain of.
        ("http://a:b", "http://[", "http://a:b"),
        ("", "", ""),
    ],
)
def test_a_member_is_asked_where_it_listens_unless_what_it_advertises_leads_here(
    advertised: str, listening: str, reached: str
) -> None:
    def urls(text: str) -> list[Address]:
        return [Address(url) for url in text.split(",") if url]

    assert reached_at(urls(advertised), urls(listening), "/work") == reached
