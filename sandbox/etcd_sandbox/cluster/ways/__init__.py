"""The live half of the ways to start, beside `plan.ways`: what must be there before members start, and how far that is."""

from __future__ import annotations

from etcd_sandbox.cluster.ways.static import Static
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import ClusterSpec


def way_of(spec: ClusterSpec) -> type[Static]:
    """The way that the plan goes. The others' modules are not imported: members wait for this."""
    match spec.way:
        case Bootstrap.DISCOVERY:
            from etcd_sandbox.cluster.ways.discovery import Discovery

            return Discovery
        case Bootstrap.DNS:
            from etcd_sandbox.cluster.ways.dns import Dns

            return Dns
        case Bootstrap.STATIC:
            return Static
