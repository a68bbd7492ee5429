"""Watches a lesson's cluster for its guide: events as they come, keys and members asked when a condition needs them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec

from etcd_sandbox.control.async_client import AsyncControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.gateway import Gateway
from etcd_sandbox.learn.condition import Asks
from etcd_sandbox.learn.guide import Guide, Said
from etcd_sandbox.learn.record import Known, Pairs
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.event import Kind, event_from_wire
from etcd_sandbox.model.spec import Runtime
from etcd_sandbox.model.state import (
    BootstrapStatus,
    ClusterStatus,
    MemberStatus,
    Peer,
    ProcessState,
)
from etcd_sandbox.paths import ClusterPaths

ANSWER_WITHIN_S = 1.0


def in_turn(status: ClusterStatus) -> list[MemberStatus]:
    """The voters that answer, the leader first."""
    there = [each for each in status.members if each.role is not None and each.role != "learner"]
    return sorted(there, key=lambda each: each.name != status.leader)


def peers_of(detail: Mapping[str, Any]) -> tuple[Peer, ...] | None:
    """The list of members in the answer to what a process is from near; None where it has none."""
    peers = detail.get("peers")
    return None if peers is None else msgspec.convert(peers, tuple[Peer, ...])


LOOK_EVERY_S = 0.5
"""How long the cluster is left alone when no event came."""

_AGAIN_S = 0.3
_EVENTS_HELD = 1000
_KINDS = frozenset(Kind)


class Watch:
    """One cluster, watched for one guide. `start` it, `begin` each step, `look` again and again."""

    def __init__(
        self, paths: ClusterPaths, guide: Guide, client: AsyncControlClient | None = None
    ) -> None:
        self.guide = guide
        self._client = client or AsyncControlClient(paths)
        self._gateway = Gateway()
        self._came = asyncio.Event()
        self._news: deque[Callable[[], None]] = deque()
        """What the listener heard and the guide was not told yet, the oldest first."""
        self._task: asyncio.Task[None] | None = None
        self.present = True

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._gateway.aclose()

    async def begin(self) -> None:
        """Begin the guide's step: all events so far belong to the past. Raises NotRunning."""
        status = await self._status()
        past = [int(event["seq"]) async for event in self._client.events(follow=False, tail=1)]
        deadline = time.monotonic() + LOOK_EVERY_S * 4
        pid, last = status.supervisor.pid, past[-1] if past else 0
        self._tell()
        while not self.guide.has_taken(pid, last) and time.monotonic() < deadline:
            await self._more(_AGAIN_S)
            self._tell()
        self.guide.meet(pid, status.bootstrap, time.time())
        self.guide.begin(status)

    async def look(self) -> list[Said]:
        """Look now; what the guide has to say. `present` says whether the cluster answered."""
        # What the guide is told is never newer than the status: an event that comes while the
        # members answer waits for the next look, or a cluster from before a kill counts as whole after the kill.
        self._tell()
        try:
            status = await self._status()
        except SandboxError:
            self.present = False
            return []
        self.present = True
        self.guide.take_hanging(await asyncio.to_thread(hanging, status), time.time())
        return self.guide.look(status, await self._keys(status), await self._known(status))

    async def rest(self) -> None:
        await self._more(LOOK_EVERY_S)

    def _tell(self) -> None:
        """Tell the guide all that the listener heard so far."""
        while self._news:
            self._news.popleft()()

    async def _keys(self, status: ClusterStatus) -> dict[str, Pairs]:
        """The keys of each condition, by its key or prefix; left out where the leader did not answer."""
        url = next((each.asked_url for each in status.members if each.name == status.leader), None)
        keys: dict[str, Pairs] = {}
        if url is None:
            return keys
        for condition in self.guide.asked:
            word, prefix = condition.key or condition.prefix, bool(condition.prefix)
            pairs = await self._gateway.pairs(url, word, ANSWER_WITHIN_S, prefix=prefix)
            if pairs is not None:
                keys[word] = pairs
        return keys

    async def _known(self, status: ClusterStatus) -> Known:
        """What conditions ask of members, as far as one tells it for itself, without a quorum; the leader first."""
        listed = version = None
        for member in in_turn(status):
            if Asks.MEMBERS in self.guide.asks and listed is None:
                try:
                    listed = peers_of(await self._client.detail(member.process))
                except SandboxError:
                    continue
            if Asks.VERSION in self.guide.asks and version is None:
                version = await self._gateway.cluster_version(member.asked_url, ANSWER_WITHIN_S)
        return Known(listed=listed, cluster_version=version)

    async def _more(self, within_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._came.wait(), within_s)
        self._came.clear()

    async def _status(self) -> ClusterStatus:
        return msgspec.convert(await self._client.status(), ClusterStatus)

    async def _meet(self) -> None:
        # Read by hand: two threads in which msgspec meets a type for the first time at once end in
        # a crash (0.22), and the cluster is made ready in another thread meanwhile.
        answer = await self._client.status()
        how = answer["bootstrap"]
        bootstrap = BootstrapStatus(way=Bootstrap(how["way"]), runtime=Runtime(how["runtime"]))
        met = partial(self.guide.meet, answer["supervisor"]["pid"], bootstrap, time.time())
        self._news.append(met)

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(SandboxError):
                await self._meet()
                async with aclosing(self._client.events(follow=True, tail=_EVENTS_HELD)) as events:
                    async for event in events:
                        if event["kind"] in _KINDS:
                            told = partial(self.guide.take_event, event_from_wire(event))
                            self._news.append(told)
                        self._came.set()
            await asyncio.sleep(_AGAIN_S)


def hanging(status: ClusterStatus) -> dict[str, int]:
    """The members that somebody else stopped by a SIGSTOP, with their pids."""
    import psutil

    found = {}
    for member in status.members:
        if member.state is ProcessState.RUNNING and member.role is None and member.pid:
            with contextlib.suppress(psutil.Error):
                if psutil.Process(member.pid).status() == psutil.STATUS_STOPPED:
                    found[member.name] = member.pid
    return found
