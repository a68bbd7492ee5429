"""The DNS records by which the members would find each other, for a server of the reader's own."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from msgspec.structs import replace

from etcd_sandbox.errors import InputError
from etcd_sandbox.export.exported import Exported, Kind, heading, require_members
from etcd_sandbox.model.bootstrap import DnsSpec
from etcd_sandbox.model.spec import ClusterSpec, MemberSpec
from etcd_sandbox.plan.ports import MemberPorts, ports_from
from etcd_sandbox.plan.ways.dns import dnsmasq_config, needs_tls, own_records
from etcd_sandbox.plan.ways.dnsrecords import client_service, host_of, peer_service

_RECORDS = ("local=", "address=", "host-record=", "srv-host=")
"""The lines that are about the domain; the others are about a server of our own."""


def dnsmasq(spec: ClusterSpec) -> Exported:
    """The records, in dnsmasq's words, with what to change for real hosts.

    Those of the cluster where it is bootstrapped by DNS, else those that it would have. Raises
    InputError for members whose names or URLs no records can have.
    """
    require_members(spec, Kind.DNSMASQ)
    dns = spec.dns or own_dns(spec)
    records = [line for line in dnsmasq_config(dns).splitlines() if line.startswith(_RECORDS)]
    head = heading(
        spec,
        Kind.DNSMASQ,
        "",
        "Here: etcd-sandbox up --bootstrap dns --dns-records FILE",
        "",
        "For real use, on a machine that dnsmasq serves names from:",
        f"  - replace {dns.domain} by your domain and the addresses by those of your hosts;",
        "    a port can be the same on each host then: 2380 for peers, 2379 for clients",
        "  - put this file into /etc/dnsmasq.d/, try it (dnsmasq --test), restart dnsmasq",
        *(
            f"  - look at it: dig +short {name} SRV"
            for name in (peer_service(dns.domain, tls=dns.tls), client_service(dns.domain))
        ),
        f"  - start each etcd with --discovery-srv={dns.domain} and its own",
        f"    --initial-advertise-peer-urls={_advertised(spec, dns)}",
        f"  - clients: etcdctl --discovery-srv={dns.domain} endpoint health --cluster",
        *_about_tls(dns),
        "local= keeps questions about the domain from other DNS servers.",
    )
    return Exported(text=head + "".join(f"{line}\n" for line in records))


def own_dns(spec: ClusterSpec) -> DnsSpec:
    """The records that the members of `spec` would have by their ports."""
    members = [process.member for process in spec.members]
    binaries = [member.etcd for member in members if member.etcd is not None]
    ports = [(member.name, _ports(member)) for member in members]
    dns = own_records(
        ports,
        ports[0][1].client,
        Path("/"),
        tls=needs_tls(binaries) or any(m.peer_url.is_secure for m in members),
        mount=(),
    )
    addresses = {host_of(member.name): _address(member) for member in members}
    hosts = (replace(host, address=addresses[host.name] or host.address) for host in dns.hosts)
    return replace(dns, hosts=tuple(hosts))


def _ports(member: MemberSpec) -> MemberPorts:
    client, peer = member.advertised_client_url.port, member.peer_url.port
    if client is None or peer is None:
        raise InputError(
            f"{member.name} has no port in {member.client_url!r} or {member.peer_url!r}",
            hint="SRV records name ports",
        )
    return replace(ports_from(client), peer=peer)


def _address(member: MemberSpec) -> str | None:
    """The address that the member's peers dial; None for a name."""
    try:
        return str(ipaddress.IPv4Address(member.peer_url.host))
    except ValueError:
        return None


def _advertised(spec: ClusterSpec, dns: DnsSpec) -> str:
    member = spec.members[0].member
    scheme = "https" if dns.tls else "http"
    return f"{scheme}://{host_of(member.name, dns.domain)}:{member.peer_url.port}"


def _about_tls(dns: DnsSpec) -> list[str]:
    if not dns.tls:
        return []
    return [
        "  - peers use TLS, as etcd 3.4 finds no others by DNS: --peer-auto-tls,",
        "    or certificates of your own for more than a trial",
    ]
