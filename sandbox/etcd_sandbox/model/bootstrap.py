"""How the members of a new cluster are told of each other, and what a plan records of the way."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.model.access import Address


class Bootstrap(StrEnum):
    """How the members of a new cluster are told of each other."""

    STATIC = "static"
    DISCOVERY = "discovery"
    DNS = "dns"

    @property
    def is_list(self) -> bool:
        """Whether each member is simply given the list of all."""
        return self is Bootstrap.STATIC


DEFAULT_BOOTSTRAP = Bootstrap.STATIC

NEEDED_BY = {
    "discovery": Bootstrap.DISCOVERY,
    "discovery_token": Bootstrap.DISCOVERY,
    "discovery_size": Bootstrap.DISCOVERY,
    "dns_records": Bootstrap.DNS,
}
"""By its name in a profile and in Python: which way an option belongs to."""


class DiscoveryProtocol(StrEnum):
    """v2 is spoken by etcd 3.4 to 3.6, and served by 3.4 and 3.5; v3 is spoken from 3.6 on and served by all."""

    V2 = "v2"
    V3 = "v3"


class DiscoverySpec(Struct, frozen=True, kw_only=True):
    """The discovery service that introduces the members to each other, once.

    `service` is its URL; `token_url` is what members are given (v2: the whole URL of the token;
    empty for v3). `size` is the number of members that the token is for, `taken` how many
    others had registered when it was last asked. `process` names the process that is the service;
    empty for one that is not ours. `given`: the token is registered at it already.
    """

    protocol: DiscoveryProtocol
    service: Address
    token: str
    size: int
    token_url: str = ""
    process: str = ""
    given: bool = False
    taken: int = 0

    @property
    def places(self) -> int:
        """How many members of this cluster the token has room for."""
        return max(0, self.size - self.taken)


class SrvRecord(Struct, frozen=True, kw_only=True):
    """A DNS SRV record: `name` (`_etcd-server._tcp.etcd-sandbox.test`) leads to `target`:`port`."""

    name: str
    target: str
    port: int
    priority: int = 0
    weight: int = 0


class HostRecord(Struct, frozen=True, kw_only=True):
    """A DNS A record: `name` has the IPv4 address `address`, and if not `exact` what is beneath it, too."""

    name: str
    address: str
    exact: bool = False


class DnsSpec(Struct, frozen=True, kw_only=True):
    """The names under which the members find each other, and the server that answers for them.

    `address` is a loopback address of the server, at port 53. `resolv_conf` is the file that
    the members see in place of `/etc/resolv.conf`; `mount`, followed by that file and a command,
    runs the command so. `tls`: the peers are found by `_etcd-server-ssl`, since an etcd 3.4
    among them cannot use the records for plain HTTP, or since a user's own records are such.
    `log_queries`: the server writes a line for each question and answer, some 8 a second.
    """

    domain: str
    address: str
    srv: tuple[SrvRecord, ...]
    hosts: tuple[HostRecord, ...]
    resolv_conf: str
    process: str
    tls: bool = False
    mount: tuple[str, ...] = ()
    log_queries: bool = False
