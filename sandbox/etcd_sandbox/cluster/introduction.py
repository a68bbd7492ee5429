"""What has to be there before members can be told of each other, and how far that is."""

from __future__ import annotations

from typing import Protocol

from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.model.state import BootstrapStatus
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.supervisor import Supervisor


class Introduction(Protocol):
    """One way of bootstrap at work."""

    async def prepare(self) -> None:
        """Return when members may be started: the services, executed already, know what they have to.

        Raises SandboxError when they cannot.
        """

    async def answering(self) -> None:
        """Return when the services, executed once more, serve again. Raises SandboxError if they do not."""

    def told(self) -> BootstrapStatus:
        """What `status` says of it."""

    def lack(self) -> str:
        """Why the cluster may not have become ready, in a clause; empty when this is not the reason."""

    def close(self) -> None:
        """Watch no more."""


class StaticList:
    """Each member was given the list of all: there is nothing to be done."""

    def __init__(self, spec: ClusterSpec) -> None:
        self._told = BootstrapStatus(way=spec.bootstrap, runtime=spec.runtime)

    async def prepare(self) -> None:
        """Nothing."""

    async def answering(self) -> None:
        """Nothing."""

    def told(self) -> BootstrapStatus:
        """The way, and what runs the members."""
        return self._told

    def lack(self) -> str:
        """Never the reason."""
        return ""

    def close(self) -> None:
        """Nothing."""


def introduction_of(spec: ClusterSpec, supervisor: Supervisor, bus: Bus) -> Introduction:
    """The way of bootstrap that `spec` has."""
    if spec.discovery is not None:
        from etcd_sandbox.cluster.discovering import Discovering

        return Discovering(spec, spec.discovery, supervisor, bus)
    if spec.dns is not None:
        from etcd_sandbox.cluster.naming import Naming

        return Naming(spec, spec.dns, supervisor, bus)
    return StaticList(spec)
