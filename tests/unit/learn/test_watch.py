from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import msgspec
from etcd_sandbox.control.async_client import AsyncControlClient
from etcd_sandbox.learn.guide import Guide, Said, Tone
from etcd_sandbox.learn.lesson import parse_lesson
from etcd_sandbox.learn.watch import Watch
from etcd_sandbox.model.state import ClusterStatus
from etcd_sandbox.paths import ClusterPaths

from tests.unit.learn.samples import PAGE, Story, down, member, status

WHOLE = status()
KILLED = status(member("infra1"), down("infra2"), member("infra3"))


class Supervised:
    """Answers as a supervisor does; `happen` is what comes while the next answer is on its way."""

    def __init__(self) -> None:
        self.now = WHOLE
        self.happen: tuple[Story, ClusterStatus] | None = None
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._heard = asyncio.Event()

    async def status(self) -> dict[str, Any]:
        answer = self.now
        if self.happen is not None:
            story, self.now = self.happen
            self.happen = None
            for event in story.events:
                self._events.put_nowait(event.to_wire())
            await self._heard.wait()
        return cast(dict[str, Any], msgspec.to_builtins(answer))

    async def events(self, *, follow: bool, tail: int) -> AsyncGenerator[dict[str, Any], None]:
        while follow:
            yield await self._events.get()
            self._heard.set()  # the listener has come back for more


async def told(scene: Supervised) -> list[list[Said]]:
    """What the guide says in two looks, the first of which asks while things happen."""
    guide = Guide(parse_lesson(PAGE, "05-small.md").steps)
    watch = Watch(ClusterPaths("learn-5", Path("/nowhere")), guide, cast(AsyncControlClient, scene))
    watch.start()
    await watch.begin()
    scene.happen = (Story().killed(1, "infra2"), KILLED)
    looks = [await watch.look(), await watch.look()]
    scene.now = WHOLE
    looks.append(await watch.look())
    await watch.stop()
    return looks


def test_a_status_from_before_a_kill_is_no_proof_that_the_cluster_is_whole_after_it() -> None:
    first, second, third = asyncio.run(told(Supervised()))
    assert first == []
    assert [said.tone for said in second] == [Tone.ODD]
    assert third == [Said(tone=Tone.MENDED, text="the cluster is whole again")]
