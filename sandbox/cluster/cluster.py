"""One living cluster: starts it, acts on it by selector, follows its plan, ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sandbox.cluster import ordering, record
from sandbox.cluster.monitor import Monitor
from sandbox.cluster.raft import RaftWatch
from sandbox.cluster.readiness import ClusterReadiness, MemberReadiness, how_it_ended
from sandbox.cluster.roster import Roster
from sandbox.cluster.verbs import Verbs
from sandbox.errors import SandboxError
from sandbox.etcd.raftlog import SignKind, scan
from sandbox.model.event import Event, Kind
from sandbox.model.selector import NoLeader, needs_roles, resolve
from sandbox.model.spec import After, ClusterSpec
from sandbox.model.state import ClusterStatus, ProcessState
from sandbox.paths import ClusterPaths
from sandbox.plan.changes import Changes, compare
from sandbox.supervise import lifecycle
from sandbox.supervise.bus import Bus
from sandbox.supervise.ledger import Ledger
from sandbox.supervise.logbook import Logbook
from sandbox.supervise.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.etcd.gateway import Gateway

LEADER_POLL_S = 0.05

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
        self._verbs = Verbs(
            self._supervisor, self._roster, self._serving, lambda: self._raft.leader
        )
        wanted = spec.wanted_processes
        self._at_ready = [process for process in wanted if process.after is After.READY]
        self._at_start = [process for process in wanted if process.after is After.START]
        self._readiness = ClusterReadiness(
            self._supervisor, tuple(self._at_start), bus, self._start_the_rest
        )
        self._monitor: Monitor | None = None
        self._member_readiness: MemberReadiness | None = None
        self._serve_clients: set[str] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self._shutting_down: asyncio.Task[None] | None = None
        self._ending_hard = False
        self._purge = False
        bus.listen(self._on_event)

    # Beginning.

    def begin(self) -> asyncio.Task[object]:
        """Execute what is wanted, in the fastest order; the task ends when all are executed."""
        if not self._at_start:
            self._start_the_rest()
        return self._spawn(ordering.start(self._supervisor, self._serving, self._at_start))

    def attach(self, gateway: Gateway) -> None:
        """Ask the members from now on."""
        self._monitor = Monitor(self._supervisor, self._roster, self.bus, gateway)
        self._member_readiness = MemberReadiness(self._supervisor, self._roster, gateway)
        for name, process in self._supervisor.processes.items():
            if process.state is ProcessState.STARTING and process.life.pid is not None:
                self._member_readiness.started(name)
                if name in self._serve_clients:
                    self._member_readiness.serves(name)
        self._spawn(self._monitor.watch(self.spec.name))

    async def ready(self, timeout_s: float) -> dict[str, object]:
        """Wait for what `begin` began; see `ClusterReadiness.wait`."""
        return await self._readiness.wait(timeout_s)

    # Asking.

    async def status(self, *, with_hash: bool = False) -> ClusterStatus:
        """The cluster now."""
        return await self._asker.status(self.spec.name, with_hash=with_hash)

    async def select(self, words: Sequence[str], timeout_s: float) -> tuple[str, ...]:
        """The processes that the words mean, by fresh answers.

        `leader` waits for one as long as a quorum of members runs.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            candidates = await self._asker.candidates(with_roles=needs_roles(words))
            try:
                return resolve(words, candidates)
            except NoLeader:
                if not self._verbs.quorum_runs() or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(LEADER_POLL_S)

    # Acting.

    async def act(
        self, verb: str, words: Sequence[str], signal_number: int, timeout_s: float
    ) -> dict[str, object]:
        """Do one verb to the selected processes; what became of each (see `ControlClient.act`)."""
        names = await self.select(words, timeout_s)
        done = await self._verbs.act(verb, names, signal_number, timeout_s)
        if self._monitor is not None:
            self._monitor.look_soon()
        return done

    # Following the plan.

    async def apply(self, wanted: ClusterSpec, *, dry_run: bool) -> dict[str, object]:
        """Make the running set match; what changed, came and went, by process name.

        Raises SandboxError when the member list differs and it is not a dry run.
        """
        changes = compare(self.spec, wanted)
        line = changes.one_line()
        refusal = SandboxError(
            "the member list of a running cluster cannot be changed by its file",
            wanted.source.path,
            "etcd-sandbox down, then etcd-sandbox up --fresh starts a cluster with the new members",
        )
        if changes.members_changed:
            if not dry_run:
                raise refusal
            line = f"{line} (member list changed: {refusal.hint})"
        elif not dry_run:
            await self._follow(wanted, changes)
        return {
            "changed": list(changes.changed),
            "came": list(changes.came),
            "went": list(changes.went),
            "members_changed": changes.members_changed,
            "line": line,
        }

    async def _follow(self, wanted: ClusterSpec, changes: Changes) -> None:
        for name in changes.went:
            await self._supervisor.processes[name].stop()
            self._supervisor.remove(name)
            self._roster.drop(name)
        self.spec = wanted
        for name in (*changes.changed, *changes.came):
            spec = wanted.process(name)
            if spec is None:
                continue
            old = self._supervisor.processes.get(name)
            runs = old is None or old.state.alive or old.state is ProcessState.BACKOFF
            if old is not None:
                await old.stop()
                old.adopt(spec)
            else:
                self._supervisor.add(spec)
            self._roster.add(spec)
            if runs:
                await self._verbs.start([self._supervisor.processes[name]])
        self._supervisor.arrange(process.name for process in wanted.processes)
        record.write(self._paths, wanted)

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

    async def _end(self) -> None:
        self._readiness.give_up()
        if self._member_readiness is not None:
            self._member_readiness.close()
        for task in list(self._tasks):
            task.cancel()
        names = list(self._supervisor.processes)
        try:
            if self._ending_hard:
                self._spawn(self._kill_all())
                await self._supervisor.stop_all(names)
            else:
                known = await self._leader_for_stop()
                await ordering.stop(
                    self._supervisor, self._roster, names, lambda: self._raft.leader or known
                )
            if self.spec.ephemeral or self._purge:
                await asyncio.to_thread(record.wipe, self._paths)
        except SandboxError as error:
            _log.error("%s", error)
        finally:
            self.bus.publish(Kind.CLUSTER_STOPPED, exit_code=self.exit_code)
            self.ended.set()

    async def _leader_for_stop(self) -> str | None:
        """Who leads, by the logs; asked for only where they do not say (logs in a file)."""
        if self._raft.leader is not None or self._monitor is None or not len(self._roster):
            return self._raft.leader
        with contextlib.suppress(SandboxError):
            found = resolve(["leader"], await self._monitor.candidates(with_roles=True))
            return found[0]
        return None

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
                    self._serving.tell(process)
                case SignKind.CLIENT_SERVING | SignKind.PUBLISHED:
                    self._serving.tell(process)
                    self._serve_clients.add(process)
                    if self._member_readiness is not None:
                        self._member_readiness.serves(process)
                case SignKind.REMOVED:
                    self._spawn(self._supervisor.processes[process].feed(lifecycle.Removed()))
                    self.bus.publish(Kind.MEMBER_REMOVED, self._roster.member(process).name)
                case _:
                    self._raft.take(process, sign)

    def _on_event(self, event: Event) -> None:
        process = event.fields.get("process")
        if event.kind is Kind.PROCESS_STARTED and self._member_readiness is not None:
            self._member_readiness.started(str(process))
        elif event.kind is Kind.PROCESS_EXITED:
            self._raft.gone(str(process))
            self._serve_clients.discard(str(process))
            if self._member_readiness is not None:
                self._member_readiness.forget(str(process))
            self._end_on_error(event)
        if self._monitor is not None and event.kind in (
            Kind.PROCESS_EXITED,
            Kind.PROCESS_READY,
            Kind.LEADER_ELECTED,
            Kind.LEADER_LOST,
        ):
            self._monitor.look_soon()
        self._readiness.note(event)

    def _end_on_error(self, event: Event) -> None:
        if not self.spec.exit_on_error or event.fields.get("expected") or self._shutting_down:
            return
        code, number = event.fields.get("code"), event.fields.get("signal")
        if code == 0 or self._supervisor.processes[str(event.fields["process"])].spec.restart != (
            "never"
        ):
            return
        _log.info("%s ended (%s): ending the cluster", event.fields["process"], how_it_ended(event))
        if isinstance(code, int):
            self.shutdown(exit_code=code)
        else:
            self.shutdown(exit_code=128 + signal.Signals[str(number)].value if number else 1)

    def _start_the_rest(self) -> None:
        if self._at_ready:
            waiting, self._at_ready = self._at_ready, []
            self._spawn(ordering.start(self._supervisor, self._serving, waiting))

    @property
    def _asker(self) -> Monitor:
        if self._monitor is None:
            raise SandboxError("the supervisor is still starting", hint="try again in a second")
        return self._monitor

    def _spawn(self, work: object) -> asyncio.Task[object]:
        task: asyncio.Task[object] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a background task failed", exc_info=error)
