"""Feeds a guide from the control API: events as they come, and a fresh look when it is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import aclosing

import msgspec

from etcd_sandbox.control.async_client import AsyncControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.learn.asking import Asking
from etcd_sandbox.learn.guide import Guide, Said
from etcd_sandbox.learn.keys import Keys
from etcd_sandbox.model.event import Kind, event_from_wire
from etcd_sandbox.model.spec import Bootstrap, Runtime
from etcd_sandbox.model.state import BootstrapStatus, ClusterStatus, ProcessState
from etcd_sandbox.paths import ClusterPaths

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
        self._keys = Keys()
        self._asking = Asking(self._client)
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.present = True

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._keys.aclose()
        await self._asking.aclose()

    async def begin(self) -> None:
        """The guide's step begins: all events so far belong to what was before. Raises NotRunning."""
        status = await self._status()
        past = [int(event["seq"]) async for event in self._client.events(follow=False, tail=1)]
        deadline = time.monotonic() + LOOK_EVERY_S * 4
        pid, last = status.supervisor.pid, past[-1] if past else 0
        while not self.guide.has_taken(pid, last) and time.monotonic() < deadline:
            await self._news(_AGAIN_S)
        self.guide.meet(pid, status.bootstrap, time.time())
        self.guide.begin(status)

    async def look(self) -> list[Said]:
        """Look now; what there is to tell. `present` says whether the cluster could be asked."""
        try:
            status = await self._status()
        except SandboxError:
            self.present = False
            return []
        self.present = True
        self.guide.take_hanging(await asyncio.to_thread(hanging, status), time.time())
        keys = await self._keys.read(self.guide.asked, status)
        known = await self._asking.ask(self.guide.asks, status)
        return self.guide.look(status, keys, known)

    async def rest(self) -> None:
        """Return when something happened, or it is time to look again."""
        await self._news(LOOK_EVERY_S)

    async def _news(self, within_s: float) -> None:
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
        self.guide.meet(answer["supervisor"]["pid"], bootstrap, time.time())

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(SandboxError):
                await self._meet()
                async with aclosing(self._client.events(follow=True, tail=_EVENTS_HELD)) as events:
                    async for event in events:
                        if event["kind"] in _KINDS:
                            self.guide.take_event(event_from_wire(event))
                        self._came.set()
            await asyncio.sleep(_AGAIN_S)


def hanging(status: ClusterStatus) -> dict[str, int]:
    """The processes of the members that somebody has sent a SIGSTOP without our knowing."""
    import psutil

    found = {}
    for member in status.members:
        if member.state is ProcessState.RUNNING and member.role is None and member.pid:
            with contextlib.suppress(psutil.Error):
                if psutil.Process(member.pid).status() == psutil.STATUS_STOPPED:
                    found[member.name] = member.pid
    return found
