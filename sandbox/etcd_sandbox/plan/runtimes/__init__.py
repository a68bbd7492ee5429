"""The runtimes, as a plan has them: what runs the members, and what becomes of their commands by that.

`cluster.runtimes` has the live half. Only the module of the runtime that is gone is imported.
"""

from __future__ import annotations

from collections.abc import Mapping

from etcd_sandbox.model.spec import AnyProcess, ClusterSpec, ProcessSpec, Runtime
from etcd_sandbox.plan.runtimes.process import Process

__all__ = ["Process", "composed", "runtime_of"]


def runtime_of(planned: ClusterSpec | ProcessSpec) -> Process:
    """What runs the members of a plan, or one process. What runs beside members is always a process."""
    match planned.runtime:
        case Runtime.PROCESS:
            return Process()
        case Runtime.PODMAN | Runtime.DOCKER:
            from etcd_sandbox.plan.runtimes.engine import Engine

            return Engine.recorded(planned)


def composed(process: AnyProcess, program: str, flags: Mapping[str, str]) -> AnyProcess:
    """The process as it executes the etcd at `program` with these flags, within what wraps it."""
    return runtime_of(process).composed(process, program, flags)
