"""What of a cluster is started when: at its start, when a leader is there, and when the rest is ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from etcd_sandbox.cluster import ordering
from etcd_sandbox.cluster.readiness import ClusterReadiness
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.datadir import has_data
from etcd_sandbox.model.spec import After, ClusterSpec, MemberProcess, members_of
from etcd_sandbox.plan.membership import comes_back

if TYPE_CHECKING:
    from etcd_sandbox.cluster.ways.static import Static
    from etcd_sandbox.links.keeper import Links
    from etcd_sandbox.supervise.bus import Bus
    from etcd_sandbox.supervise.supervisor import Supervisor

JOIN_WITHIN_S = 60.0
"""What a learner of the plan may take to be added and to come up."""


class Starting:
    """The start of one cluster. `spawn` runs what takes its time, `join` adds a learner until a deadline.

    Members whose change was interrupted come beside the others, and are not waited for; those for
    whom there is no place, and learners, come last.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        supervisor: Supervisor,
        serving: ordering.Serving,
        links: Links | None,
        introduction: Static,
        bus: Bus,
        spawn: Callable[[object], object],
        join: Callable[[str, float], Awaitable[None]],
    ) -> None:
        self._spec = spec
        self._supervisor = supervisor
        self._serving = serving
        self._links = links
        self._introduction = introduction
        self._spawn = spawn
        self._join = join
        held = {each.process for each in spec.unfinished}
        wanted = [
            process
            for process in spec.wanted_processes
            if process.service is None and process.name not in held
        ]
        later = [process for process in wanted if process.after is After.READY]
        self._at_ready = [process for process in later if not isinstance(process, MemberProcess)]
        self._surplus = [process for process in members_of(later) if process.is_surplus]
        self._to_join = [process for process in members_of(later) if process.is_to_join]
        self._at_start = [process for process in wanted if process.after is After.START]
        self._again = [
            each
            for each in members_of(spec.wanted_processes)
            if each.name in held and comes_back(each, has_data)
        ]
        self.readiness = ClusterReadiness(
            supervisor,
            tuple(self._at_start),
            bus,
            self._start_the_rest,
            introduction.lack,
            spec,
            (*self._surplus, *self._to_join),
            self._start_the_last,
            tuple(self._again),
        )

    async def begin(self) -> None:
        """Execute what is wanted, in the fastest order."""
        if not self._at_start:
            self._start_the_rest()
        opening = asyncio.ensure_future(self._start_links())
        try:
            services = [self._supervisor.processes[each.name] for each in self._spec.services]
            await asyncio.gather(*(service.start() for service in services))
            await self._introduction.prepare()
        except SandboxError as error:
            self.readiness.fail(error)
            return
        finally:
            await opening
        first = [*self._at_start, *self._again]
        if not self._at_start and self._surplus:
            self._start_the_last()
        elif self._introduction.starts_together:
            await ordering.start_together(self._supervisor, first)
        elif self._links is not None and all(each.member.link for each in self._spec.members):
            await ordering.start_apart(self._supervisor, self._serving, first)
        else:
            await ordering.start(self._supervisor, self._serving, first)
        if self._links is not None:
            self._links.open()

    async def _start_links(self) -> None:
        if self._links is not None:
            await self._links.start()

    def _start_the_rest(self) -> None:
        if self._at_ready:
            waiting, self._at_ready = self._at_ready, []
            self._spawn(ordering.start(self._supervisor, self._serving, waiting))

    def _start_the_last(self) -> None:
        self._spawn(ordering.start_together(self._supervisor, self._surplus))
        if self._to_join:
            self._spawn(self._join_the_learners())

    async def _join_the_learners(self) -> None:
        for process in self._to_join:
            try:
                await self._join(process.name, time.monotonic() + JOIN_WITHIN_S)
            except SandboxError as error:
                self.readiness.fail(error)
                return
