"""What is said of a discovery token that not all members have registered with."""

from __future__ import annotations

import pytest
from etcd_sandbox.cluster.ways.discovery import what_lacks
from etcd_sandbox.etcd.discovery import TokenState
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.bootstrap import DiscoveryProtocol, DiscoverySpec
from etcd_sandbox.model.state import Registration
from msgspec.structs import replace

OWN = DiscoverySpec(
    protocol=DiscoveryProtocol.V2,
    service=Address("http://127.0.0.1:12383"),
    token="tok",
    size=5,
    token_url="http://127.0.0.1:12383/v2/keys/discovery/tok",
    process="discovery",
)
V3 = replace(OWN, protocol=DiscoveryProtocol.V3, token_url="")
GIVEN = replace(OWN, process="", given=True)


def seen(*members: str) -> TokenState:
    return TokenState(5, tuple(Registration(member=m, id=m, peer_urls="") for m in members))


@pytest.mark.parametrize(
    ("discovery", "state", "idle", "said"),
    [
        (
            OWN,
            seen("a", "b", "c"),
            [],
            "the discovery token is for 5 members, and 3 have registered: start 2 more with "
            "--discovery http://127.0.0.1:12383/v2/keys/discovery/tok, or etcd-sandbox down and "
            "etcd-sandbox up --fresh with --discovery-size 3",
        ),
        (
            V3,
            seen("a"),
            [],
            "the discovery token is for 5 members, and 1 has registered: start 4 more with "
            "--discovery http://127.0.0.1:12383 --discovery-token tok, or etcd-sandbox down and "
            "etcd-sandbox up --fresh with --discovery-size 3",
        ),
        (
            OWN,
            seen("a", "b", "c"),
            ["etcd4", "etcd5", "etcd6"],
            "the discovery token is for 5 members, and 3 have registered: "
            "etcd-sandbox start etcd4 etcd5",
        ),
        (
            GIVEN,
            seen("a", "b", "c", "d"),
            [],
            "the discovery token is for 5 members, and 4 have registered: start 1 more with "
            "--discovery http://127.0.0.1:12383/v2/keys/discovery/tok, or etcd-sandbox down and "
            "etcd-sandbox up --fresh with another token",
        ),
    ],
)
def test_it_is_said_how_many_miss_and_what_to_type(
    discovery: DiscoverySpec, state: TokenState, idle: list[str], said: str
) -> None:
    assert what_lacks(discovery, state, 3, idle) == said
