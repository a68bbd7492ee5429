"""Each member gets the list of them all: what every other way refines."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

from etcd_sandbox.config.profileflags import Flag
from etcd_sandbox.model.access import LOOPBACK, Address
from etcd_sandbox.model.bootstrap import Bootstrap, DiscoverySpec, DnsSpec
from etcd_sandbox.model.spec import ClusterSpec, ProcessSpec
from etcd_sandbox.plan.ways.request import Request


class Static:
    """A way as a plan has it. `token` is what is hashed into the members' IDs beside their peer URLs.

    With a `host_prefix`, peers reach a member by a host name: the prefix and its own name.
    """

    bootstrap = Bootstrap.STATIC
    discovery: DiscoverySpec | None = None
    dns: DnsSpec | None = None
    places: int | None = None
    """How many members there is room for; None for all that there are."""

    peer_scheme = "http"
    resolver: tuple[str, ...] = ()
    """Words that let the command behind them see a file, their last, in the place of /etc/resolv.conf."""

    env: Mapping[str, str] = MappingProxyType({})
    """What members have in their environment for it."""

    by_name = False
    """Whether the others look for a member at a name, so that it cannot move."""

    def __init__(self, token: str, host_prefix: str = "") -> None:
        self.token = token
        self._host_prefix = host_prefix

    @classmethod
    def planned(cls, request: Request) -> Self:
        """The way for new members. Raises InputError where their etcds cannot go it."""
        return cls(request.token, request.runtime.host_prefix(request.cluster))

    @classmethod
    def recorded(cls, spec: ClusterSpec) -> Self:
        """The way that a plan goes."""
        return cls(spec.token)

    def peer_url(self, member: str, port: int) -> Address:
        """The peer URL that a member advertises."""
        host = f"{self._host_prefix}{member}" if self._host_prefix else LOOPBACK
        return Address.here(port, self.peer_scheme, host)

    @property
    def flags(self) -> dict[str, Flag]:
        """How a member is told to meet the others."""
        return {"initial-cluster-state": "new", "initial-cluster-token": self.token}

    def services(self, request: Request) -> list[ProcessSpec]:
        """What runs for the members' sake."""
        return []

    def notes(self, request: Request) -> tuple[str, ...]:
        """What should be known of it before the start."""
        return ()

    @property
    def ports(self) -> frozenset[int]:
        """The ports that a member which comes later must leave alone."""
        return frozenset()

    @property
    def used_up(self) -> str:
        """Why the cluster cannot begin again the same way; empty where it can."""
        return ""

    @property
    def own_service(self) -> str:
        """The process of ours at which members must be registered before they start; empty for none."""
        return ""

    @property
    def register(self) -> str:
        """The command that registers them there, which may be repeated."""
        return ""

    @property
    def is_registered(self) -> str:
        """The command that fails until they are."""
        return ""

    @property
    def about_service(self) -> tuple[str, ...]:
        """What readers of commands should know of our service, in lines."""
        return ()

    @property
    def single_use(self) -> str:
        """What introduces one cluster only; empty for a way that any cluster can go."""
        return ""

    def flags_elsewhere(self, service: str, initial_cluster: str, token: str) -> dict[str, str]:
        """What a member is told in containers whose engine has a network, where our service is at `service`."""
        return {
            "initial-cluster": initial_cluster,
            "initial-cluster-state": "new",
            "initial-cluster-token": token,
        }

    @property
    def why_no_commands(self) -> str:
        """Why commands alone cannot bring the members up; empty where they can."""
        return ""

    def lost_in_commands(self, kind: str) -> tuple[str, ...]:
        """What commands leave out, a sentence each."""
        return ()

    @property
    def lost_in_containers(self) -> tuple[str, ...]:
        """What containers of another engine leave out, a sentence each."""
        return ()

    def in_profile(self, spec: ClusterSpec) -> dict[str, str | int]:
        """What `[cluster]` says of the way."""
        return {"token": spec.token}

    @property
    def lines(self) -> tuple[str, ...]:
        """Commands that show what the members are told."""
        return ()
