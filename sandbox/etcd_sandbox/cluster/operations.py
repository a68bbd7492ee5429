"""What a living cluster is asked and ordered through the control API: status, verbs, upgrades, another plan."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import to_builtins
from msgspec.structs import replace

from etcd_sandbox.cluster.availability import Availability
from etcd_sandbox.cluster.listing import Listing
from etcd_sandbox.cluster.measure import Measure
from etcd_sandbox.cluster.membership import Membership
from etcd_sandbox.cluster.monitor import Monitor
from etcd_sandbox.cluster.orders import Orders
from etcd_sandbox.cluster.overview import Overview
from etcd_sandbox.cluster.probe import LOST_S, Probe
from etcd_sandbox.cluster.upgrading import Upgrading
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.model.access import as_text
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.selector import needs_roles
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.model.state import ClusterStatus, Detail, ProcessState
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.plan.changes import Changes, compare

if TYPE_CHECKING:
    from etcd_sandbox.cluster.cluster import Cluster


DETAIL_DEADLINE_S = 0.5
"""What a member has for its list of peers and its figures, a page of 150 KB."""

MOVED_WITHIN_S = 30.0
"""What members may take that get another peer URL, all together."""

_log = logging.getLogger(__name__)


class Operations:
    """Operations on one cluster, as its members answer.

    Each of its parts is for whom it concerns: `availability`, `membership`, `monitor`, `upgrading`.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._members = members = cluster.members
        reads = Probe(members.gateway.linearizable_read, lambda: members.served)
        writes = Probe(members.gateway.empty_write, lambda: members.served, lost_s=LOST_S)
        measure = Measure(members, reads, writes)
        self._overview = Overview(members, cluster.introduction.told)
        self._listing = Listing(cluster)
        self.membership = Membership(cluster)
        self._orders = Orders(cluster, measure, self.membership, self._listing)
        self.upgrading = Upgrading(cluster, measure, self._listing)
        self.availability = Availability(
            members.gateway, lambda: members.served, reads, members.raft
        )
        self.monitor = Monitor(members, cluster.bus)

    # Asking.

    async def status(self, *, with_hash: bool = False) -> ClusterStatus:
        """The cluster now."""
        status = await self._overview.status(self._cluster.spec.name, with_hash=with_hash)
        return replace(status, log_loss=self._cluster.logbook.loss)

    async def detail(self, name: str) -> Detail:
        """One process from near, by its name; a member is asked for its peers and its figures.

        Raises InputError for a name that is none.
        """
        (own, *others) = await self.select([name])
        if others:
            raise InputError(f"{name!r} means several processes", hint="name one of them")
        process, gateway = self._members.processes[own], self._members.gateway
        spec, member = process.spec, process.spec.member
        peers = metrics = None
        if member is not None and self._members.runs(own):
            place = member.metrics_url or member.client_url
            peers, metrics = await asyncio.gather(
                gateway.members(member.client_url, DETAIL_DEADLINE_S),
                gateway.metrics(place, DETAIL_DEADLINE_S),
            )
        return Detail(
            process=own,
            state=process.state,
            argv=spec.argv,
            cwd=spec.cwd,
            env=spec.env,
            env_drop=spec.env_drop,
            exit=process.exit,
            member=member,
            peers=peers,
            metrics=metrics,
        )

    async def select(self, words: Sequence[str]) -> tuple[str, ...]:
        """The processes that the words mean, by fresh answers where they take any."""
        look = await self._members.look(ask=needs_roles(words))
        return await self._listing.resolved(words, look.candidates)

    # Acting.

    async def act(self, order: Order) -> Verdict:
        """Carry out one order (see `Orders.carry_out`)."""
        if order.verb.changes_members:
            self._check_not_upgrading()
        work = asyncio.ensure_future(self._orders.carry_out(order))
        if order.verb.changes_members:
            # Whoever asked may go: a change of the members is done whole, or undone.
            self._cluster.keep(work, _answered)
            verdict = await asyncio.shield(work)
        else:
            verdict = await work
        self.monitor.look_soon()
        return verdict

    def _check_not_upgrading(self) -> None:
        if self.upgrading.is_under_way:
            raise SandboxError(
                "the members cannot be changed while an upgrade is under way",
                hint="etcd-sandbox events -f shows how far it is",
            )

    # Following the plan.

    async def apply(self, wanted: ClusterSpec, *, dry_run: bool) -> dict[str, object]:
        """Make the running set match; what changed, came and went, by process name.

        Raises SandboxError for what a running cluster does not take, unless it is a dry run.
        """
        changes = compare(self._cluster.spec, wanted, await self._listing.peer_urls())
        refusal = _refusal_of(wanted, changes)
        if not dry_run:
            if refusal is not None:
                raise refusal
            await self._follow(wanted, changes)
        return _told(changes, refusal)

    async def _follow(self, wanted: ClusterSpec, changes: Changes) -> None:
        """Move, stop, restart and start the processes that changed, went and came, and no other."""
        cluster, processes = self._cluster, self._cluster.supervisor.processes
        names = {each.process for each in changes.moved}
        if moved := [process for process in wanted.members if process.name in names]:
            self._check_not_upgrading()
            await self.membership.move(moved, time.monotonic() + MOVED_WITHIN_S)
        for name in changes.went:
            await processes[name].stop()
            cluster.supervisor.remove(name)
            self._members.drop(name)
        cluster.spec = wanted
        specs = {spec.name: spec for spec in wanted.processes}
        for spec in (specs[name] for name in (*changes.changed, *changes.came)):
            old = processes.get(spec.name)
            runs = old is None or old.state.alive or old.state is ProcessState.BACKOFF
            if old is not None:
                await old.stop()
                old.adopt(spec)
            else:
                cluster.supervisor.add(spec)
            self._members.add(spec)
            if runs:
                await cluster.verbs.start([processes[spec.name]])
        cluster.supervisor.arrange(process.name for process in wanted.processes)
        cluster.adopt(wanted)


def _answered(work: asyncio.Future[Verdict]) -> None:
    """Whoever asked was told of the error, if it is still there."""
    if not work.cancelled() and (error := work.exception()) is not None:
        _log.info("%s", error)


def _refusal_of(wanted: ClusterSpec, changes: Changes) -> SandboxError | None:
    """Why a running cluster does not take the changes; None when it does."""
    if not changes.refused:
        return None
    return SandboxError(
        f"the {changes.refused} of a running cluster cannot be changed by its file",
        wanted.source.path,
        "etcd-sandbox down, then etcd-sandbox up --fresh starts a new cluster as the file says",
    )


def _told(changes: Changes, refusal: SandboxError | None) -> dict[str, object]:
    """What changed, came and went, by process name, and the same in one line."""
    line = changes.one_line()
    if refusal is not None:
        line = f"{line} ({changes.refused} changed: {refusal.hint})".lstrip()
    return {**to_builtins(changes, enc_hook=as_text), "line": line}
