"""Each member is given the list of all: what every other way refines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.etcd.failures import cause_and_mend
from etcd_sandbox.etcd.logline import fatal_cause
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.model.state import BootstrapStatus
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.supervisor import TAIL_OF_EXIT, Supervisor

ASK_AGAIN_S = 0.005

_T = TypeVar("_T")


class Static:
    """A way at work; with a list there is nothing to be done."""

    starts_together = False
    """Whether members look for each other so early that they are executed at one time."""

    def __init__(self, spec: ClusterSpec, supervisor: Supervisor, bus: Bus) -> None:
        self._spec = spec
        self._supervisor = supervisor
        self._bus = bus

    @staticmethod
    def preflight(spec: ClusterSpec) -> None:
        """Raises SandboxError for what is in the way of a start on this machine."""

    def explain(self, lines: Sequence[bytes]) -> str | None:
        """What is wrong with a member's start and what to do, from its last lines; None if the way is not the reason."""
        return None

    def why_ended(self, lines: Sequence[bytes]) -> str:
        """Why a member ended and what to do, by the way or by etcd's own word; empty where neither is known."""
        return self.explain(lines) or cause_and_mend(lines) or ""

    async def prepare(self) -> None:
        """Return when members may be started: the services, executed already, know what they have to.

        Raises SandboxError when they cannot.
        """

    async def answering(self) -> None:
        """Return when the services, executed once more, serve again. Raises SandboxError if they do not."""

    def told(self) -> BootstrapStatus:
        """What `status` says of the way, and of what runs the members."""
        return BootstrapStatus(way=self._spec.bootstrap, runtime=self._spec.runtime)

    def lack(self) -> str:
        """Why the cluster may not have become ready, in a clause; empty when the way is not the reason."""
        return ""

    def close(self) -> None:
        """Watch no more."""

    async def _answered(
        self, name: str, what: str, place: str, within_s: float, ask: Callable[[], Awaitable[_T]]
    ) -> _T:
        """What the service of ours answers, once it does; `what` and `place` are what an error calls it.

        Raises SandboxError where it ends, TimedOut where it does not answer in time.
        """
        service, deadline = self._supervisor.processes[name], time.monotonic() + within_s
        while service.state.alive:
            try:
                return await ask()
            except (OSError, SandboxError) as error:
                if time.monotonic() > deadline:
                    raise TimedOut(
                        f"{what} does not answer within {within_s:g} s ({error})",
                        place,
                        f"its lines say why: etcd-sandbox logs {name}",
                    ) from error
            await asyncio.sleep(ASK_AGAIN_S)
        lines = self._supervisor.logbook.last_lines(name, TAIL_OF_EXIT)
        raise SandboxError(
            f"{what} ended at its start ({service.exit})",
            place,
            fatal_cause(lines) or ("its last lines, above, say why" if lines else ""),
            b"\n".join(lines).decode(errors="replace"),
        )
