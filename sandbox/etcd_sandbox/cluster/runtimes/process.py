"""Members are processes of this machine: what every other runtime refines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from etcd_sandbox.model.spec import ClusterSpec, ProcessSpec, Runtime
from etcd_sandbox.supervise.process import AnyChild, execute

Cleared = tuple[list[str], list[str]]
"""The processes that were ended, and clauses on what could not be removed."""


class Process:
    """A runtime at work for a cluster, whose state directory is `root`. The supervisor ends processes by itself."""

    at_death: tuple[list[str], ...] = ()
    """The commands that end the members where the supervisor cannot any more."""

    def __init__(self, spec: ClusterSpec, root: Path) -> None:
        self._spec = spec
        self._root = root

    def preflight(self) -> None:
        """Make room for the members. Raises SandboxError for what is in the way of a start on this machine."""

    @staticmethod
    async def execute(
        spec: ProcessSpec, environment: Mapping[str, str], on_lines: Callable[[memoryview], None]
    ) -> AnyChild:
        """Execute one process; returns when it was. Raises SandboxError or OSError when it cannot be."""
        return await execute(spec, environment, on_lines)

    def clear(self) -> Cleared:
        """End what a supervisor that died left of the members."""
        return [], []

    @staticmethod
    def clear_unknown(runtime: Runtime, root: Path) -> list[str]:
        """End what was left where nobody knows the plan: what was ended, as the runtime calls it."""
        return []

    async def close(self) -> None:
        """Remove what the members had in common, when all of them have ended."""
