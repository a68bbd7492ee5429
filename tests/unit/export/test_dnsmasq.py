"""The exported records: those that `up --bootstrap dns` takes, and nothing that harms a real server."""

from __future__ import annotations

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.export.dnsmasq import dnsmasq
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.plan.ways import BootstrapInputs

from tests.unit.export import plans
from tests.unit.export.plans import from_procfile, from_profile


def records(spec: ClusterSpec) -> list[str]:
    return [line for line in dnsmasq(spec).text.splitlines() if not line.startswith("#")]


def test_a_static_clusters_records_are_those_that_it_would_have() -> None:
    assert records(from_profile(members=2)) == [
        "local=/etcd-sandbox.test/",
        "host-record=infra1.etcd-sandbox.test,127.0.0.1",
        "host-record=infra2.etcd-sandbox.test,127.0.0.1",
        "srv-host=_etcd-server._tcp.etcd-sandbox.test,infra1.etcd-sandbox.test,12380",
        "srv-host=_etcd-server._tcp.etcd-sandbox.test,infra2.etcd-sandbox.test,22380",
        "srv-host=_etcd-client._tcp.etcd-sandbox.test,infra1.etcd-sandbox.test,12379",
        "srv-host=_etcd-client._tcp.etcd-sandbox.test,infra2.etcd-sandbox.test,22379",
    ]


@pytest.mark.parametrize("etcd", ["3.4", "3.5"])
def test_the_records_of_a_dns_bootstrap_are_the_same_and_taken_back(etcd: str) -> None:
    named = from_profile(members=3, inputs=plans.DNS, etcd=etcd)
    listed = from_profile(members=3, etcd=etcd)
    assert records(named) == records(listed)
    inputs = BootstrapInputs(
        bootstrap=plans.DNS.bootstrap, records=(dnsmasq(listed).text, "f.conf")
    )
    again = from_profile(members=3, inputs=inputs, etcd=etcd)
    assert again.dns is not None
    assert named.dns is not None
    assert set(again.dns.srv) == set(named.dns.srv)
    assert {(host.name, host.address) for host in again.dns.hosts} == {
        (host.name, host.address) for host in named.dns.hosts
    }


def test_addresses_and_ports_of_a_procfile_are_its_own() -> None:
    spec = from_procfile(
        "a: etcd --name a --listen-client-urls http://10.0.0.7:2379 --advertise-client-urls "
        "http://10.0.0.7:2379 --listen-peer-urls http://10.0.0.7:4001 "
        "--initial-advertise-peer-urls http://10.0.0.7:4001 --initial-cluster a=http://10.0.0.7:4001\n"
    )
    assert "host-record=a.etcd-sandbox.test,10.0.0.7" in records(spec)
    assert ("srv-host=_etcd-server._tcp.etcd-sandbox.test,a.etcd-sandbox.test,4001") in records(
        spec
    )


def test_peers_with_tls_have_the_records_for_it() -> None:
    spec = from_profile(members=1, etcd="3.4")
    assert any("_etcd-server-ssl._tcp" in line for line in records(spec))
    assert "--peer-auto-tls" in dnsmasq(spec).text


def test_a_name_that_no_host_can_have_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be the name of a host"):
        dnsmasq(from_profile('[[member]]\nname = "a_b"\n'))
