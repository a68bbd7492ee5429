"""What the embedded server answers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from dnslib import QTYPE, RCODE, DNSRecord
from etcd_sandbox.dns.__main__ import Zone
from etcd_sandbox.dns.recordfile import parse

ZONE = Zone(
    parse(
        "srv-host=_etcd-server._tcp.a.test,infra1.a.test,2380,1,2\n"
        "srv-host=_etcd-server._tcp.a.test,infra2.a.test,2381\n"
        "host-record=infra1.a.test,127.0.0.1\n"
        "address=/wide.test/127.0.0.2\n",
        "f",
    )
)


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        (
            "_etcd-server._tcp.a.test",
            "SRV",
            ["1 2 2380 infra1.a.test.", "0 0 2381 infra2.a.test."],
        ),
        ("_ETCD-server._tcp.a.test", "SRV", ["1 2 2380 infra1.a.test.", "0 0 2381 infra2.a.test."]),
        ("infra1.a.test", "A", ["127.0.0.1"]),
        ("infra1.a.test", "ANY", ["127.0.0.1"]),
        ("any.wide.test", "A", ["127.0.0.2"]),
    ],
)
def test_a_record_is_given(name: str, kind: str, told: list[str]) -> None:
    reply = ZONE.answer(DNSRecord.question(name, kind))
    assert [str(record.rdata) for record in reply.rr] == told
    assert reply.header.rcode == RCODE.NOERROR
    assert reply.header.aa


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        # The name is there, and has no such record: to say otherwise would deny its address, too.
        ("infra1.a.test", "AAAA", RCODE.NOERROR),
        ("_etcd-server._tcp.a.test", "A", RCODE.NOERROR),
        ("infra3.a.test", "A", RCODE.NXDOMAIN),
        ("_etcd-server-ssl._tcp.a.test", "SRV", RCODE.NXDOMAIN),
    ],
)
def test_what_is_not_there_is_denied_at_once(name: str, kind: str, code: int) -> None:
    reply = ZONE.answer(DNSRecord.question(name, kind))
    assert (reply.rr, reply.header.rcode) == ([], code)


def test_an_answer_too_long_for_a_datagram_is_asked_for_again_by_tcp() -> None:
    many = "".join(f"srv-host=_x._tcp.a.test,infra{n}.a.test,{n + 1}\n" for n in range(25))
    zone, question = Zone(parse(many, "f")), DNSRecord.question("_x._tcp.a.test", "SRV")
    short = zone.resolve(question, SimpleNamespace(protocol="udp"))
    assert short.header.tc
    assert len(short.pack()) <= 512
    assert DNSRecord.parse(short.pack()).questions == question.questions
    whole = zone.resolve(question, SimpleNamespace(protocol="tcp"))
    assert not whole.header.tc
    assert sorted(record.rdata.port for record in whole.rr) == list(range(1, 26))
    assert {QTYPE[record.rtype] for record in whole.rr} == {"SRV"}
