"""Why members did not find each other by DNS: last lines of real etcds, in short."""

from __future__ import annotations

import json

import pytest
from etcd_sandbox.etcd.failures import explain_dns
from etcd_sandbox.model.bootstrap import DnsSpec

DNS = DnsSpec(
    domain="etcd-sandbox.test",
    address="127.53.40.77",
    srv=(),
    hosts=(),
    resolv_conf="/x",
    process="dns",
)
REFUSED = (
    "lookup infra1.etcd-sandbox.test on 127.53.40.77:53: "
    "read udp 127.0.0.1:51042->127.53.40.77:53: read: connection refused"
)
NO_TLS_RECORDS = (
    "error querying DNS SRV records for _etcd-server-ssl "
    "lookup _etcd-server-ssl._tcp.etcd-sandbox.test on 127.53.40.77:53: no such host"
)
NO_RECORDS = NO_TLS_RECORDS.replace("-ssl", "")
NO_TARGET = (
    "error querying DNS SRV records for _etcd-server "
    "lookup other.etcd-sandbox.test. on 127.53.40.77:53: no such host"
)
NO_NAME = "lookup infra1.etcd-sandbox.test on 127.53.40.77:53: no such host"
OTHER_SCHEME = (
    "error querying DNS SRV records for _etcd-server-ssl bootstrap at "
    "https://infra1.etcd-sandbox.test:10380 from DNS for etcd-server-ssl has scheme mismatch "
    "with expected peer http://infra1.etcd-sandbox.test:10380"
)
SHOWN = "dig +short @127.53.40.77 _etcd-server._tcp.etcd-sandbox.test SRV shows what there is"


def last_line(error: str) -> list[bytes]:
    line = {"level": "fatal", "msg": "discovery failed", "error": error}
    return [b"{}\n", json.dumps(line).encode() + b"\n"]


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        pytest.param([REFUSED, REFUSED], "does not answer: etcd-sandbox start dns", id="no server"),
        pytest.param(
            [f"{NO_NAME[:-12]}i/o timeout"], "does not answer: etcd-sandbox", id="a hanging server"
        ),
        pytest.param(
            [NO_TLS_RECORDS, NO_RECORDS],
            f"there are no SRV records of the members of etcd-sandbox.test: {SHOWN}",
            id="no SRV records",
        ),
        pytest.param(
            ['cannot find local etcd member "infra1" in SRV records'],
            "no SRV record leads to the host and port that infra1 advertises to its peers: dig",
            id="a wrong port",
        ),
        pytest.param(
            [NO_TLS_RECORDS, NO_TARGET],
            f"the name other.etcd-sandbox.test has no address: {SHOWN}",
            id="a target without an address",
        ),
        pytest.param(
            [NO_NAME, NO_NAME],
            f"the name infra1.etcd-sandbox.test has no address: {SHOWN}",
            id="a member without an address",
        ),
        pytest.param(
            [OTHER_SCHEME, NO_RECORDS],
            "the records lead to https://infra1.etcd-sandbox.test:10380, but the member advertises "
            "http://infra1.etcd-sandbox.test:10380: records of _etcd-server-ssl are for peers with TLS",
            id="records for TLS only",
        ),
        pytest.param(
            ["lookup infra1.other.test on 127.53.40.77:53: server misbehaving"],
            "infra1.other.test is none of the names of etcd-sandbox.test",
            id="a foreign name",
        ),
    ],
)
@pytest.mark.parametrize("joint", ["; ", "\n"], ids=["3.4 and 3.5", "3.6 and 3.7"])
def test_a_failed_start_is_explained(errors: list[str], told: str, joint: str) -> None:
    lines = last_line(f"error setting up initial cluster: {joint.join(errors)}")
    assert told in (explain_dns(DNS, lines) or "")


def test_a_resolver_that_could_not_be_mounted_is_told_apart() -> None:
    said = explain_dns(DNS, [b"unshare: unshare failed: Operation not permitted\n"])
    assert said is not None
    assert "(unshare failed: Operation not permitted): see etcd-sandbox doctor" in said


@pytest.mark.parametrize(
    "lines",
    [[], [b"anything\n"], last_line("listen tcp 127.0.0.1:1: bind: address already in use")],
)
def test_another_matter_is_left_to_others(lines: list[bytes]) -> None:
    assert explain_dns(DNS, lines) is None
