"""The fastest way to start members and the fastest way to stop them.

Started all at once, new members ask each other for their membership while nobody answers yet,
and each question that meets a listening but silent peer costs a whole second. Stopped all at
once, the leader tries for up to seven seconds to hand leadership to members that are going too.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable

from etcd_sandbox.cluster.roster import Roster
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


class Serving:
    """Which members answer their peers, as their logs say."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def expect(self, process: str) -> None:
        """The member is about to be started: what was said before does not count."""
        self._events[process] = asyncio.Event()

    def tell(self, process: str) -> None:
        """The member answers its peers from now on."""
        if process in self._events:
            self._events[process].set()

    async def wait(self, process: str, timeout_s: float) -> None:
        """Return when the member answers its peers, or when the time is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._events[process].wait(), timeout_s)


async def start_apart(
    supervisor: Supervisor, serving: Serving, specs: Iterable[ProcessSpec]
) -> None:
    """Start these at once, whose peers are all refused until this returns.

    New members then need not wait for each other: nobody listens and stays silent. It returns
    when each has asked whether the cluster exists already, and may be let through.
    """
    specs = list(specs)
    new = [
        spec.name
        for spec in specs
        if spec.member is not None and not has_data(spec.member.data_dir)
    ]
    for name in new:
        serving.expect(name)
    await asyncio.gather(*(supervisor.processes[spec.name].start() for spec in specs))
    await asyncio.gather(*(serving.wait(name, APART_DEADLINE_S) for name in new))


async def start_together(supervisor: Supervisor, specs: Iterable[ProcessSpec]) -> None:
    """Start these at once: members that a discovery service introduces ask none of their peers."""
    await asyncio.gather(*(supervisor.processes[spec.name].start() for spec in specs))


async def start(supervisor: Supervisor, serving: Serving, specs: Iterable[ProcessSpec]) -> None:
    """Start these: new members one after the other as each begins to answer, the rest at once."""
    new: list[str] = []
    rest: list[str] = []
    for spec in specs:
        is_new = spec.member is not None and not has_data(spec.member.data_dir)
        (new if is_new else rest).append(spec.name)
    together = asyncio.gather(*(supervisor.processes[name].start() for name in rest))
    for place, name in enumerate(new):
        serving.expect(name)
        process = supervisor.processes[name]
        await process.start()
        if place + 1 < len(new):
            ended = asyncio.ensure_future(process.wait_for(lambda life: not life.state.alive))
            served = asyncio.ensure_future(serving.wait(name, SERVING_DEADLINE_S))
            done, waiting = await asyncio.wait({ended, served}, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            # Not the tasks themselves: their cancellation could not be told from that of the start.
            await asyncio.wait({ended, served})
            for task in done:
                task.result()
    await together


async def stop(
    supervisor: Supervisor,
    roster: Roster,
    names: Iterable[str],
    leader: Callable[[], str | None],
    timeout_s: float | None = None,
) -> None:
    """Stop these: followers and other processes together, then the leader, within one timeout.

    `leader` is asked again before each step. While nobody is known to lead, members go one by
    one: whoever wins meanwhile can hand over to a member that stays.
    """
    names = list(names)
    began = time.monotonic()
    left = [name for name in names if name in roster and supervisor.processes[name].state.alive]
    stops = [_begin(supervisor, [name for name in names if name not in left], timeout_s, began)]
    while left:
        leads = leader()
        followers = [name for name in left if name != leads]
        batch = left[:1] if leads is None else followers or left
        left = [name for name in left if name not in batch]
        stops.append(_begin(supervisor, batch, timeout_s, began))
        if left:
            await asyncio.wait(stops[-1:], timeout=FOLLOWERS_DEADLINE_S)
    await asyncio.gather(*stops)


def _begin(
    supervisor: Supervisor, names: list[str], timeout_s: float | None, began: float
) -> asyncio.Future[list[None]]:
    """Stop these together, with what is left of each one's time since `began`."""
    gone_s = time.monotonic() - began
    processes = [supervisor.processes[name] for name in names]
    return asyncio.gather(
        *(
            process.stop(
                max(
                    LEAST_PATIENCE_S,
                    (process.spec.stop_timeout_s if timeout_s is None else timeout_s) - gone_s,
                )
            )
            for process in processes
        )
    )
