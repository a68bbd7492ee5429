"""Which etcd each member runs, and the version that the cluster has agreed on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.spec import as_member
from etcd_sandbox.plan.upgrades import version_is_due, version_of

if TYPE_CHECKING:
    from etcd_sandbox.cluster.monitor import Monitor
    from etcd_sandbox.cluster.roster import Roster
    from etcd_sandbox.cluster.wholeness import Wholeness
    from etcd_sandbox.etcd.gateway import Gateway
    from etcd_sandbox.supervise.supervisor import Supervisor

ASK_EVERY_S = 0.05
ANSWER_DEADLINE_S = 0.5


class Versions:
    """Asks the members of one cluster."""

    def __init__(
        self,
        supervisor: Supervisor,
        roster: Roster,
        monitor: Monitor,
        wholeness: Wholeness,
        gateway: Gateway,
    ) -> None:
        self._supervisor = supervisor
        self._roster = roster
        self._monitor = monitor
        self._wholeness = wholeness
        self._gateway = gateway

    async def running(self) -> dict[str, str]:
        """What each member runs, by process name; what its plan says where it does not answer."""
        answers = await self._monitor.ask()
        return {
            name: answers[name].version
            if name in answers
            else version_of(as_member(self._supervisor.processes[name].spec))
            for name in self._wholeness.counted
        }

    async def of_cluster(self) -> str | None:
        """The cluster version (`3.5.0`), None where no member tells it; of several, the highest.

        It is the lowest of the members' minor versions, and rises some seconds after the last one.
        """
        return max(await self._told(), key=parse, default=None)

    async def _told(self) -> list[str]:
        urls = [
            self._roster.member(name).client_url
            for name in self._wholeness.counted
            if self._supervisor.processes[name].state.alive
        ]
        told = await asyncio.gather(
            *(self._gateway.cluster_version(url, ANSWER_DEADLINE_S) for url in urls)
        )
        return [version for version in told if version is not None]

    async def risen(
        self,
        before: str | None,
        running: Mapping[str, str],
        timeout_s: float,
        given_up: Callable[[], bool] = lambda: False,
    ) -> str | None:
        """The cluster version once all members have that of what they run, or when the time is over."""
        deadline = time.monotonic() + timeout_s
        now = before
        while version_is_due(now, running.values()):
            if time.monotonic() >= deadline or given_up():
                break
            await asyncio.sleep(ASK_EVERY_S)
            now = min(await self._told(), key=parse, default=now)
        return now
