"""Members that find each other by DNS: their names, the records, and how they come to see the server."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from etcd_sandbox.config.profileflags import Flag
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.bootstrap import Bootstrap, DnsSpec, HostRecord, SrvRecord
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, ProcessSpec, Service
from etcd_sandbox.plan.ports import MemberPorts
from etcd_sandbox.plan.ways.dnsrecords import (
    DOMAIN,
    MEMBERS_ADDRESS,
    client_service,
    host_of,
    peer_service,
    with_records,
)
from etcd_sandbox.plan.ways.request import Request
from etcd_sandbox.plan.ways.static import Static

_PLAIN_SRV_SINCE = (3, 5)

_BIND = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
NO_PLUGINS = "netdns=go"
"""GODEBUG for programs that ask our server: the system's plug-ins may answer from elsewhere."""

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
"""What can be one part of a host's name (RFC 1123)."""


class Dns(Static):
    """SRV records name the members to each other; a server of ours answers for them."""

    bootstrap = Bootstrap.DNS
    by_name = True
    env = MappingProxyType({"GODEBUG": NO_PLUGINS})

    def __init__(self, dns: DnsSpec, token: str) -> None:
        super().__init__(token)
        self.dns: DnsSpec = dns
        self.resolver = (*dns.mount, dns.resolv_conf)
        # Peers speak TLS only where their records demand it.
        self.peer_scheme = "https" if dns.tls else "http"

    @classmethod
    def planned(cls, request: Request) -> Dns:
        inputs, ports = request.inputs, request.ports
        directory = request.data_root.parent / Service.DNS.value
        tls = needs_tls(request.binaries.values())
        dns = own_records(ports, ports[0][1].client, directory, tls=tls, mount=inputs.mount)
        if inputs.records is not None:
            dns = with_records(dns, *inputs.records, ports)
        return cls(dns, request.token)

    @classmethod
    def recorded(cls, spec: ClusterSpec) -> Dns:
        assert spec.dns is not None
        return cls(spec.dns, spec.token)

    def peer_url(self, member: str, port: int) -> Address:
        return Address.here(port, self.peer_scheme, host_of(member, self.dns.domain))

    @property
    def flags(self) -> dict[str, Flag]:
        tls: dict[str, Flag] = {"peer-auto-tls": True} if self.dns.tls else {}
        return {"discovery-srv": self.dns.domain, **super().flags, **tls}

    def services(self, request: Request) -> list[ProcessSpec]:
        return [server_process(self.dns, request.inputs.dnsmasq, request.cwd)]

    def notes(self, request: Request) -> tuple[str, ...]:
        return tls_notes(self.dns, request.binaries)

    @property
    def why_no_commands(self) -> str:
        return (
            "its members need a DNS server at port 53 and, each of them, a private /etc/resolv.conf"
        )

    @property
    def lost_in_containers(self) -> tuple[str, ...]:
        return ("the members are listed to each other: Compose's own DNS has no SRV records",)

    def in_profile(self, spec: ClusterSpec) -> dict[str, str | int]:
        records = spec.source.records_path
        own = {"dns_records": records} if records else {}
        return {"bootstrap": self.bootstrap.value, **own, **super().in_profile(spec)}

    @property
    def lines(self) -> tuple[str, ...]:
        return dig_lines(self.dns)


def private_mount(*, root: bool) -> tuple[str, ...]:
    """What runs a command with a file in the place of /etc/resolv.conf, seen by nobody else.

    The file's name and the command follow. The command keeps the pid. Without `root`, Linux lets
    only the owner of a user namespace mount anything.
    """
    rights = () if root else ("--user", "--map-root-user")
    return ("unshare", *rights, "--mount", "sh", "-c", _BIND)


def needs_tls(binaries: Iterable[EtcdBinary]) -> bool:
    """Whether the peers must be found by their TLS records.

    3.4 appends the records for plain HTTP only when their look-up failed (all of 3.4.0 to 3.4.45).
    """
    return any(parse(binary.version)[:2] < _PLAIN_SRV_SINCE for binary in binaries)


def tls_notes(dns: DnsSpec, binaries: Mapping[str, EtcdBinary]) -> tuple[str, ...]:
    """Why the members, by name, speak TLS to each other, where it is for their etcds' sake."""
    old = [name for name, binary in binaries.items() if needs_tls([binary])]
    if not dns.tls or not old:
        return ()
    return (
        f"the peers use TLS: etcd 3.4 ({', '.join(old)}) cannot use the SRV records for plain HTTP, "
        "by a fault of its own that was never mended; so they are named by _etcd-server-ssl",
    )


def own_records(
    ports: Sequence[tuple[str, MemberPorts]],
    base_port: int,
    directory: Path,
    *,
    tls: bool,
    mount: tuple[str, ...],
) -> DnsSpec:
    """The records of these members, by name and ports, and the address of their server.

    Each cluster has a server of its own, at an address of 127.53.0.0/16 that its first port
    makes: two clusters that can run side by side have different ones. `mount` is that of
    `private_mount`. Raises InputError for a member whose name cannot be a host's of its own.
    """
    hosts: dict[str, str] = {}
    for member, _ in ports:
        if not _LABEL.fullmatch(member):
            raise InputError(
                f"{member!r} cannot be the name of a host, which DNS would need",
                hint="use letters, digits and '-' in the names of members",
            )
        if (other := hosts.setdefault(host_of(member), member)) != member:
            raise InputError(
                f"{other!r} and {member!r} would have one host name, {host_of(member)}",
                hint="DNS does not tell capital letters from small ones: rename one of them",
            )
    peers, clients = peer_service(DOMAIN, tls=tls), client_service(DOMAIN)
    return DnsSpec(
        domain=DOMAIN,
        address=f"127.53.{base_port >> 8}.{base_port & 255}",
        srv=(
            *(SrvRecord(name=peers, target=host_of(m), port=p.peer) for m, p in ports),
            *(SrvRecord(name=clients, target=host_of(m), port=p.client) for m, p in ports),
        ),
        hosts=tuple(
            HostRecord(name=host_of(m), address=MEMBERS_ADDRESS, exact=True) for m, _ in ports
        ),
        resolv_conf=str(directory / "resolv.conf"),
        process=Service.DNS.value,
        tls=tls,
        mount=mount,
    )


def records_path(dns: DnsSpec) -> Path:
    """The file that the server reads: `dnsmasq_config` of the same spec."""
    return Path(dns.resolv_conf).with_name("dnsmasq.conf")


def dnsmasq_config(dns: DnsSpec) -> str:
    """The whole configuration of the server, in dnsmasq's words."""
    lines = [
        f"# DNS records of etcd members that find each other with --discovery-srv={dns.domain}",
        f"listen-address={dns.address}",
        "bind-interfaces",
        "no-resolv",
        "no-hosts",
        f"local=/{dns.domain}/",
        *(["log-queries"] if dns.log_queries else []),
        *(_host_line(host) for host in dns.hosts),
        *(_srv_line(record) for record in dns.srv),
    ]
    return "\n".join(lines) + "\n"


def resolver_config(dns: DnsSpec) -> str:
    """What members see in the place of /etc/resolv.conf."""
    return f"# The DNS server of this etcd cluster\nnameserver {dns.address}\n"


def dig_lines(dns: DnsSpec) -> tuple[str, ...]:
    """Commands that show the records: each kind of SRV records, and the address of one target."""
    asked = [(name, "SRV") for name in dict.fromkeys(record.name for record in dns.srv)]
    asked += [(record.target, "A") for record in dns.srv[:1]]
    return tuple(f"dig +short @{dns.address} {name} {kind}" for name, kind in asked)


def _host_line(host: HostRecord) -> str:
    if host.exact:
        return f"host-record={host.name},{host.address}"
    return f"address=/{host.name}/{host.address}"


def _srv_line(record: SrvRecord) -> str:
    order = f",{record.priority},{record.weight}" if record.priority or record.weight else ""
    return f"srv-host={record.name},{record.target},{record.port}{order}"


def server_process(dns: DnsSpec, dnsmasq: str | None, cwd: str) -> ProcessSpec:
    """The DNS server: dnsmasq where there is one, else our own. Both read the same file."""
    records = str(records_path(dns))
    if dnsmasq is not None:
        # Without this option it would change to a user of its own, which not every machine has.
        argv: tuple[str, ...] = (
            dnsmasq,
            "--no-daemon",
            f"--conf-file={records}",
            "--log-facility=-",
        )
        shown = f"dnsmasq --conf-file={records}"
    else:
        argv = (sys.executable, "-P", "-m", "etcd_sandbox.dns", records)
        shown = f"embedded DNS server for {records}"
    return ProcessSpec(name=dns.process, argv=argv, shown=shown, cwd=cwd, service=Service.DNS)
