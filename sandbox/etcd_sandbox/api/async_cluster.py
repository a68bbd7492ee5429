"""`AsyncCluster`: `Cluster` for an event loop; the same names, awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from etcd_sandbox.api import checks, failover, words
from etcd_sandbox.api.facts import ClusterFacts
from etcd_sandbox.api.failover import Round
from etcd_sandbox.api.lifetime import Life, begin
from etcd_sandbox.api.resetting import reset
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
from etcd_sandbox.model.verb import Verb
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.paths import working_directory


class AsyncCluster(ClusterFacts):
    """A real etcd cluster on this machine, for asynchronous code.

        async with AsyncCluster(members=3) as cluster:
            verdict = await cluster.kill("leader")

    Arguments, selectors, verdicts and errors are those of `Cluster`. An iterator of `events` or
    `logs` that is left before its end is closed with `contextlib.aclosing`. Cancelling a verb
    does not undo it; cancelling `up` does.
    """

    _open: AsyncControlClient | None = None

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
        await self._hang_up()
        # A thread goes on when nobody awaits it any more: the cluster is stopped in any case.
        await asyncio.to_thread(life.end if life is not None else lambda: stop(paths))

    async def close(self) -> None:
        """What leaving the with-block does: `down`, but a cluster that is not ours runs on."""
        if self._life is not None:
            await self.down()
        self._attached = None
        await self._hang_up()

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
        await self._hang_up()  # the supervisor may be another one afterwards
        await asyncio.to_thread(reset, self._paths, self._life, self._wishes.user, timeout_s)

    async def start(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Verdict:
        """Start processes that do not run, with the data that they had."""
        return await self._act(Verb.START, select, seed=seed, wait=wait, timeout_s=timeout_s)

    async def stop(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Verdict:
        """Stop processes gracefully: SIGTERM, and SIGKILL to those that do not go."""
        return await self._act(Verb.STOP, select, seed=seed, wait=wait, timeout_s=timeout_s)

    async def restart(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Verdict:
        """Stop processes gracefully and start them again, with the data that they had."""
        return await self._act(Verb.RESTART, select, seed=seed, wait=wait, timeout_s=timeout_s)

    async def kill(
        self,
        *select: str,
        signal: str | int = "SIGKILL",
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Verdict:
        """Crash processes: no goodbye, as when a machine fails. `signal` is a name or a number."""
        return await self._act(
            Verb.KILL,
            select,
            signal=checks.signal_meant(signal),
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    async def pause(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Verdict:
        """Let processes hang (SIGSTOP): they keep their ports and answer nobody."""
        return await self._act(Verb.PAUSE, select, seed=seed, wait=wait, timeout_s=timeout_s)

    async def resume(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Verdict:
        """Let paused processes go on (SIGCONT)."""
        return await self._act(Verb.RESUME, select, seed=seed, wait=wait, timeout_s=timeout_s)

    async def partition(
        self,
        *select: str,
        versus: str | Iterable[str] = (),
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Verdict:
        """Cut all peer traffic between the selected members and `versus`; everyone else by default."""
        return await self._act(
            Verb.PARTITION, select, versus=versus, seed=seed, wait=wait, timeout_s=timeout_s
        )

    async def cut(
        self,
        one: str,
        other: str,
        *,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Verdict:
        """Cut the one link between two members."""
        return await self._act(
            Verb.CUT, (one,), versus=other, seed=seed, wait=wait, timeout_s=timeout_s
        )

    async def slow(
        self,
        *select: str,
        delay_s: float,
        jitter_s: float = 0.0,
        versus: str | Iterable[str] = (),
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Verdict:
        """Delay the peer traffic between the selected members and `versus` (default: everybody).

        Each way takes `delay_s` seconds longer, give or take up to `jitter_s`.
        """
        return await self._act(
            Verb.SLOW,
            select,
            versus=versus,
            delay_s=delay_s,
            jitter_s=jitter_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    async def heal(self, *, wait: bool = True, timeout_s: float = 30.0) -> Verdict:
        """Undo every fault: cut and slow links, pauses. What was killed is started with `start`."""
        return await self._act(Verb.HEAL, (), wait=wait, timeout_s=timeout_s)

    async def move_leader(
        self, to: str, *, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Verdict:
        """Have the leader hand leadership over to this member."""
        return await self._act(Verb.MOVE_LEADER, (to,), seed=seed, wait=wait, timeout_s=timeout_s)

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

    async def add(
        self,
        name: str | None = None,
        *,
        learner: bool = False,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Verdict:
        """Add a member (by default `infraN` with the next number), and start it. A `learner` has no vote.

        If it does not come up it is taken out again, and the error says so. One that is on etcd's list
        with its peer URL, and never started, is started as it is, and stays on the list.
        """
        return await self._act(
            Verb.ADD, (), name=name, learner=learner, wait=wait, timeout_s=timeout_s
        )

    async def promote(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Verdict:
        """Give learners their vote, as soon as they have caught up with the leader."""
        return await self._act(Verb.PROMOTE, select, seed=seed, wait=wait, timeout_s=timeout_s)

    async def remove(
        self,
        *select: str,
        force: bool = False,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Verdict:
        """Take members out of the cluster, and delete their data; a leader hands over first.

        An ID of a member on etcd's list that is no process of ours takes it off the list. Raises
        SandboxError for what would break the quorum; with `force` etcd itself is asked.
        """
        return await self._act(
            Verb.REMOVE, select, force=force, seed=seed, wait=wait, timeout_s=timeout_s
        )

    async def replace(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Verdict:
        """Put new members in the place of these, dead or alive: same name and URLs, new ID, no old data."""
        return await self._act(Verb.REPLACE, select, seed=seed, wait=wait, timeout_s=timeout_s)

    async def failover(
        self, rounds: int = 5, *, how: str = "kill", timeout_s: float = 30.0
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
        async with AsyncControlClient(life.paths) as client:
            try:
                await client.ready(self._wishes.timeout_s)
            except TimedOut as error:
                raise await asyncio.to_thread(too_late, error, life.paths) from None
        life.ready()
        return life

    @property
    def _client(self) -> AsyncControlClient:
        if self._open is None:
            self._open = AsyncControlClient(self._paths, self._wishes.user)
        return self._open

    async def _hang_up(self) -> None:
        client, self._open = self._open, None
        if client is not None:
            await client.aclose()

    async def _act(
        self, verb: Verb, select: Iterable[str], *, versus: str | Iterable[str] = (), **how: Any
    ) -> Verdict:
        checks.check_order(verb, select, how)
        answer = await self._client.act(verb, select, versus=words.one_or_more(versus), **how)
        return words.settled(answer, how["timeout_s"])


async def _undone(beginning: asyncio.Future[Life]) -> None:
    """A start that is not wanted any more, or that failed, leaves nothing behind."""
    await asyncio.wait([beginning])
    if not beginning.cancelled() and beginning.exception() is None:
        await asyncio.to_thread(beginning.result().end)
