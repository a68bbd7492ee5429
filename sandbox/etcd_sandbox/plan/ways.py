"""How the members of one plan are told of each other: what differs between the ways, as values."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from etcd_sandbox.config.profileflags import Flag
from etcd_sandbox.model.bootstrap import Bootstrap, DiscoverySpec, DnsSpec
from etcd_sandbox.plan.discovered import Newcomers, discovery_flags, hashed_token
from etcd_sandbox.plan.named import dns_flags, host_of


class Means(Struct, frozen=True, kw_only=True):
    """What a way needs that a plan cannot know by itself.

    `token` is that of our own discovery service; `ask_service` gives the token of an existing
    one, and None means our own. `size` None: the number of members.
    `dnsmasq` is the program, None where it is not installed; `mount` runs a command with a
    resolver of its own; `records` are the text and the place of a file of records that replaces ours.
    """

    bootstrap: Bootstrap = Bootstrap.STATIC
    token: str = ""
    size: int | None = None
    ask_service: Callable[[Newcomers], DiscoverySpec] | None = None
    dnsmasq: str | None = None
    mount: tuple[str, ...] = ()
    records: tuple[str, str] | None = None


class Way(Struct, frozen=True, kw_only=True):
    """One way. `token` is what is hashed into the members' IDs beside their peer URLs.

    With a `host_prefix`, peers reach a member by a host name: the prefix and its own name.
    """

    bootstrap: Bootstrap
    token: str
    discovery: DiscoverySpec | None = None
    dns: DnsSpec | None = None
    host_prefix: str = ""

    @property
    def places(self) -> int | None:
        """How many members there is room for; None for all that there are."""
        return self.discovery.places if self.discovery is not None else None

    @property
    def peer_scheme(self) -> str:
        """What peers speak: TLS only where their records demand it."""
        return "https" if self.dns is not None and self.dns.tls else "http"

    def peer_url(self, member: str, port: int) -> str:
        """The peer URL that a member advertises."""
        if self.dns is not None:
            host = host_of(member, self.dns.domain)
        else:
            host = f"{self.host_prefix}{member}" if self.host_prefix else "127.0.0.1"
        return f"{self.peer_scheme}://{host}:{port}"

    def flags(self, initial_cluster: tuple[str, ...]) -> dict[str, Flag]:
        """What a member is told of the others."""
        if self.discovery is not None:
            return dict(discovery_flags(self.discovery))
        if self.dns is not None:
            return dict(dns_flags(self.dns, self.token))
        return {
            "initial-cluster": ",".join(initial_cluster),
            "initial-cluster-state": "new",
            "initial-cluster-token": self.token,
        }


def static(token: str, host_prefix: str = "") -> Way:
    """Each member gets the list of them all."""
    return Way(bootstrap=Bootstrap.STATIC, token=token, host_prefix=host_prefix)


def by_discovery(discovery: DiscoverySpec) -> Way:
    """A discovery service introduces them."""
    return Way(bootstrap=Bootstrap.DISCOVERY, token=hashed_token(discovery), discovery=discovery)


def by_dns(dns: DnsSpec, token: str) -> Way:
    """SRV records name them."""
    return Way(bootstrap=Bootstrap.DNS, token=token, dns=dns)
