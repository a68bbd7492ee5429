"""The live half of the runtimes, beside `plan.runtimes`: how members are executed, and what of them outlives the supervisor."""

from __future__ import annotations

from etcd_sandbox.cluster.runtimes.process import Cleared, Process
from etcd_sandbox.model.spec import ClusterSpec, Runtime

__all__ = ["Cleared", "Process", "named", "runtime_of"]


def runtime_of(spec: ClusterSpec) -> type[Process]:
    """What runs the members of the plan. The others' modules are not imported: members wait for this."""
    return named(spec.runtime)


def named(runtime: Runtime) -> type[Process]:
    """The runtime of that name."""
    match runtime:
        case Runtime.PROCESS:
            return Process
        case Runtime.PODMAN | Runtime.DOCKER:
            from etcd_sandbox.cluster.runtimes.engine import Engine

            return Engine
