"""`AsyncCluster`: `Cluster` for an event loop; the same names, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from etcd_sandbox.api import values
from etcd_sandbox.api.cluster import Cluster
from etcd_sandbox.api.failover import Round
from etcd_sandbox.api.lifetime import Life, begin
from etcd_sandbox.api.values import LogLine
from etcd_sandbox.api.verbs import Verbs, order
from etcd_sandbox.control.async_client import AsyncControlClient
from etcd_sandbox.errors import TimedOut
from etcd_sandbox.host.start import too_late
from etcd_sandbox.inputs.plan import as_json, etcd_meant
from etcd_sandbox.model.event import Event, event_from_wire
from etcd_sandbox.model.state import ClusterStatus
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.paths import working_directory
from etcd_sandbox.verbs import Verb

P = ParamSpec("P")
T = TypeVar("T")


def _in_a_thread(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """A method of `Cluster`, which needs only what both have, awaited. Cancelled, it is done all the same."""

    @wraps(method)
    async def awaited(self: Any, /, *args: P.args, **how: P.kwargs) -> T:
        return await asyncio.to_thread(method, self, *args, **how)

    awaited.__qualname__ = f"AsyncCluster.{method.__name__}"  # for "was never awaited"
    return awaited


class AsyncCluster(Verbs[Coroutine[Any, Any, Verdict]]):
    """A real etcd cluster on this machine, for asynchronous code.

        async with AsyncCluster(members=3) as cluster:
            verdict = await cluster.kill("leader")

    Arguments, selectors, verdicts and errors are those of `Cluster`. An iterator of `events` or
    `logs` that is left before its end is closed with `contextlib.aclosing`. Cancelling a verb
    does not undo it; cancelling `up` does. Cancelled, `reset`, `snapshot` and `down` are done all the same.
    """

    async def __aenter__(self) -> Self:
        return self if self._attached is not None else await self.up()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def up(self) -> Self:
        """Start the cluster and return when it is ready, as entering the with-block does.

        Raises TimedOut, or SandboxError with the last lines of a member that ended; then nothing
        is left running.
        """
        self._check_not_up()
        beginning = asyncio.ensure_future(asyncio.to_thread(begin, self._wishes))
        try:
            self._life = await self._ready(await asyncio.shield(beginning))
        except BaseException:
            await asyncio.shield(_undone(beginning))
            raise
        return self

    down = _in_a_thread(Cluster.down)

    async def close(self) -> None:
        """What leaving the with-block does: `down`, but a cluster that is not ours runs on."""
        if self._life is not None:
            await self.down()
        self._attached = None

    async def status(self, *, with_hash: bool = False) -> ClusterStatus:
        """The cluster as it is now; every member is asked anew. `with_hash` adds the KV hashes."""
        return values.status_of(await self._client.status(with_hash=with_hash))

    async def leader(self) -> str | None:
        """The name of the member that leads now; of two that claim it, the one with the higher term."""
        return (await self.status()).leader

    async def wait_healthy(self, timeout_s: float = 30.0) -> ClusterStatus:
        """Return when every member answers, all follow one leader and no alarm is up; raises TimedOut."""
        is_healthy = values.health_within(timeout_s)
        while True:
            if is_healthy(status := await self.status()):
                return status
            await asyncio.sleep(values.HEALTH_EVERY_S)

    reset = _in_a_thread(Cluster.reset)
    ctl = _in_a_thread(Cluster.ctl)
    snapshot = _in_a_thread(Cluster.snapshot)

    async def failover(
        self, rounds: int = 5, *, how: str = values.USUAL_WAY, timeout_s: float = 30.0
    ) -> AsyncGenerator[Round, None]:
        """Lose the leader so many times; each `Round` comes when the cluster is whole again.

        See `Cluster.failover`. Cancelled, it ends with the round that is under way.
        """
        going = self._rounds(rounds, how, timeout_s)
        while True:
            step = asyncio.ensure_future(asyncio.to_thread(next, going, None))
            try:
                done = await asyncio.shield(step)
            except asyncio.CancelledError:
                await asyncio.gather(step, return_exceptions=True)
                raise
            if done is None:
                return
            yield done

    async def events(
        self, *, follow: bool = False, tail: int | None = None
    ) -> AsyncGenerator[Event, None]:
        """What happened, oldest first: the last `tail` events, or all; with `follow` also new ones."""
        values.check_reading((), tail)
        async with aclosing(self._client.events(follow=follow, tail=tail)) as events:
            async for event in events:
                yield event_from_wire(event)

    async def logs(
        self, *select: str, follow: bool = False, tail: int | None = None
    ) -> AsyncGenerator[LogLine, None]:
        """Log lines of the selected processes (all by default), in the order in which they arrived.

        The last `tail` lines, or all that the files hold; with `follow` also new ones.
        """
        values.check_reading(select, tail)
        async with aclosing(self._client.logs(select, follow=follow, tail=tail)) as frames:
            async for frame in frames:
                for line in values.lines_of(frame):
                    yield line

    async def _ready(self, life: Life) -> Life:
        try:
            await AsyncControlClient(life.paths).ready(self._wishes.timeout_s)
        except TimedOut as error:
            raise await asyncio.to_thread(too_late, error, life.paths) from None
        life.ready()
        return life

    @property
    def _client(self) -> AsyncControlClient:
        return AsyncControlClient(self._paths, self._wishes.user)

    async def _act(self, verb: Verb, select: Iterable[str], **how: Any) -> Verdict:
        return values.settled(await self._client.ask(order(verb, select, **how)), how["timeout_s"])

    async def _upgrade(self, select: Iterable[str], to: str, **how: Any) -> Verdict:
        values.check_order("upgrade", select, how)
        plan, cwd = await self._client.plan(), working_directory()
        binary = await asyncio.to_thread(etcd_meant, to, plan, cwd)
        async with aclosing(self._client.upgrade(select, as_json(binary), **how)) as news:
            return values.settled([each async for each in news][-1]["verdict"], how["timeout_s"])


async def _undone(beginning: asyncio.Future[Life]) -> None:
    """A start that is not wanted any more, or that failed, leaves nothing behind."""
    await asyncio.wait([beginning])
    if not beginning.cancelled() and beginning.exception() is None:
        await asyncio.to_thread(beginning.result().end)
