"""The ways to start, as a plan has them: how the members of a new cluster are told of each other.

`cluster.ways` has the live half. Only the module of the way that is gone is imported.
"""

from __future__ import annotations

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.memberflags import DiscoveryKind, MemberFlags
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.plan.ways.request import BootstrapInputs, Request
from etcd_sandbox.plan.ways.static import Static

__all__ = ["BootstrapInputs", "Request", "bootstrap_of", "planned", "way_of"]


def planned(request: Request) -> Static:
    """The way that the inputs are for. Raises InputError where the members cannot go that way."""
    bootstrap = request.inputs.bootstrap
    if request.runtime.is_apart and not bootstrap.is_list:
        raise InputError(
            f"members whose bootstrap is {bootstrap.value!r} need the network of this machine, "
            "and these containers have a network of their own",
            hint="use --bootstrap static, or containers on the host's network",
        )
    return _way(bootstrap).planned(request)


def way_of(spec: ClusterSpec) -> Static:
    """The way of a plan. A Procfile's own commands go theirs, and need nothing of us."""
    return _way(spec.way).recorded(spec)


def bootstrap_of(flags: MemberFlags) -> Bootstrap:
    """How the member is told of the others: by the flags that its command has."""
    if flags.discovery is None:
        return Bootstrap.STATIC
    return Bootstrap.DNS if flags.discovery is DiscoveryKind.SRV else Bootstrap.DISCOVERY


def _way(bootstrap: Bootstrap) -> type[Static]:
    match bootstrap:
        case Bootstrap.DISCOVERY:
            from etcd_sandbox.plan.ways.discovery import Discovery

            return Discovery
        case Bootstrap.DNS:
            from etcd_sandbox.plan.ways.dns import Dns

            return Dns
        case Bootstrap.STATIC:
            return Static
