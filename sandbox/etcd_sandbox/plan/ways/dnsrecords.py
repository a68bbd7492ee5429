"""Records of a user's own file, in dnsmasq's words, in place of ours: what etcd would make of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.dns.recordfile import RecordFile, SrvLine, parse
from etcd_sandbox.errors import InputError, nearest
from etcd_sandbox.model.bootstrap import DnsSpec
from etcd_sandbox.plan.ports import MemberPorts

DOMAIN = "etcd-sandbox.test"
"""`.test` is reserved for such use (RFC 2606): no machine's resolver has it."""

MEMBERS_ADDRESS = "127.0.0.1"

_EXPORT = "etcd-sandbox export dnsmasq prints the records that these members need"


def host_of(member: str, domain: str = DOMAIN) -> str:
    """`infra1.etcd-sandbox.test`."""
    return f"{member.lower()}.{domain}"


def peer_service(domain: str, *, tls: bool) -> str:
    """The name of the SRV records by which members find each other."""
    return f"_etcd-server{'-ssl' if tls else ''}._tcp.{domain}"


def client_service(domain: str) -> str:
    """The name of the SRV records by which clients find members."""
    return f"_etcd-client._tcp.{domain}"


def with_records(
    dns: DnsSpec, text: str, where: str, ports: Sequence[tuple[str, MemberPorts]]
) -> DnsSpec:
    """`dns` with the records of a file. Raises InputError for a member that nobody would find.

    The members speak TLS where the file has only the records for it.
    """
    file = parse(text, where)
    tls = _is_tls(dns, file)
    peers = _Service(
        file, peer_service(dns.domain, tls=tls), {m: p.peer for m, p in ports}, dns.domain
    )
    clients = _Service(
        file, client_service(dns.domain), {m: p.client for m, p in ports}, dns.domain
    )
    for service in (peers, clients):
        service.check_lines()
    peers.check_members()
    for member, _ in ports:
        _check_address(file, member, host_of(member, dns.domain))
    return replace(
        dns,
        srv=tuple(line.record for line in file.srv),
        hosts=tuple(line.record for line in file.hosts),
        tls=tls,
        log_queries=file.log_queries,
    )


def _is_tls(dns: DnsSpec, file: RecordFile) -> bool:
    """Which of the two services the file names the peers by."""
    names = {tls: peer_service(dns.domain, tls=tls) for tls in (False, True)}
    plain, secure = (file.services(names[tls]) for tls in (False, True))
    if plain and secure:
        raise InputError(
            f"{names[False]} and {names[True]} both have records: "
            "each member would be listed twice, with an http and an https peer URL",
            file.place(secure[0].line),
            f"keep those of {names[dns.tls]}",
        )
    if plain and dns.tls:
        raise InputError(
            f"{names[False]} is of no use to etcd 3.4, which is among the members: it looks at "
            "those records only when the look-up of them fails",
            file.place(plain[0].line),
            f"name them {names[True]}; the peers then use TLS",
        )
    if not plain and not secure:
        near = difflib.get_close_matches(
            names[dns.tls], {line.record.name for line in file.srv}, n=1, cutoff=0.8
        )
        line = next((line.line for line in file.srv if line.record.name in near), None)
        raise InputError(
            f"no SRV record {names[dns.tls]}: etcd would look it up and end with 'no such host'",
            file.where if line is None else file.place(line),
            f"{near[0]!r} looks like it: the members' domain is {dns.domain}" if near else _EXPORT,
        )
    return bool(secure)


class _Service(Struct, frozen=True):
    """The SRV records of one name in the file, and the port that each member has for it."""

    file: RecordFile
    name: str
    ports: dict[str, int]
    domain: str

    def check_lines(self) -> None:
        """Each record must lead to a member, and to none twice."""
        seen: dict[str, int] = {}
        for member, line in self._lines():
            place, port = self.file.place(line.line), line.record.port
            if port != self.ports[member]:
                raise InputError(
                    f"{self.name} leads to {member} at port {port}, but {member} has port "
                    f"{self.ports[member]} for it{self._what_etcd_says(member)}",
                    place,
                    f"write {self._wanted(member)}",
                )
            if member in seen:
                raise InputError(
                    f"{self.name} leads to {member} twice", place, f"line {seen[member]} does, too"
                )
            seen[member] = line.line

    def check_members(self) -> None:
        """Each member must have a record."""
        found = {member for member, _ in self._lines()}
        for member in self.ports:
            if member not in found:
                raise InputError(
                    f"{self.name} does not lead to {member}{self._what_etcd_says(member)}",
                    self.file.where,
                    f"add {self._wanted(member)}",
                )

    def _lines(self) -> Iterator[tuple[str, SrvLine]]:
        hosts = {host_of(member, self.domain): member for member in self.ports}
        for line in self.file.services(self.name):
            target = line.record.target
            if target not in hosts:
                port = line.record.port
                own = [h for h, member in hosts.items() if self.ports[member] == port]
                near = own[0] if own else nearest(target, hosts)
                raise InputError(
                    f"{self.name} leads to {target}:{port}, which no member advertises",
                    self.file.place(line.line),
                    f"did you mean {near!r}?" if near else f"the members are {', '.join(hosts)}",
                )
            yield hosts[target], line

    def _wanted(self, member: str) -> str:
        return f"srv-host={self.name},{host_of(member, self.domain)},{self.ports[member]}"

    def _what_etcd_says(self, member: str) -> str:
        if self.name == client_service(self.domain):
            return ""
        return f": etcd would end with 'cannot find local etcd member \"{member}\" in SRV records'"


def _check_address(file: RecordFile, member: str, host: str) -> None:
    """The name of each member must lead to where the members listen."""
    lines = file.addresses(host)
    wanted = f"host-record={host},{MEMBERS_ADDRESS}"
    if not lines:
        raise InputError(
            f"{host} has no address: etcd would look it up and end with 'no such host'",
            file.where,
            f"add {wanted}",
        )
    for line in lines:
        if line.record.address != MEMBERS_ADDRESS:
            raise InputError(
                f"{host} has the address {line.record.address}, "
                f"but {member} listens on {MEMBERS_ADDRESS}",
                file.place(line.line),
                f"write {wanted}",
            )
