"""`AsyncCluster`: `Cluster` for an event loop; the same names, awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Iterable
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from etcd_sandbox.api import checks, failover, words
from etcd_sandbox.api.failover import Round
from etcd_sandbox.api.lifetime import Life, begin
from etcd_sandbox.api.resetting import reset
from etcd_sandbox.api.verbs import Verbs
from etcd_sandbox.api.words import LogLine
from etcd_sandbox.backup.snapshot import Snapshot, save
from etcd_sandbox.control.async_client import AsyncControlClient
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import TimedOut
from etcd_sandbox.host.etcdctl import run_etcdctl
from etcd_sandbox.host.start import stop, too_late
from etcd_sandbox.inputs.upgradeto import as_json, etcd_meant
from etcd_sandbox.model.event import Event, event_from_wire
from etcd_sandbox.model.state import ClusterStatus
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.paths import working_directory
from etcd_sandbox.verbs import Verb


class AsyncCluster(Verbs[Coroutine[Any, Any, Verdict]]):
    """A real etcd cluster on this machine, for asynchronous code.

        async with AsyncCluster(members=3) as cluster:
            verdict = await cluster.kill("leader")

    Arguments, selectors, verdicts and errors are those of `Cluster`. An iterator of `events` or
    `logs` that is left before its end is closed with `contextlib.aclosing`. Cancelling a verb
    does not undo it; cancelling `up` does.
    """

    async def __aenter__(self) -> Self:
        return self if self._attached is not None else await self.up()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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

    async def down(self) -> None:
        """Stop everything. Of a cluster that is ours nothing is left, unless `keep_data` says so."""
        paths, life = self._paths, self._life
        self._life = self._attached = None
        # A thread goes on when nobody awaits it any more: the cluster is stopped in any case.
        await asyncio.to_thread(life.end if life is not None else lambda: stop(paths))

    async def close(self) -> None:
        """What leaving the with-block does: `down`, but a cluster that is not ours runs on."""
        if self._life is not None:
            await self.down()
        self._attached = None

    async def status(self, *, with_hash: bool = False) -> ClusterStatus:
        """The cluster as it is now; every member is asked anew. `with_hash` adds the KV hashes."""
        return words.status_of(await self._client.status(with_hash=with_hash))

    async def leader(self) -> str | None:
        """The name of the member that leads now; of two that claim it, the one with the higher term."""
        return (await self.status()).leader

    async def wait_healthy(self, timeout_s: float = 30.0) -> ClusterStatus:
        """Return when every member answers, all follow one leader and no alarm is up; raises TimedOut."""
        checks.check_seconds("timeout_s", timeout_s)
        deadline = time.monotonic() + timeout_s
        while not words.is_healthy(status := await self.status()):
            if time.monotonic() > deadline:
                raise words.not_healthy(status, timeout_s)
            await asyncio.sleep(words.HEALTH_EVERY_S)
        return status

    async def reset(self, *, timeout_s: float = 30.0) -> None:
        """Make the cluster what it was when it began; see `Cluster.reset`. Cancelled, it is done all the same."""
        await asyncio.to_thread(reset, self._paths, self._life, self._wishes.user, timeout_s)

    async def upgrade(
        self,
        *select: str,
        to: str | Path,
        force: bool = False,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Verdict:
        """Give members another etcd, one at a time, the leader last; each waits until all others are healthy.

        `to` is a version (`3.5`, `3.5.1`) or a path. `timeout_s` is what each member may take, and the
        cluster version at the end. `Verdict.upgrade` has the figures of each member, and how etcd's
        list of members differs from the plan afterwards (`unlike`). Raises
        InputError for a step that etcd does not allow, and for changes of the members in the past
        that the new etcd may not know of (unless `force`), SandboxError where a member does not come
        up: it runs its old etcd again then. Cancelled, it ends with the member that it is at.
        """
        checks.check_order("upgrade", select, {"timeout_s": timeout_s, "seed": seed})
        plan, cwd = await self._client.plan(), working_directory()
        binary = await asyncio.to_thread(etcd_meant, str(to), plan, cwd)
        going = self._client.upgrade(
            select, as_json(binary), force=force, seed=seed, wait=wait, timeout_s=timeout_s
        )
        async with aclosing(going):
            return words.settled([news async for news in going][-1]["verdict"], timeout_s)

    async def failover(
        self, rounds: int = 5, *, how: str = words.USUAL_WAY, timeout_s: float = 30.0
    ) -> AsyncGenerator[Round, None]:
        """Lose the leader so many times; each `Round` comes when the cluster is whole again.

        `how`: `kill`, `stop`, `pause` or `partition`. `timeout_s` is for each step of a round.
        Raises SandboxError for a cluster that is not whole to begin with, or when a round fails;
        what it broke is mended in any case. Cancelled, it ends with the round that is under way.
        """
        checks.check_failover(rounds, timeout_s)
        way, client = words.way_of(how), ControlClient(self._paths)
        going = failover.rounds(client, way, rounds, timeout_s=timeout_s)
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
        checks.check_reading((), tail)
        async with aclosing(self._client.events(follow=follow, tail=tail)) as events:
            async for event in events:
                yield event_from_wire(event)

    async def logs(
        self, *select: str, follow: bool = False, tail: int | None = None
    ) -> AsyncGenerator[LogLine, None]:
        """Log lines of the selected processes (all by default), in the order in which they arrived.

        The last `tail` lines, or all that the files hold; with `follow` also new ones.
        """
        checks.check_reading(select, tail)
        async with aclosing(self._client.logs(select, follow=follow, tail=tail)) as frames:
            async for frame in frames:
                for line in words.lines_of(frame):
                    yield line

    async def ctl(self, *args: str, timeout_s: float = 30.0) -> str:
        """What `etcdctl ARGS` prints; see `Cluster.ctl`."""
        checks.check_ctl(args, timeout_s)
        client = ControlClient(self._paths, self._wishes.user)
        return await asyncio.to_thread(run_etcdctl, self._plan, args, timeout_s, client)

    async def snapshot(
        self,
        path: str | Path,
        *,
        on: str | None = None,
        overwrite: bool = False,
        timeout_s: float = 30.0,
    ) -> Snapshot:
        """Save all keys in the file `path`, for `AsyncCluster(restore=path)` or etcdutl.

        See `Cluster.snapshot`. Cancelled, it ends with the file whole all the same.
        """
        return await asyncio.to_thread(
            save,
            ControlClient(self._paths, self._wishes.user),
            Path(path),
            on=() if on is None else (on,),
            overwrite=overwrite,
            timeout_s=timeout_s,
        )

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

    async def _act(
        self, verb: Verb, select: Iterable[str], *, versus: str | Iterable[str] = (), **how: Any
    ) -> Verdict:
        checks.check_order(verb.identifier, select, how)
        answer = await self._client.act(verb, select, versus=words.one_or_more(versus), **how)
        return words.settled(answer, how["timeout_s"])


async def _undone(beginning: asyncio.Future[Life]) -> None:
    """A start that is not wanted any more, or that failed, leaves nothing behind."""
    await asyncio.wait([beginning])
    if not beginning.cancelled() and beginning.exception() is None:
        await asyncio.to_thread(beginning.result().end)
