"""One living cluster: starts it, acts on it by selector, follows its plan, ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from etcd_sandbox.cluster import following, ordering, record
from etcd_sandbox.cluster.faults import Faults
from etcd_sandbox.cluster.lastwords import LastWords
from etcd_sandbox.cluster.peerlinks import make_links
from etcd_sandbox.cluster.raft import RaftWatch
from etcd_sandbox.cluster.readiness import ClusterReadiness
from etcd_sandbox.cluster.roster import Roster
from etcd_sandbox.cluster.upgrading import Upgrade
from etcd_sandbox.cluster.verbs import Verbs
from etcd_sandbox.cluster.voters import Voters
from etcd_sandbox.cluster.ways import way_of
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.etcd.datadir import clear_for_proxy, has_data
from etcd_sandbox.etcd.raftlog import SignKind, scan
from etcd_sandbox.host.planfile import record_plan
from etcd_sandbox.model.access import Credentials
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.selector import needs_roles
from etcd_sandbox.model.service import Bucket
from etcd_sandbox.model.spec import After, ClusterSpec, MemberProcess, members_of
from etcd_sandbox.model.state import ClusterStatus, Detail, LogLoss, ProcessState
from etcd_sandbox.model.upgrade import UpgradeOrder, UpgradePlan
from etcd_sandbox.model.verb import MEMBERSHIP
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.plan.changes import compare
from etcd_sandbox.plan.membership import comes_back
from etcd_sandbox.supervise import lifecycle
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.ledger import Ledger
from etcd_sandbox.supervise.logbook import Logbook
from etcd_sandbox.supervise.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etcd_sandbox.cluster.attached import Attached
    from etcd_sandbox.cluster.upgrading import Upgrade
    from etcd_sandbox.etcd.gateway import Gateway

JOIN_WITHIN_S = 60.0
"""What a learner of the plan may take to be added and to come up."""

MOVED_WITHIN_S = 30.0
"""What members may take that get another peer URL, all together."""

_log = logging.getLogger(__name__)


class Cluster:
    """The processes of one spec, alive.

    Use: `begin()` executes what is wanted; `attach(gateway)` then lets it ask the members;
    `ended` is set when everything has stopped and the supervisor may go, with `exit_code`.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        paths: ClusterPaths,
        *,
        bus: Bus,
        logbook: Logbook,
        ledger: Ledger,
        guard: Callable[[str], None],
        run: str,
    ) -> None:
        self.spec = spec
        self.bus = bus
        self.logbook = logbook
        self.ended = asyncio.Event()
        self.exit_code = 0
        self.lost_directory = False
        self._ledger = ledger
        self._paths = paths
        self._roster = Roster(spec.processes)
        self._raft = RaftWatch(self._roster, bus)
        self._serving = ordering.Serving()
        self._supervisor = Supervisor(
            spec.processes,
            bus=bus,
            logbook=logbook,
            ledger=ledger,
            guard=guard,
            run=run,
            on_lines=self._on_lines,
        )
        self.last_words = LastWords(spec, self._supervisor)
        self._introduction = way_of(spec)(spec, self._supervisor, bus)
        held = {each.process for each in spec.unfinished}
        for process in held:
            self._roster.retire(process)
        wanted = [
            process
            for process in spec.wanted_processes
            if process.service is None and process.name not in held
        ]
        later = [process for process in wanted if process.after is After.READY]
        self._at_ready = [process for process in later if not isinstance(process, MemberProcess)]
        self._surplus = [process for process in members_of(later) if process.is_surplus]
        self._to_join = [process for process in members_of(later) if process.is_to_join]
        self._at_start = [process for process in wanted if process.after is After.START]
        self._again = [
            each
            for each in members_of(spec.wanted_processes)
            if each.name in held and comes_back(each, has_data)
        ]
        self._readiness = ClusterReadiness(
            self._supervisor,
            tuple(self._at_start),
            bus,
            self._start_the_rest,
            self._introduction.lack,
            spec,
            (*self._surplus, *self._to_join),
            self._start_the_last,
            tuple(self._again),
        )
        self._links = make_links(spec.processes, self._supervisor.environment, ledger, guard)
        self._faults = Faults(self._supervisor, self._roster, bus, self._links)
        self._voters = Voters(self._supervisor, self._roster, self._faults)
        self._verbs = Verbs(
            self._supervisor,
            self._roster,
            self._serving,
            self._leader_by_logs,
            self._voters.reaches_quorum,
            lambda lines: way_of(self.spec).explain(self.spec, lines),
            self._introduction,
        )
        self._attached: Attached | None = None
        self._serve_clients: set[str] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self._shutting_down: asyncio.Task[None] | None = None
        self._ending_hard = False
        self._purge = False
        bus.listen(self._on_event)
        logbook.on_loss = self._on_log_loss

    # Beginning.

    def begin(self) -> asyncio.Task[object]:
        """Execute what is wanted, in the fastest order; the task ends when all are executed."""
        if not self._at_start:
            self._start_the_rest()
        return self._spawn(self._begin())

    async def _begin(self) -> None:
        starting = asyncio.ensure_future(self._start_links())
        try:
            services = [self._supervisor.processes[each.name] for each in self.spec.services]
            await asyncio.gather(*(service.start() for service in services))
            await self._introduction.prepare()
        except SandboxError as error:
            self._readiness.fail(error)
            return
        finally:
            await starting
        # Those whose change was interrupted come beside them, and are not waited for.
        first = [*self._at_start, *self._again]
        if not self._at_start and self._surplus:
            self._start_the_last()
        elif self._introduction.starts_together:
            await ordering.start_together(self._supervisor, first)
        elif self._links is None:
            await ordering.start(self._supervisor, self._serving, first)
        elif all(spec.member.link for spec in self.spec.members):
            await ordering.start_apart(self._supervisor, self._serving, first)
        else:
            await ordering.start(self._supervisor, self._serving, first)
        if self._links is not None:
            self._links.open()

    async def _start_links(self) -> None:
        if self._links is not None:
            await self._links.start()

    def attach(self, gateway: Gateway) -> None:
        """Ask the members from now on."""
        # Not at the top: the members need nothing of it, and are executed before it is loaded.
        from etcd_sandbox.cluster.attached import attach

        self._attached = attach(
            gateway,
            spec=lambda: self.spec,
            adopt=self._adopt,
            paths=self._paths,
            bus=self.bus,
            supervisor=self._supervisor,
            roster=self._roster,
            raft=self._raft,
            faults=self._faults,
            voters=self._voters,
            verbs=self._verbs,
            introduction=self._introduction,
        )
        for name, process in self._supervisor.processes.items():
            if process.state is ProcessState.STARTING and process.life.pid is not None:
                self._attached.readiness.started(name)
                if name in self._serve_clients:
                    self._attached.readiness.serves(name)
        self._spawn(self._attached.monitor.watch(self.spec.name))

    def _on_log_loss(self, loss: LogLoss, path: Path) -> None:
        if loss.losing:
            self.bus.publish(Kind.LINES_LOST, why=loss.why, path=str(path))
        else:
            self.bus.publish(Kind.LINES_KEPT, lost_lines=loss.lines)

    async def ready(self, timeout_s: float) -> dict[str, object]:
        """Wait for what `begin` began; see `ClusterReadiness.wait`."""
        try:
            answer = await self._readiness.wait(timeout_s)
        except SandboxError:
            await self.last_words.of_the_start()
            raise
        await self.last_words.of_the_start()
        return answer

    def become(self, user: Credentials) -> None:
        """Ask the members as this user from now on, where authentication is on."""
        self._parts.gateway.login.become(user)

    # Asking.

    async def status(self, *, with_hash: bool = False) -> ClusterStatus:
        """The cluster now."""
        status = await self._parts.overview.status(self.spec.name, with_hash=with_hash)
        return replace(status, log_loss=self.logbook.loss)

    async def detail(self, name: str) -> Detail:
        """One process from near, by its name. Raises InputError for a name that is none."""
        (process, *others) = await self.select([name])
        if others:
            raise InputError(f"{name!r} means several processes", hint="name one of them")
        return await self._parts.overview.detail(process)

    def availability(self, *, writes: bool) -> AsyncGenerator[Bucket, None]:
        """Whether clients are served, from now on (see `Availability.watch`)."""
        return self._parts.availability.watch(writes=writes)

    async def select(self, words: Sequence[str]) -> tuple[str, ...]:
        """The processes that the words mean, by fresh answers where they take any."""
        look = await self._parts.monitor.look(ask=needs_roles(words))
        return await self._parts.listing.resolved(words, look.candidates)

    # Acting.

    async def act(self, order: Order) -> Verdict:
        """Carry out one order (see `Orders.carry_out`)."""
        parts = self._parts
        if order.verb in MEMBERSHIP:
            self._check_not_upgrading()
        work: asyncio.Future[Verdict] = asyncio.ensure_future(parts.orders.carry_out(order))
        if order.verb in MEMBERSHIP:
            # Whoever asked may go: a change of the members is done whole, or undone.
            self._tasks.add(work)  # type: ignore[arg-type]
            work.add_done_callback(self._answered)
            verdict = await asyncio.shield(work)
        else:
            verdict = await work
        parts.monitor.look_soon()
        return verdict

    def _check_not_upgrading(self) -> None:
        if self._parts.upgrading.is_under_way:
            raise SandboxError(
                "the members cannot be changed while an upgrade is under way",
                hint="etcd-sandbox events -f shows how far it is",
            )

    # Upgrading.

    async def plan_upgrade(self, order: UpgradeOrder) -> UpgradePlan:
        """What it would do (see `Upgrading.plan`)."""
        return await self._parts.upgrading.plan(order)

    async def upgrade(self, order: UpgradeOrder) -> Upgrade:
        """Begin it (see `Upgrading.begin`)."""
        if self._parts.membership.is_under_way:
            raise SandboxError(
                "the members are being changed, so none can be upgraded",
                hint="etcd-sandbox events -f shows how far it is",
            )
        return await self._parts.upgrading.begin(order, self._spawn)

    def halt_upgrade(self) -> bool:
        """Have it end after the member that it is at; whether one is under way."""
        return self._attached is not None and self._attached.upgrading.halt()

    def _adopt(self, spec: ClusterSpec) -> None:
        """The plan is this from now on, on disk, too."""
        self.spec = spec
        record_plan(self._paths, spec)

    # Following the plan.

    async def apply(self, wanted: ClusterSpec, *, dry_run: bool) -> dict[str, object]:
        """Make the running set match; what changed, came and went, by process name.

        Raises SandboxError for what a running cluster does not take, unless it is a dry run.
        """
        parts = self._attached
        listed = await parts.listing.peer_urls() if parts is not None else {}
        changes = compare(self.spec, wanted, listed)
        refusal = following.refusal_of(wanted, changes)
        if not dry_run:
            if refusal is not None:
                raise refusal
            if moved := following.moved(wanted, changes):
                self._check_not_upgrading()
                await self._parts.membership.move(moved, time.monotonic() + MOVED_WITHIN_S)
            await following.drop_what_went(changes, self._supervisor, self._roster)
            self.spec = wanted
            await following.take_in_the_rest(
                wanted, changes, self._supervisor, self._roster, self._verbs
            )
            record_plan(self._paths, wanted)
        return following.told(changes, refusal)

    # Ending.

    def shutdown(self, *, kill: bool = False, purge: bool = False, exit_code: int = 0) -> None:
        """Begin to stop everything; `ended` is set when it is done. Again with `kill`: at once."""
        self._purge = self._purge or purge
        if self._shutting_down is None:
            self.exit_code = exit_code
            self._ending_hard = kill or purge or self.spec.ephemeral
            self._shutting_down = asyncio.create_task(self._end())
        elif kill:
            self._ending_hard = True
            self._spawn(self._kill_all())

    def abandon(self, why: str, *, has_directory: bool) -> None:
        """End everything, since nobody could any more, and say why.

        Without its directory nothing is touched there: what is in its place is another cluster's.
        """
        self.last_words.fields = {"why": why}
        self.lost_directory = not has_directory
        if self.lost_directory:
            self._ledger.disown()
        self.shutdown(kill=self.lost_directory, exit_code=1)

    async def _end(self) -> None:
        self._readiness.give_up()
        if self._attached is not None:
            self._attached.readiness.close()
            self._attached.availability.close()
        self._introduction.close()
        for task in list(self._tasks):
            task.cancel()
        names = list(self._supervisor.processes)
        self._supervisor.ending = True
        try:
            if self._ending_hard:
                self._spawn(self._kill_all())
                await self._supervisor.stop_all(names)
            else:
                if self._attached is not None:
                    record.write_left_off(self._paths, await self._attached.monitor.ask())
                known = await self._leader_for_stop()
                await ordering.stop(
                    self._supervisor, self._roster, names, lambda: self._leader_by_logs() or known
                )
            if (self.spec.ephemeral or self._purge) and not self.lost_directory:
                await asyncio.to_thread(record.wipe, self._paths)
        except SandboxError as error:
            _log.error("%s", error)
        finally:
            if self._links is not None:
                self._links.close()
                await self._links.wait_closed()
            lines = self.logbook.loss.lines
            lost: dict[str, Any] = {"lost_lines": lines} if lines else {}
            if left := self._supervisor.left:
                lost["left"] = left
            self.bus.publish(
                Kind.CLUSTER_STOPPED,
                None,
                exit_code=self.exit_code,
                **self.last_words.fields,
                **lost,
            )
            await self.last_words.heard()
            self.ended.set()

    async def _leader_for_stop(self) -> str | None:
        """Who leads, by the logs; asked for only where they do not say (logs in a file)."""
        leader = self._leader_by_logs()
        if leader is not None or self._attached is None or not len(self._roster):
            return leader
        with contextlib.suppress(SandboxError):
            return (await self._attached.monitor.look()).leader
        return None

    def _leader_by_logs(self) -> str | None:
        self._raft.flush()
        return self._raft.leader

    async def _kill_all(self) -> None:
        for process in self._supervisor.processes.values():
            await process.feed(lifecycle.Stop(process.spec.stop_timeout_s))
            await process.crash(signal.SIGKILL)

    # Listening.

    def _on_lines(self, process: str, chunk: memoryview) -> None:
        if process not in self._roster:
            return
        starting = self._supervisor.processes[process].state is ProcessState.STARTING
        for sign in scan(bytes(chunk), starting=starting):
            match sign.kind:
                case SignKind.BOOTSTRAPPED | SignKind.PEER_SERVING:
                    if sign.kind is SignKind.BOOTSTRAPPED:
                        self._roster.joined(process)
                    self._serving.tell(process)
                case SignKind.PROXY:
                    self._roster.became_proxy(process)
                case SignKind.CLIENT_SERVING | SignKind.PUBLISHED:
                    if self._roster.is_proxy(process):
                        self._spawn(self._clear_for_proxy(process))
                    self._serving.tell(process)
                    self._serve_clients.add(process)
                    if self._attached is not None:
                        self._attached.readiness.serves(process)
                case SignKind.REMOVED:
                    self._roster.retire(process)
                    self._spawn(self._supervisor.processes[process].feed(lifecycle.Removed()))
                case _:
                    self._raft.hear(process, sign)

    async def _clear_for_proxy(self, process: str) -> None:
        member = self._roster.member(process)
        if member.data_owned:
            await asyncio.to_thread(clear_for_proxy, member.data_dir)

    def _on_event(self, event: Event) -> None:
        process = event.fields.get("process")
        if event.kind in (Kind.PROCESS_STARTED, Kind.PROCESS_EXITED):
            self._faults.pids_changed()
        if event.kind is Kind.PROCESS_STARTED and self._attached is not None:
            self._attached.readiness.started(str(process))
        elif event.kind is Kind.PROCESS_EXITED:
            self._raft.gone(str(process))
            self._serve_clients.discard(str(process))
            if self._attached is not None:
                self._attached.readiness.forget(str(process))
            self._end_on_error(event)
        if event.kind is Kind.PROCESS_READY:
            self._note_finished(str(process))
        if self._attached is not None and event.kind in (
            Kind.PROCESS_EXITED,
            Kind.PROCESS_READY,
            Kind.LEADER_ELECTED,
            Kind.LEADER_LOST,
            Kind.FAULT_APPLIED,
            Kind.FAULT_HEALED,
        ):
            self._attached.monitor.look_soon()
        self._readiness.note(event)

    def _note_finished(self, process: str) -> None:
        """A member whose change was interrupted, and that is ready all the same, has its place."""
        left = tuple(each for each in self.spec.unfinished if each.process != process)
        changing = self._attached is not None and self._attached.membership.is_under_way
        if left != self.spec.unfinished and not changing:
            self._roster.joined(process)
            self._adopt(replace(self.spec, unfinished=left))

    def _end_on_error(self, event: Event) -> None:
        if self._shutting_down or (failure := self.last_words.of(event)) is None:
            return
        _log.info("%s: ending the cluster", failure)
        self._readiness.fail(failure)
        self.shutdown(exit_code=failure.exit_code)

    def _start_the_rest(self) -> None:
        if self._at_ready:
            waiting, self._at_ready = self._at_ready, []
            self._spawn(ordering.start(self._supervisor, self._serving, waiting))

    def _start_the_last(self) -> None:
        self._spawn(ordering.start_together(self._supervisor, self._surplus))
        if self._to_join:
            self._spawn(self._join_the_learners())

    async def _join_the_learners(self) -> None:
        for process in self._to_join:
            try:
                await self._parts.membership.join(process.name, time.monotonic() + JOIN_WITHIN_S)
            except SandboxError as error:
                self._readiness.fail(error)
                return

    @property
    def _parts(self) -> Attached:
        """Who asks the members; the first answers come a moment after the first member."""
        if self._attached is None:
            raise SandboxError("the supervisor is still starting", hint="try again in a second")
        return self._attached

    def _spawn(self, work: object) -> asyncio.Task[object]:
        task: asyncio.Task[object] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _answered(self, work: asyncio.Future[Verdict]) -> None:
        self._tasks.discard(work)
        if not work.cancelled() and (error := work.exception()) is not None:
            _log.info("%s", error)

    def _finished(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a background task failed", exc_info=error)
