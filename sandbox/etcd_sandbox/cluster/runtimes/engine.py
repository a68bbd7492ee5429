"""Members are containers: the engine's client is the supervisor's child, and what clients leave is removed."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from etcd_sandbox.cluster.runtimes import containerchild, leftcontainers
from etcd_sandbox.cluster.runtimes.process import Cleared, Process
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.spec import ClusterSpec, ProcessSpec, Runtime
from etcd_sandbox.plan.runtimes.engine import containers_of
from etcd_sandbox.supervise.process import AnyChild

_log = logging.getLogger(__name__)


class Engine(Process):
    """podman or docker at work."""

    def __init__(self, spec: ClusterSpec, root: Path) -> None:
        super().__init__(spec, root)
        self._containers = containers_of(*spec.processes)
        self._engines = dict.fromkeys(container.engine for container in self._containers)
        self.at_death = tuple(leftcontainers.command_for(each, root) for each in self._engines)

    def preflight(self) -> None:
        """The names of the containers must be free; their network is made."""
        leftcontainers.make_room(self._containers, self._root)

    @staticmethod
    async def execute(
        spec: ProcessSpec, environment: Mapping[str, str], on_lines: Callable[[memoryview], None]
    ) -> AnyChild:
        # What runs beside the members, and the DNS server, are processes here as well.
        if spec.container is None:
            return await Process.execute(spec, environment, on_lines)
        return await containerchild.execute(spec, spec.container, environment, on_lines)

    def clear(self) -> Cleared:
        removed, left = _cleared(self._engines, self._root)
        names = {each.container.name: each.name for each in self._spec.processes if each.container}
        return [names.get(name, name) for name in removed], left

    @staticmethod
    def clear_unknown(runtime: Runtime, root: Path) -> list[str]:
        program = shutil.which(runtime.value)
        return _cleared([program], root)[0] if program else []

    async def close(self) -> None:
        """A network stays when its last container has gone."""
        if any(container.network for container in self._containers):
            await asyncio.to_thread(self.clear)


def _cleared(engines: Iterable[str], root: Path) -> Cleared:
    removed: list[str] = []
    left: list[str] = []
    for engine in engines:
        try:
            removed += leftcontainers.clear(engine, root)
        except SandboxError as error:
            _log.error("%s", error)
            left.append(error.what)
    return removed, left
