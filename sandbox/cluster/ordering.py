"""The fastest way to start members and the fastest way to stop them.

Started all at once, new members ask each other for their membership while nobody answers yet,
and each question that meets a listening but silent peer costs a whole second. Stopped all at
once, the leader tries for up to seven seconds to hand leadership to members that are going too.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable

from sandbox.cluster.preflight import has_data
from sandbox.cluster.roster import Roster
from sandbox.model.spec import ProcessSpec
from sandbox.supervise.supervisor import Supervisor

SERVING_DEADLINE_S = 0.3
"""How long the next new member waits for the one before it to answer its peers."""

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
            await asyncio.wait({ended, served}, return_when=asyncio.FIRST_COMPLETED)
            for waiting in (ended, served):
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await waiting
    await together


async def stop(
    supervisor: Supervisor,
    roster: Roster,
    names: Iterable[str],
    leader: str | None,
    timeout_s: float | None = None,
) -> None:
    """Stop these: followers and other processes together, then the leader, within one timeout."""
    names = list(names)
    members = [name for name in names if name in roster]
    if leader not in members or len(members) < 2:
        await supervisor.stop_all(names, timeout_s)
        return
    began = time.monotonic()
    others = asyncio.ensure_future(
        supervisor.stop_all((name for name in names if name != leader), timeout_s)
    )
    followers = [
        asyncio.ensure_future(
            supervisor.processes[name].wait_for(lambda life: not life.state.alive)
        )
        for name in members
        if name != leader
    ]
    # Let the stops begin before their ends are waited for.
    await asyncio.sleep(0)
    await asyncio.wait(followers, timeout=FOLLOWERS_DEADLINE_S)
    for follower in followers:
        follower.cancel()
    process = supervisor.processes[leader]
    patience_s = process.spec.stop_timeout_s if timeout_s is None else timeout_s
    left_s = max(LEAST_PATIENCE_S, patience_s - (time.monotonic() - began))
    await asyncio.gather(others, process.stop(left_s))
