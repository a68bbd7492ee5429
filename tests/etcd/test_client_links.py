"""Links between clients and members on real etcd, with clients that know nothing of them: Python's own HTTP, and Go's (etcdctl)."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from etcd_sandbox import Cluster
from etcd_sandbox.model.access import Address

from tests.conftest import until
from tests.etcd.client import ask, get, put, puts_s
from tests.etcd.conftest import ClusterMaker
from tests.etcd.traffic import url
from tests.etcd.views import leader_and_followers, views

SHORT_S = 0.7
"""For what must not come."""

RATE = 256_000
RANGE = json.dumps({"key": "a2V5"})  # key


@contextmanager
def connected(endpoint: str) -> Iterator[http.client.HTTPConnection]:
    """One connection that is kept, as clients keep theirs."""
    address = Address(endpoint)
    connection = http.client.HTTPConnection(address.host, address.port, timeout=SHORT_S)
    try:
        yield connection
    finally:
        connection.close()


def asked(connection: http.client.HTTPConnection, path: str = "range", body: str = RANGE) -> int:
    """A request and its answer's length."""
    connection.request("POST", f"/v3/kv/{path}", body)
    return len(connection.getresponse().read())


def is_reset(connection: http.client.HTTPConnection, within_s: float = 5.0) -> bool:
    """Whether a request on it ends at once, and not by the time that it has."""
    connection.timeout = within_s
    if connection.sock is not None:
        connection.sock.settimeout(within_s)
    try:
        asked(connection)
    except TimeoutError:
        return False
    except (ConnectionError, http.client.HTTPException):
        return True
    return False


def all_healthy(cluster: Cluster) -> bool:
    return all(view.healthy for view in views(cluster).values())


def test_clients_meet_a_black_hole_a_refusal_one_way_and_resets_and_the_product_none_of_it(
    cluster_of: ClusterMaker,
) -> None:
    cluster = cluster_of(client_links=True)
    leader, (other, _) = leader_and_followers(cluster)
    endpoint = url(cluster, leader)
    # Clients that sync their endpoints are told of the links.
    listed = ask(endpoint, "cluster/member/list")["members"]
    assert sorted(each["clientURLs"][0] for each in listed) == sorted(cluster.endpoints)
    put(endpoint, "key", "before")

    with connected(endpoint) as kept, connected(endpoint) as late:
        assert asked(kept)
        cluster.partition(leader, versus="clients")
        for connection in (kept, late):  # the one that stands, and a new one
            with pytest.raises(TimeoutError):
                asked(connection)
        assert all_healthy(cluster)
        assert cluster.leader() == leader
        cluster.heal()
        kept.sock.settimeout(5)
        with pytest.raises(ConnectionResetError):
            kept.sock.recv(1)

    with connected(endpoint) as kept, connected(endpoint) as late:
        assert asked(kept)
        cluster.cut(leader, "clients", refuse=True)
        assert is_reset(kept)
        assert is_reset(late)
        # A client of Go that knows several members goes to another one.
        assert cluster.ctl("put", "key", "elsewhere") == "OK\n"
        cluster.heal()

    with connected(endpoint) as kept:
        cluster.partition(leader, versus="clients", one_way=True)
        with pytest.raises(TimeoutError):
            asked(kept, "put", json.dumps({"key": "b25l", "value": "d2F5"}))
        # The request was delivered, and the answer was not.
        until(lambda: get(url(cluster, other), "one") == "way", 10)
        cluster.heal()

    put(endpoint, "key", "v" * 700_000)
    with connected(endpoint) as kept:
        kept.timeout = 30
        cluster.throttle(leader, versus="clients", bytes_per_s=RATE)
        began = time.monotonic()
        rate = asked(kept) / (time.monotonic() - began)
        assert rate == pytest.approx(RATE, rel=0.1)
        kept.request("POST", "/v3/kv/range", RANGE)
        answer = kept.getresponse()
        assert answer.read(1000)
        cluster.reset_links(leader, versus="clients")
        with pytest.raises((ConnectionError, http.client.IncompleteRead)):
            answer.read()
    cluster.heal()

    cluster.slow(leader, versus="clients", delay_s=0.15)
    assert min(puts_s(endpoint, 3)) >= 0.3
    assert cluster.heal().targets == (leader,)
    assert cluster.status().faults == ()
