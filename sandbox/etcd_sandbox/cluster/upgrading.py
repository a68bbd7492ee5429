"""A rolling upgrade: one member after the other gets another etcd, each while all others are healthy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.cluster.binaryswap import VERB, BinarySwap
from etcd_sandbox.cluster.healthcheck import HealthCheck
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.etcd.datadir import old_requests
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import MemberProcess, as_member
from etcd_sandbox.model.upgrade import (
    MemberUpgrade,
    UpgradeOrder,
    UpgradeOutcome,
    UpgradePlan,
    UpgradeStep,
)
from etcd_sandbox.model.verdict import Target, Verdict
from etcd_sandbox.plan import pastchanges, upgrades

if TYPE_CHECKING:
    from etcd_sandbox.cluster.cluster import Cluster
    from etcd_sandbox.cluster.listing import Listing
    from etcd_sandbox.cluster.measure import Measure
    from etcd_sandbox.cluster.members import Observation

PATIENCE_S = 10.0
"""How long members that run may take to be healthy before one of them is taken away: an election."""

News = UpgradePlan | MemberUpgrade | Verdict | SandboxError
"""What is told of an upgrade: its plan, each member that is done, and how it ended."""


class Upgrade(Struct):
    """An upgrade under way; `halted` ends it after the member that it is at."""

    plan: UpgradePlan
    news: asyncio.Queue[News]
    halted: asyncio.Event

    async def told(self) -> AsyncGenerator[News, None]:
        """What happens, from the plan to the verdict or the error that is last.

        Nobody listening any more halts it.
        """
        try:
            while True:
                news = await self.news.get()
                yield news
                if isinstance(news, (Verdict, SandboxError)):
                    return
        finally:
            self.halted.set()


class Upgrading:
    """Upgrades of one cluster, one at a time."""

    def __init__(self, cluster: Cluster, measure: Measure, listing: Listing) -> None:
        self._cluster = cluster
        self._members = cluster.members
        self._listing = listing
        self._health = HealthCheck(cluster.members)
        self._binary_swap = BinarySwap(cluster, measure, self._health)
        self._under_way: Upgrade | None = None

    async def plan(self, order: UpgradeOrder) -> UpgradePlan:
        """What it would do. Raises InputError for a step that etcd does not allow, a command that the
        new etcd would not take, and changes of the members that it may not know of (unless
        `order.force`); SandboxError for members that are not healthy."""
        look = await self._members.look()
        names = await self._meant(order, look)
        cluster = await self._health.of_cluster()
        processes = self._members.processes
        todo = [
            name
            for name in names
            if not upgrades.has_etcd(as_member(processes[name].spec), order.to)
        ]
        turns = upgrades.in_turn(todo, self._down(todo), look.leader)
        if todo:
            cluster = await self._allowed(order, cluster)
        doubts = await self._doubts(todo, order)
        new = {name: self._binary_swap.wanted(name, order) for name in todo}
        await self._check_logs(todo, order)
        if turns:
            await self._health.check_without(turns[0], min(PATIENCE_S, order.timeout_s))
        return UpgradePlan(
            version=order.to.version,
            path=order.to.image or order.to.path,
            cluster_version=cluster,
            steps=(
                *(self._step(name, new[name], look) for name in turns),
                *(self._step(name, None, look) for name in names if name not in todo),
            ),
            notes=(
                *upgrades.notes_of(self._cluster.spec, todo, order.to.version, len(look.voters)),
                *doubts,
            ),
        )

    async def begin(self, order: UpgradeOrder) -> Upgrade:
        """Begin it. Raises as `plan` does, and while another or a change of the members is under way."""
        if self._members.changing.locked():
            raise SandboxError(
                "the members are being changed, so none can be upgraded",
                hint="etcd-sandbox events -f shows how far it is",
            )
        if self._under_way is not None:
            raise SandboxError(
                "an upgrade is under way already",
                hint="etcd-sandbox events -f shows how far it is",
            )
        upgrade = self._under_way = Upgrade(
            UpgradePlan(version=order.to.version, path="", cluster_version=None, steps=()),
            asyncio.Queue(),
            asyncio.Event(),
        )
        try:
            upgrade.plan = await self.plan(order)
        except BaseException:
            self._under_way = None
            raise
        upgrade.news.put_nowait(upgrade.plan)
        self._cluster.spawn(self._run(order, upgrade))
        return upgrade

    @property
    def is_under_way(self) -> bool:
        """Whether there is an upgrade that has not ended."""
        return self._under_way is not None

    def halt(self) -> bool:
        """Have the upgrade that is under way end after the member that it is at; whether there is one."""
        if self._under_way is not None:
            self._under_way.halted.set()
        return self._under_way is not None

    async def _run(self, order: UpgradeOrder, upgrade: Upgrade) -> None:
        last: News = SandboxError("the upgrade was ended: the cluster is being stopped")
        try:
            last = await self._carried_out(order, upgrade)
        except SandboxError as error:
            last = error
        except Exception as error:
            last = SandboxError(f"the upgrade failed: {type(error).__name__}: {error}")
            raise
        finally:
            self._under_way = None
            upgrade.news.put_nowait(last)

    async def _carried_out(self, order: UpgradeOrder, upgrade: Upgrade) -> Verdict:
        # Whoever put them there knows of them.
        waiting = {peer.id for peer in await self._listing.strangers() if not peer.name}
        left = [step.process for step in upgrade.plan.steps if step.done]
        done: list[MemberUpgrade] = []
        verdicts: list[Verdict] = []
        commands: list[str] = []
        while left and not upgrade.halted.is_set():
            look = await self._members.look()
            name = upgrades.in_turn(left, self._down(left), look.leader)[0]
            await self._health.check_without(name, min(PATIENCE_S, order.timeout_s))
            changed, verdict = await self._binary_swap.swap(order, name, commands)
            left.remove(name)
            done.append(changed)
            verdicts.append(verdict)
            upgrade.news.put_nowait(changed)
        before = upgrade.plan.cluster_version
        after = await self._risen(before, order.timeout_s if order.wait else 0.0, upgrade.halted)
        outcome = UpgradeOutcome(
            version=order.to.version,
            members=tuple(done),
            left=tuple(self._members.title(name) for name in left),
            cluster_version_before=before,
            cluster_version_after=after,
            unlike=await self._listing.unlike_plan(order.to.version, waiting),
        )
        return _together(verdicts, upgrade.plan, outcome, tuple(commands))

    async def _risen(
        self, before: str | None, timeout_s: float, halted: asyncio.Event
    ) -> str | None:
        """The cluster version; where all members are of a newer one, it is waited for."""
        running = await self._health.running()
        after = await self._health.risen(before, running, timeout_s, halted.is_set)
        if after != before:
            self._cluster.bus.publish(Kind.CLUSTER_VERSION, None, **{"from": before, "to": after})
        return after

    async def _allowed(self, order: UpgradeOrder, cluster: str | None) -> str | None:
        """The cluster version from which the step is allowed; raises InputError if it is not."""
        running = await self._health.running()
        try:
            upgrades.check_step(order.to.version, cluster, running)
        except InputError:
            if not upgrades.version_is_due(cluster, running.values()):
                raise
            # It rises some seconds after the last member: the next upgrade may follow at once.
            cluster = await self._health.risen(cluster, running, order.timeout_s)
            upgrades.check_step(order.to.version, cluster, running)
        return cluster

    async def _doubts(self, names: list[str], order: UpgradeOrder) -> tuple[str, ...]:
        """What the new etcd may not know of the members, where that is to be done all the same."""
        running = await self._health.running()
        if not pastchanges.skips_repair(order.to.version, (running[name] for name in names)):
            return ()
        found = pastchanges.doubts(self._cluster.spec, await self._listing.everyone())
        if found and not order.force:
            raise pastchanges.lost_changes(
                found,
                order.to.version,
                "--force does it all the same, and compares the list of members afterwards",
            )
        return (f"{'; '.join(found)}: {pastchanges.WHY}",) if found else ()

    async def _meant(self, order: UpgradeOrder, look: Observation) -> tuple[str, ...]:
        names = await self._listing.resolved(order.select, look.candidates, order.seed)
        others = [name for name in names if name not in self._members]
        if others and "all" not in order.select:
            raise InputError(f"{others[0]} is no member, so it has no etcd to be upgraded")
        counted = self._members.counted
        return tuple(name for name in names if name in counted)

    def _down(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if not self._members.processes[name].state.alive}

    async def _check_logs(self, names: list[str], order: UpgradeOrder) -> None:
        if upgrades.reads_old_log(order.to.version):
            return
        for name in names:
            wal_dir = upgrades.wal_dir(as_member(self._members.processes[name].spec))
            if (await asyncio.to_thread(old_requests, wal_dir)).others:
                raise upgrades.old_log(self._members.title(name), order.to.version)

    def _step(self, name: str, new: MemberProcess | None, look: Observation) -> UpgradeStep:
        spec = as_member(self._members.processes[name].spec)
        dropped, added = upgrades.changed_flags(spec, new) if new is not None else ((), ())
        return UpgradeStep(
            process=name,
            member=self._members.title(name),
            before=upgrades.version_of(spec),
            after=upgrades.version_of(new or spec),
            dropped=dropped,
            added=added,
            leads=look.leader == name,
            done=new is not None,
        )


def _together(
    verdicts: list[Verdict], plan: UpgradePlan, outcome: UpgradeOutcome, commands: tuple[str, ...]
) -> Verdict:
    """One verdict of those of the members: from the first one's beginning to the last one's end."""
    targets = tuple(step.member for step in plan.steps)
    if not verdicts:
        return Verdict(verb=VERB, targets=targets, upgrade=outcome)
    first, last = verdicts[0], verdicts[-1]
    processes: tuple[Target, ...] = tuple(
        target for verdict in verdicts for target in verdict.processes
    )
    return replace(
        last,
        targets=targets,
        processes=processes,
        leader_before=first.leader_before,
        term_before=first.term_before,
        leader_gap_s=_longest(verdict.leader_gap_s for verdict in verdicts),
        read_gap_s=_longest(verdict.read_gap_s for verdict in verdicts),
        settled=all(verdict.settled for verdict in verdicts),
        equivalents=commands,
        upgrade=outcome,
    )


def _longest(gaps: Iterable[float | None]) -> float | None:
    return max((gap for gap in gaps if gap is not None), default=None)
