"""Records of a user's own file: what is served, and what would mislead members."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.bootstrap import DnsSpec, HostRecord, SrvRecord
from etcd_sandbox.plan.ports import ports_from
from etcd_sandbox.plan.ways.dns import dnsmasq_config, own_records
from etcd_sandbox.plan.ways.dnsrecords import with_records

PORTS = (("infra1", ports_from(12379)), ("infra2", ports_from(22379)))
GOOD = """\
srv-host=_etcd-server._tcp.etcd-sandbox.test,infra1.etcd-sandbox.test,12380,0,1
srv-host=_etcd-server._tcp.etcd-sandbox.test,infra2.etcd-sandbox.test,22380
srv-host=_other._tcp.etcd-sandbox.test,elsewhere.test,1
address=/etcd-sandbox.test/127.0.0.1
"""


def ours(*, tls: bool = False) -> DnsSpec:
    return own_records(PORTS, 12379, Path("/state/dns"), tls=tls, mount=())


def given(text: str, *, tls: bool = False) -> DnsSpec:
    return with_records(ours(tls=tls), text, "records.conf", PORTS)


def test_the_records_are_served_as_given() -> None:
    dns = given(GOOD)
    assert dns.srv == (
        SrvRecord(
            name="_etcd-server._tcp.etcd-sandbox.test",
            target="infra1.etcd-sandbox.test",
            port=12380,
            weight=1,
        ),
        SrvRecord(
            name="_etcd-server._tcp.etcd-sandbox.test",
            target="infra2.etcd-sandbox.test",
            port=22380,
        ),
        SrvRecord(name="_other._tcp.etcd-sandbox.test", target="elsewhere.test", port=1),
    )
    assert dns.hosts == (HostRecord(name="etcd-sandbox.test", address="127.0.0.1"),)
    assert (dns.tls, dns.log_queries, dns.address) == (False, False, ours().address)


@pytest.mark.parametrize("tls", [False, True])
def test_our_own_records_written_down_change_nothing(tls: bool) -> None:
    dns = ours(tls=tls)
    assert given(dnsmasq_config(dns), tls=tls) == dns


def test_records_for_tls_alone_make_the_members_speak_it() -> None:
    assert given(GOOD.replace("etcd-server", "etcd-server-ssl")).tls


SECOND = "srv-host=_etcd-server._tcp.etcd-sandbox.test,infra2.etcd-sandbox.test,22380"


@pytest.mark.parametrize(
    ("text", "what", "where", "hint"),
    [
        pytest.param(
            GOOD.replace("22380", "22381"),
            "leads to infra2 at port 22381, but infra2 has port 22380 for it: etcd would end with "
            "'cannot find local etcd member \"infra2\" in SRV records'",
            "records.conf:2",
            f"write {SECOND}",
            id="a wrong port",
        ),
        pytest.param(
            GOOD.replace("infra2", "infra3"),
            "leads to infra3.etcd-sandbox.test:22380, which no member advertises",
            "records.conf:2",
            "did you mean 'infra2.etcd-sandbox.test'?",
            id="a target that is no member",
        ),
        pytest.param(
            GOOD.replace("infra2.etcd-sandbox.test,22380", "elsewhere,1"),
            "leads to elsewhere:1, which no member advertises",
            "records.conf:2",
            "the members are infra1.etcd-sandbox.test, infra2.etcd-sandbox.test",
            id="a target that is like no member",
        ),
        pytest.param(
            GOOD.replace("infra2", "infra1").replace("22380", "12380"),
            "leads to infra1 twice",
            "records.conf:2",
            "line 1 does, too",
            id="a member twice",
        ),
        pytest.param(
            GOOD.replace(f"{SECOND}\n", ""),
            "does not lead to infra2: etcd would end with 'cannot find local etcd member",
            "records.conf",
            f"add {SECOND}",
            id="a member without a record",
        ),
        pytest.param(
            GOOD.replace("address=/", "address=/infra1."),
            "infra2.etcd-sandbox.test has no address",
            "records.conf",
            "add host-record=infra2.etcd-sandbox.test,127.0.0.1",
            id="a name without an address",
        ),
        pytest.param(
            GOOD.replace("127.0.0.1", "10.0.0.1"),
            "infra1.etcd-sandbox.test has the address 10.0.0.1, but infra1 listens on 127.0.0.1",
            "records.conf:4",
            "write host-record=infra1.etcd-sandbox.test,127.0.0.1",
            id="an address elsewhere",
        ),
        pytest.param(
            GOOD.replace("etcd-server", "etcd-serve"),
            "no SRV record _etcd-server._tcp.etcd-sandbox.test: etcd would look it up",
            "records.conf:1",
            "'_etcd-serve._tcp.etcd-sandbox.test' looks like it",
            id="a service misspelt",
        ),
        pytest.param(
            "no-resolv\n",
            "no SRV record _etcd-server._tcp.etcd-sandbox.test",
            "records.conf",
            "etcd-sandbox export dnsmasq",
            id="no records",
        ),
        pytest.param(
            GOOD + SECOND.replace("server", "server-ssl"),
            "both have records",
            "records.conf:5",
            "keep those of _etcd-server._tcp.etcd-sandbox.test",
            id="both services",
        ),
        pytest.param(
            GOOD + "srv-host=_etcd-client._tcp.etcd-sandbox.test,infra1.etcd-sandbox.test,2379",
            "_etcd-client._tcp.etcd-sandbox.test leads to infra1 at port 2379, "
            "but infra1 has port 12379 for it",
            "records.conf:5",
            "write srv-host=_etcd-client._tcp.etcd-sandbox.test,infra1.etcd-sandbox.test,12379",
            id="a wrong port for clients",
        ),
    ],
)
def test_records_that_mislead_are_refused_with_line_and_mend(
    text: str, what: str, where: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        given(text)
    assert what in caught.value.what
    assert caught.value.where == where
    assert hint in caught.value.hint


def test_records_for_plain_http_are_of_no_use_to_etcd_3_4() -> None:
    with pytest.raises(InputError) as caught:
        given(GOOD, tls=True)
    assert "of no use to etcd 3.4" in caught.value.what
    assert "_etcd-server-ssl" in caught.value.hint
