"""What a disk fault does: how long the members' own syncs take, and one kind of write, before it and after."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from msgspec.structs import replace

from etcd_sandbox.etcd.logline import fatal_cause
from etcd_sandbox.model.verdict import DiskTimes, Verdict
from etcd_sandbox.supervise.supervisor import TAIL_OF_EXIT

if TYPE_CHECKING:
    from etcd_sandbox.cluster.members import Members
    from etcd_sandbox.model.state import Totals

WRITES = 3
PATIENCE_S = 5.0
"""How long writes and syncs are waited for that are slow on purpose."""

METRICS_WITHIN_S = 1.0

BEGUN_BEFORE_S = 0.05
"""By then a sync has ended that began before the fault was in force."""


class DiskMeter:
    """Measures the disks of these members: `begin` before the fault is applied, `applied` and `told` after it.

    `syncs` and `writes` are what the fault is about: one of some calls only leaves the others as they were.
    """

    def __init__(
        self, members: Members, names: Collection[str], *, syncs: bool, writes: bool
    ) -> None:
        self._members = members
        self._names = names
        self._of_syncs = syncs
        self._of_writes = writes
        self._before: dict[str, Totals | None] = {}
        self._since: dict[str, Totals | None] = {}
        self._write_before_s: float | None = None

    async def begin(self, leader: str | None, deadline: float) -> None:
        """This is how it is before the fault."""
        self._write_before_s = await self._write_s(leader, deadline)
        self._before = await self._syncs()

    async def applied(self) -> None:
        """The fault is in force: what is counted from now on falls under it."""
        await asyncio.sleep(BEGUN_BEFORE_S)
        self._since = await self._syncs()

    async def told(self, verdict: Verdict, leader: str | None, deadline: float) -> Verdict:
        """The verdict with what was measured since, and which member has ended over it."""
        write_s = await self._write_s(leader, deadline)
        after = await self._syncs()
        disks = tuple(
            DiskTimes(
                member=self._members.title(name),
                wal_sync_s=_mean(self._since.get(name), now),
                wal_sync_before_s=_mean(None, self._before.get(name)),
            )
            for name, now in after.items()
            if name in self._since
        )
        return replace(
            verdict,
            disks=disks,
            write_s=write_s,
            write_before_s=self._write_before_s,
            notes=(*verdict.notes, *self._ended()),
        )

    async def _write_s(self, leader: str | None, deadline: float) -> float | None:
        """How long a write takes that changes nothing, at the leader; None where none is served, or none is allowed."""
        if not self._of_writes or leader is None or leader not in self._members:
            return None
        url, took, until = self._members.member(leader).client_url, list[float](), time.monotonic()
        until = min(until + PATIENCE_S, deadline)
        while len(took) < WRITES and time.monotonic() < until:
            began = time.monotonic()
            if not await self._members.gateway.empty_write(url, until - began):
                break
            took.append(time.monotonic() - began)
        return statistics.median(took) if took else None

    async def _syncs(self) -> dict[str, Totals | None]:
        running = [name for name in self._names if self._of_syncs and self._members.runs(name)]
        return dict(zip(running, await asyncio.gather(*map(self._totals, running)), strict=True))

    async def _totals(self, name: str) -> Totals | None:
        member = self._members.member(name)
        place = member.metrics_url or member.client_url
        metrics = await self._members.gateway.metrics(place, METRICS_WITHIN_S)
        return None if metrics is None else metrics.fsync

    def _ended(self) -> list[str]:
        ended = []
        for name in self._names:
            process = self._members.processes[name]
            if process.life.pid is None and process.exit is not None:
                cause = fatal_cause(self._members.last_lines(name, TAIL_OF_EXIT))
                ended.append(
                    f"{self._members.title(name)} ended: {process.exit}{f', {cause}' if cause else ''}"
                )
        return ended


def _mean(before: Totals | None, after: Totals | None) -> float | None:
    """The mean of what took place in between; None where nothing did."""
    if after is None:
        return None
    count = after.count - (before.count if before else 0)
    seconds = after.seconds - (before.seconds if before else 0.0)
    return seconds / count if count > 0 else None
