"""Gives one member another etcd: leadership handed over, stopped, started, caught up; or back again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from etcd_sandbox import verbs
from etcd_sandbox.cluster.quorum import applied, is_healthy
from etcd_sandbox.cluster.verbs import SEE_LINES, target_of
from etcd_sandbox.errors import InputError, SandboxError, TimedOut
from etcd_sandbox.etcd.datadir import has_data, old_requests
from etcd_sandbox.etcd.failures import cause_and_mend
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import MemberProcess, ProcessSpec, as_member
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.model.upgrade import MemberUpgrade, UpgradeOrder
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.plan.upgrades import (
    check_step,
    needs_new_log,
    old_log,
    version_of,
    wal_dir,
    with_etcd,
)

if TYPE_CHECKING:
    from etcd_sandbox.cluster.cluster import Cluster
    from etcd_sandbox.cluster.healthcheck import HealthCheck
    from etcd_sandbox.cluster.measure import Measure
    from etcd_sandbox.supervise.supervisor import Supervised

VERB = "upgrade"

STACK_LINES = 200

_SEE_LOGS = "etcd-sandbox logs and etcd-sandbox events show why"


class BinarySwap:
    """Swaps the etcd of members of one cluster."""

    def __init__(self, cluster: Cluster, measure: Measure, health: HealthCheck) -> None:
        self._cluster = cluster
        self._members = cluster.members
        self._measure = measure
        self._health = health

    def wanted(self, name: str, order: UpgradeOrder) -> MemberProcess:
        """The member as it would be executed (see `plan.upgrades.with_etcd`)."""
        spec = as_member(self._members.processes[name].spec)
        return with_etcd(spec, order.to, has_data=has_data(spec.member.data_dir))

    async def swap(
        self, order: UpgradeOrder, name: str, commands: list[str]
    ) -> tuple[MemberUpgrade, Verdict]:
        """Do it to one member, by its process name; its figures, and the verdict on that time.

        What etcdctl would have been told goes into `commands`. Raises SandboxError or TimedOut where
        it did not come up: then it has its old etcd again.
        """
        process = self._members.processes[name]
        old, state, pid = process.spec, process.state, process.life.pid
        is_up = state.alive or await self._returned(process, order.timeout_s)
        deadline = time.monotonic() + order.timeout_s
        async with self._measure.reading(wanted=order.wait) as measured:
            look = await self._members.look()
            measured.begin(look)
            led = look.leader == name
            handed_to = await self._hand_over(name, order, deadline, commands) if led else None
            began = time.monotonic()
            await process.stop()
            if is_up:
                await self._renew_log(process, order, deadline)
            await self._exchange(order, process, deadline, was_up=is_up)
            took_s = time.monotonic() - began
            target = target_of(process, before=state, pid=pid, was_leader=led, done=True)
            verdict = Verdict(verb=VERB, targets=(target.name,), processes=(target,))
            verdict = await measured.verdict(verdict, verbs.RESTART, deadline)
        changed = MemberUpgrade(
            process=name,
            member=self._members.title(name),
            before=version_of(as_member(old)),
            after=version_of(as_member(process.spec)),
            took_s=round(took_s, 3),
            handed_to=handed_to,
            leader_gap_s=verdict.leader_gap_s,
            read_gap_s=verdict.read_gap_s,
            reads=verdict.reads,
            term_before=verdict.term_before,
            term_after=verdict.term_after,
        )
        self._cluster.bus.publish(
            Kind.MEMBER_UPGRADED,
            changed.member,
            process=name,
            after_s=changed.took_s,
            **{"from": changed.before, "to": changed.after},
        )
        return changed, verdict

    async def _returned(self, process: Supervised, timeout_s: float) -> bool:
        """A member that is down comes back with its own etcd first; False where that cannot be executed.

        Its own etcd replays what it had not yet written to its database. A newer one may not know
        those entries: 3.7.3 panics at 3.5's ("unmarshal should never fail") after a kill of 3.6.16.
        """
        try:
            await self._started(process, process.spec, time.monotonic() + timeout_s)
        except SandboxError as error:
            if process.state is ProcessState.FAILED:
                return False
            why, hint, detail = self._why(process.name, error)
            raise SandboxError(
                f"{self._members.title(process.name)} is down, and does not come up with its own etcd "
                f"{version_of(as_member(process.spec))} ({why})",
                hint=hint,
                detail=detail,
            ) from error
        return True

    async def _renew_log(self, process: Supervised, order: UpgradeOrder, deadline: float) -> None:
        """Have the member, which rests, begin a log that the new etcd can read, where it needs one.

        3.6 makes a snapshot when it replays 3.5's cluster version at its start (it takes that for a
        downgrade: `apply.ClusterVersionSet`), and what is before a snapshot nobody replays. So one
        start with its own etcd is enough; one since all are of 3.6 was, too.
        """
        if not needs_new_log(order.to.version):
            return
        where = wal_dir(as_member(process.spec))
        if not (await asyncio.to_thread(old_requests, where)).own:
            return
        await self._started(process, process.spec, deadline)
        await process.stop()
        if (await asyncio.to_thread(old_requests, where)).own:
            await self._started(process, process.spec, deadline)
            raise old_log(self._members.title(process.name), order.to.version)

    async def _exchange(
        self, order: UpgradeOrder, process: Supervised, deadline: float, *, was_up: bool
    ) -> None:
        """Start the member, which rests, with the new etcd; with the old one if that fails."""
        old = process.spec
        try:
            # The cluster version may have risen since it was asked for.
            check_step(
                order.to.version,
                await self._health.of_cluster(),
                {process.name: version_of(as_member(old))},
            )
        except InputError:
            if was_up:
                await self._started(process, old, deadline)
            raise
        try:
            await self._started(process, self.wanted(process.name, order), deadline)
        except SandboxError as error:
            await self._back(order, process, old, error, was_up=was_up)

    async def _started(self, process: Supervised, spec: ProcessSpec, deadline: float) -> None:
        """Start it as `spec`; return when it has caught up. Raises SandboxError, TimedOut among them."""
        if process.spec is not spec:
            process.adopt(spec)
            self._cluster.renew(spec)
        left_s = max(1.0, deadline - time.monotonic())
        try:
            async with asyncio.timeout(left_s):
                await self._cluster.verbs.start([process])
                await self._caught_up(process.name)
        except TimeoutError:
            raise TimedOut(
                f"{process.name} was not healthy within {left_s:.1f} s", hint=_SEE_LOGS
            ) from None

    async def _caught_up(self, name: str) -> None:
        """Wait until the member is healthy and has applied what any had when it was first asked."""
        goal: int | None = None

        async def caught_up() -> bool | None:
            nonlocal goal
            answers = await self._members.ask()
            own = answers.pop(name, None)
            if goal is None and own is not None:
                goal = max((applied(other) for other in answers.values()), default=0)
            if own is not None and is_healthy(own) and applied(own) >= (goal or 0):
                return True
            if not self._members.processes[name].state.alive:
                raise SandboxError(
                    f"{self._members.title(name)} ended after its start", hint=_SEE_LOGS
                )
            return None

        await self._members.until(caught_up)

    async def _back(
        self,
        order: UpgradeOrder,
        process: Supervised,
        old: ProcessSpec,
        error: SandboxError,
        *,
        was_up: bool,
    ) -> None:
        """The new etcd did not come up: the member gets its old one again. Raises what to say of it."""
        name, before = self._members.title(process.name), version_of(as_member(old))
        why, hint, detail = self._why(process.name, error)
        kind = TimedOut if isinstance(error, TimedOut) else SandboxError
        what = f"{name} did not come up with etcd {order.to.version} ({why})"
        await process.stop()
        process.adopt(old)
        self._cluster.renew(old)
        if not was_up:
            raise kind(f"{what}: it is down as before, with etcd {before}", "", hint, detail)
        try:
            await self._started(process, old, time.monotonic() + order.timeout_s)
        except SandboxError as worse:
            raise SandboxError(
                f"{what}, nor with etcd {before} again ({worse})", "", hint, detail
            ) from worse
        raise kind(f"{what}: it runs etcd {before} again", "", hint, detail)

    def _why(self, name: str, error: SandboxError) -> tuple[str, str, str]:
        """Why it did not come up: in a clause, the cause or where to look, and its last lines."""
        # A panic's stack is long: its first line may be above the last ones.
        lines = self._members.last_lines(name, STACK_LINES)
        hint = error.hint if error.hint != SEE_LINES else cause_and_mend(lines) or SEE_LINES
        return error.what, hint, error.detail

    async def _hand_over(
        self, name: str, order: UpgradeOrder, deadline: float, commands: list[str]
    ) -> str | None:
        """Have the leader hand over to a member that is upgraded, if there is one; whom. None: nobody."""
        answers = await self._members.ask()
        able = [
            other
            for other, answer in answers.items()
            if other != name and self._members.may_vote(other) and is_healthy(answer)
        ]
        if not able:
            return None
        heir = next((o for o in able if answers[o].version == order.to.version), able[0])
        hint = f"nothing was done to {self._members.title(name)}: run the same command again"
        commands.append(await self._members.hand_over(name, heir, deadline, hint=hint))
        return self._members.title(heir)
