"""The fastest way to start members and the fastest way to stop them.

Started all at once, new members ask each other for their membership while nobody answers yet,
and each question that meets a listening but silent peer costs a whole second. Stopped all at
once, the leader tries for up to seven seconds to hand leadership to members that are going too.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

from etcd_sandbox.cluster.members import Members
from etcd_sandbox.etcd.datadir import has_data
from etcd_sandbox.model.spec import ProcessSpec
from etcd_sandbox.supervise.supervisor import Supervisor

SERVING_DEADLINE_S = 0.3
"""How long the next new member waits for the one before it to answer its peers."""

APART_DEADLINE_S = 1.0
"""How long links stay shut for members that do not say that they have begun."""

FOLLOWERS_DEADLINE_S = 2.0
"""How long the leader's turn is held back for the followers; a graceful end takes up to 1.0 s."""

LEAST_PATIENCE_S = 0.1


class Ordering:
    """The processes of one cluster, started and stopped. `tell` says which members answer their peers, by their logs."""

    def __init__(self, supervisor: Supervisor, members: Members) -> None:
        self._supervisor = supervisor
        self._members = members
        self._serving: dict[str, asyncio.Event] = {}

    def tell(self, process: str) -> None:
        """The member answers its peers from now on."""
        if process in self._serving:
            self._serving[process].set()

    async def _served(self, process: str, timeout_s: float) -> None:
        """Return when the member answers its peers, or when the time is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._serving[process].wait(), timeout_s)

    async def start_apart(self, specs: Sequence[ProcessSpec]) -> None:
        """Start these at once, whose peers are all refused until this returns.

        New members then need not wait for each other: nobody listens and stays silent. It returns
        when each has asked whether the cluster exists already, and may be let through.
        """
        new = [spec.name for spec in specs if _is_new(spec)]
        for name in new:
            self._serving[name] = asyncio.Event()
        await self.start_together(specs)
        await asyncio.gather(*(self._served(name, APART_DEADLINE_S) for name in new))

    async def start_together(self, specs: Sequence[ProcessSpec]) -> None:
        """Start these at once: members that a discovery service introduces ask none of their peers."""
        processes = self._supervisor.processes
        await asyncio.gather(*(processes[spec.name].start() for spec in specs))

    async def start(self, specs: Sequence[ProcessSpec]) -> None:
        """Start these: new members one after the other as each begins to answer, the rest at once."""
        new = [spec for spec in specs if _is_new(spec)]
        together = asyncio.ensure_future(
            self.start_together([spec for spec in specs if not _is_new(spec)])
        )
        for spec in new:
            # What was said before does not count.
            self._serving[spec.name] = asyncio.Event()
            process = self._supervisor.processes[spec.name]
            await process.start()
            if spec is not new[-1]:
                ended = asyncio.ensure_future(process.wait_for(lambda life: not life.state.alive))
                served = asyncio.ensure_future(self._served(spec.name, SERVING_DEADLINE_S))
                done, waiting = await asyncio.wait(
                    {ended, served}, return_when=asyncio.FIRST_COMPLETED
                )
                for task in waiting:
                    task.cancel()
                # Not the tasks themselves: their cancellation could not be told from that of the start.
                await asyncio.wait({ended, served})
                for task in done:
                    task.result()
        await together

    async def stop(self, names: Sequence[str], known: str | None = None) -> None:
        """Stop these: followers and other processes together, then the leader, within one timeout.

        Who leads is looked up before each step; `known` leads where the logs do not say. While nobody is known
        to lead, members go one by one: whoever wins meanwhile can hand over to a member that stays.
        """
        began = time.monotonic()
        alive = {name for name in names if self._supervisor.processes[name].state.alive}
        left = [name for name in names if name in self._members and name in alive]
        stops = [self._begin_to_stop([name for name in names if name not in left], began)]
        while left:
            leads = self._members.leader or known
            followers = [name for name in left if name != leads]
            batch = left[:1] if leads is None else followers or left
            left = [name for name in left if name not in batch]
            stops.append(self._begin_to_stop(batch, began))
            if left:
                await asyncio.wait(stops[-1:], timeout=FOLLOWERS_DEADLINE_S)
        await asyncio.gather(*stops)

    def _begin_to_stop(self, names: list[str], began: float) -> asyncio.Future[list[None]]:
        """Stop these together, with what is left of each one's time since `began`."""
        gone_s = time.monotonic() - began
        processes = [self._supervisor.processes[name] for name in names]
        return asyncio.gather(
            *(
                process.stop(max(LEAST_PATIENCE_S, process.spec.stop_timeout_s - gone_s))
                for process in processes
            )
        )


def _is_new(spec: ProcessSpec) -> bool:
    return spec.member is not None and not has_data(spec.member.data_dir)
