"""Members that find each other by DNS: the plan of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from etcd_sandbox.dns.recordfile import parse
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.bootstrap import DnsSpec
from etcd_sandbox.model.spec import EtcdBinary, ProcessSpec, Runtime, Service
from etcd_sandbox.plan.ports import ports_from
from etcd_sandbox.plan.runtimes import Process
from etcd_sandbox.plan.runtimes.engine import Engine
from etcd_sandbox.plan.ways import dns as named
from etcd_sandbox.plan.ways.dns import NO_PLUGINS, own_records, private_mount
from msgspec.structs import replace

OLD, NEW = (EtcdBinary(path="/etcd", version=v, origin="") for v in ("3.4.23", "3.5.0"))
PORTS = (("infra1", ports_from(12379)), ("Infra2", ports_from(22379)))


def spec(*, tls: bool = False, mount: tuple[str, ...] = ("in",)) -> DnsSpec:
    return own_records(PORTS, 12379, Path("/state/dns"), tls=tls, mount=mount)


def test_the_file_has_a_record_of_each_kind_for_each_member() -> None:
    assert named.dnsmasq_config(spec()).splitlines()[1:] == [
        "listen-address=127.53.48.91",
        "bind-interfaces",
        "no-resolv",
        "no-hosts",
        "local=/etcd-sandbox.test/",
        "host-record=infra1.etcd-sandbox.test,127.0.0.1",
        "host-record=infra2.etcd-sandbox.test,127.0.0.1",
        "srv-host=_etcd-server._tcp.etcd-sandbox.test,infra1.etcd-sandbox.test,12380",
        "srv-host=_etcd-server._tcp.etcd-sandbox.test,infra2.etcd-sandbox.test,22380",
        "srv-host=_etcd-client._tcp.etcd-sandbox.test,infra1.etcd-sandbox.test,12379",
        "srv-host=_etcd-client._tcp.etcd-sandbox.test,infra2.etcd-sandbox.test,22379",
    ]


def test_our_own_parser_reads_what_is_written() -> None:
    dns = replace(spec(tls=True), log_queries=True)
    dns = replace(dns, srv=(*dns.srv, replace(dns.srv[0], name="_x._tcp.a.test", weight=3)))
    dns = replace(dns, hosts=(*dns.hosts, replace(dns.hosts[0], name="wide.test", exact=False)))
    file = parse(named.dnsmasq_config(dns), "f")
    assert tuple(line.record for line in file.srv) == dns.srv
    assert tuple(line.record for line in file.hosts) == dns.hosts
    assert (file.listen, file.log_queries) == (dns.address, True)


@pytest.mark.parametrize(("binaries", "tls"), [([NEW], False), ([NEW, OLD], True), ([], False)])
def test_one_etcd_3_4_takes_tls_for_all(binaries: list[EtcdBinary], tls: bool) -> None:
    assert named.needs_tls(binaries) is tls
    assert spec(tls=tls).srv[0].name == (
        f"_etcd-server{'-ssl' if tls else ''}._tcp.etcd-sandbox.test"
    )
    assert ("peer-auto-tls" in named.Dns(spec(tls=tls), "token").flags) is tls


def test_the_reason_for_tls_names_the_members_that_are_it() -> None:
    (note,) = named.tls_notes(spec(tls=True), {"infra1": OLD, "infra2": NEW})
    assert "etcd 3.4 (infra1) cannot use the SRV records for plain HTTP" in note
    assert named.tls_notes(spec(tls=True), {"infra2": NEW}) == ()  # a file of records wants it
    assert named.tls_notes(spec(), {"infra2": NEW}) == ()


@pytest.mark.parametrize("name", ["infra_1", "-infra", "a.b", "ü", "a" * 64])
def test_a_member_whose_name_no_host_can_have_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        own_records([(name, ports_from(1))], 1, Path("/"), tls=False, mount=())
    assert repr(name) in caught.value.what


def test_names_that_dns_cannot_tell_apart_are_refused() -> None:
    ports = [("two", ports_from(1)), ("Two", ports_from(11))]
    with pytest.raises(InputError, match=r"'two' and 'Two' would have one host name, two\."):
        own_records(ports, 1, Path("/"), tls=False, mount=())


def test_two_clusters_that_can_run_side_by_side_have_servers_of_their_own() -> None:
    addresses = {
        own_records(PORTS, port, Path("/"), tls=False, mount=()).address
        for port in range(1, 65536, 97)
    }
    assert len(addresses) == len(range(1, 65536, 97))


def test_a_member_sees_the_server_through_a_mount_of_its_own() -> None:
    etcd = EtcdBinary(path="/etcd", version="3.6.16", origin="x", image="i")
    member = ProcessSpec(name="etcd1", argv=(), shown="", cwd="/", flags={"x": "1"})
    way = named.Dns(spec(), "t")
    seen = Process().run(member, etcd, "c", Path("/state/data"), way.resolver)
    assert seen.argv == ("in", "/state/dns/resolv.conf", "/etcd", "--x=1")
    assert way.env == {"GODEBUG": NO_PLUGINS}
    engine = Engine(runtime=Runtime.PODMAN, program="podman")
    seen = engine.run(member, etcd, "c", Path("/state/data"), way.resolver)
    assert "in" not in seen.argv
    assert "--volume=/state/dns/resolv.conf:/etc/resolv.conf:ro" in seen.argv
    assert named.resolver_config(spec()).splitlines()[-1] == "nameserver 127.53.48.91"


def test_only_an_ordinary_user_needs_a_user_namespace() -> None:
    assert "--user" not in private_mount(root=True)
    assert "--user" in private_mount(root=False)


@pytest.mark.parametrize("dnsmasq", ["/sbin/dnsmasq", None])
def test_either_server_reads_the_same_file(dnsmasq: str | None) -> None:
    server = named.server_process(spec(), dnsmasq, "/")
    assert server.argv[0] == (dnsmasq or sys.executable)
    assert any(word.endswith("/state/dns/dnsmasq.conf") for word in server.argv)
    assert (server.name, server.service) == ("dns", Service.DNS)


def test_commands_show_each_kind_of_record_once() -> None:
    assert named.dig_lines(spec()) == (
        "dig +short @127.53.48.91 _etcd-server._tcp.etcd-sandbox.test SRV",
        "dig +short @127.53.48.91 _etcd-client._tcp.etcd-sandbox.test SRV",
        "dig +short @127.53.48.91 infra1.etcd-sandbox.test A",
    )
