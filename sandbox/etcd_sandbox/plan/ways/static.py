"""Each member gets the list of them all: what every other way refines."""

from __future__ import annotations

from typing import Self

from etcd_sandbox.config.profileflags import Flag
from etcd_sandbox.model.bootstrap import Bootstrap, DiscoverySpec, DnsSpec
from etcd_sandbox.model.spec import AnyProcess, ClusterSpec, ProcessSpec
from etcd_sandbox.plan.contained import container_name
from etcd_sandbox.plan.ways.means import Request


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
    resolv_conf = ""
    by_name = False
    """Whether the others look for a member at a name, so that it cannot move."""

    def __init__(self, token: str, host_prefix: str = "") -> None:
        self.token = token
        self._host_prefix = host_prefix

    @classmethod
    def planned(cls, request: Request) -> Self:
        """The way for new members. Raises InputError where their etcds cannot go it."""
        return cls(request.token, container_name(request.cluster, "") if request.is_apart else "")

    @classmethod
    def recorded(cls, spec: ClusterSpec) -> Self:
        """The way that a plan goes."""
        return cls(spec.token)

    def peer_url(self, member: str, port: int) -> str:
        """The peer URL that a member advertises."""
        host = f"{self._host_prefix}{member}" if self._host_prefix else "127.0.0.1"
        return f"{self.peer_scheme}://{host}:{port}"

    def flags(self, initial_cluster: tuple[str, ...]) -> dict[str, Flag]:
        """What a member is told of the others."""
        return {
            "initial-cluster": ",".join(initial_cluster),
            "initial-cluster-state": "new",
            "initial-cluster-token": self.token,
        }

    def services(self, request: Request) -> list[ProcessSpec]:
        """What runs for the members' sake."""
        return []

    def seen_by(self, process: AnyProcess, *, contained: bool) -> AnyProcess:
        """The member's process as it sees what it needs of the way."""
        return process

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
    def lines(self) -> tuple[str, ...]:
        """Commands that show what the members are told."""
        return ()
