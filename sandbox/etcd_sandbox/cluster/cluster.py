"""One living cluster: starts it, acts on it by selector, follows its plan, ends it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import signal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from etcd_sandbox.cluster import record
from etcd_sandbox.cluster.faults.links import make_links
from etcd_sandbox.cluster.members import Members
from etcd_sandbox.cluster.ordering import Ordering
from etcd_sandbox.cluster.readiness import MemberReadiness
from etcd_sandbox.cluster.runtimes import runtime_of
from etcd_sandbox.cluster.starting import LastWords, Starting
from etcd_sandbox.cluster.verbs import Verbs
from etcd_sandbox.cluster.ways import way_of
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.datadir import clear_for_proxy
from etcd_sandbox.etcd.raftlog import SignKind, scan
from etcd_sandbox.host.planfile import record_plan
from etcd_sandbox.model.access import Credentials
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.spec import ClusterSpec, ProcessSpec
from etcd_sandbox.model.state import LogLoss, ProcessState
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.supervise import lifecycle
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.ledger import Ledger
from etcd_sandbox.supervise.logbook import Logbook
from etcd_sandbox.supervise.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etcd_sandbox.cluster.operations import Operations
    from etcd_sandbox.etcd.gateway import Gateway

_log = logging.getLogger(__name__)


class Cluster:
    """The processes of one spec, alive.

    Use: `begin()` executes what is wanted; `load()` and `watch()` then let it ask the members;
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
        connect: Callable[[], Gateway],
    ) -> None:
        self.spec = spec
        self.bus = bus
        self.logbook = logbook
        self.ended = asyncio.Event()
        self.exit_code = 0
        self.lost_directory = False
        self._ledger = ledger
        self.paths = paths
        self.supervisor = Supervisor(
            spec.processes,
            bus=bus,
            logbook=logbook,
            ledger=ledger,
            guard=guard,
            run=run,
            on_lines=self._on_lines,
            execute=runtime_of(spec).execute,
        )
        self.links = make_links(spec.processes, self.supervisor.environment, ledger, guard)
        self.members = Members(self.supervisor, self.links, bus, connect)
        self.members.faults.begin(spec)
        self.ordering = Ordering(self.supervisor, self.members)
        self.introduction = way_of(spec)(spec, self.supervisor, bus)
        for unfinished in spec.unfinished:
            self.members.retire(unfinished.process)
        self._member_readiness = MemberReadiness(self.members)
        self.verbs = Verbs(self)
        self._tasks: set[asyncio.Future[Any]] = set()
        self._starting = Starting(self)
        self.last_words = LastWords(self)
        self._shutting_down: asyncio.Task[None] | None = None
        self._ending_hard = False
        self._purge = False
        bus.listen(self._on_event)
        logbook.on_loss = self._on_log_loss

    # Beginning.

    def begin(self) -> asyncio.Task[object]:
        """Execute what is wanted, in the fastest order; the task ends when all are executed."""
        return self.spawn(self._starting.begin())

    def load(self) -> None:
        """Import what asks the members, and make their gateway: in a thread, while they start."""
        importlib.import_module("etcd_sandbox.cluster.operations")
        _ = self.members.gateway

    def watch(self) -> None:
        """Ask the members from now on."""
        self.members.opened.set()
        self.spawn(self.operations.monitor.watch())

    @property
    def operations(self) -> Operations:
        """What can be asked and ordered of it. Raises SandboxError before `watch`."""
        if not self.members.opened.is_set():
            raise SandboxError("the supervisor is still starting", hint="try again in a second")
        return self._operations

    @cached_property
    def _operations(self) -> Operations:
        # Not at the top: the members need nothing of it, and are executed before it is loaded.
        from etcd_sandbox.cluster.operations import Operations

        return Operations(self)

    def _on_log_loss(self, loss: LogLoss, path: Path) -> None:
        if loss.losing:
            self.bus.publish(Kind.LINES_LOST, why=loss.why, path=str(path))
        else:
            self.bus.publish(Kind.LINES_KEPT, lost_lines=loss.lines)

    async def ready(self, timeout_s: float) -> dict[str, object]:
        """Wait for what `begin` began; see `Starting.wait`."""
        try:
            answer = await self._starting.wait(timeout_s)
        except SandboxError:
            await self.last_words.of_the_start()
            raise
        await self.last_words.of_the_start()
        return answer

    def become(self, user: Credentials) -> None:
        """Ask the members as this user from now on, where authentication is on."""
        self.members.gateway.login.become(user)

    def adopt(self, spec: ClusterSpec) -> None:
        """The plan is this from now on, on disk, too."""
        self.spec = spec
        record_plan(self.paths, spec)

    def renew(self, process: ProcessSpec) -> None:
        """A process has another spec from its next start on; the plan says so, too."""
        self.members.renew(process)
        now = self.spec.processes
        processes = tuple(process if each.name == process.name else each for each in now)
        self.adopt(replace(self.spec, processes=processes))

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
            self.spawn(self._kill_all())

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
        self._starting.give_up()
        self._member_readiness.close()
        self.members.faults.close()
        if self.members.opened.is_set():
            self.operations.availability.close()
        self.introduction.close()
        for task in list(self._tasks):
            task.cancel()
        names = list(self.supervisor.processes)
        self.supervisor.ending = True
        try:
            if self._ending_hard:
                self.spawn(self._kill_all())
                await self.supervisor.stop_all(names)
            else:
                if self.members.opened.is_set():
                    record.write_left_off(self.paths, await self.members.ask())
                await self.ordering.stop(names, await self._leader_for_stop())
            if (self.spec.ephemeral or self._purge) and not self.lost_directory:
                await asyncio.to_thread(record.wipe, self.paths)
        except SandboxError as error:
            _log.error("%s", error)
        finally:
            if self.links is not None:
                self.links.close()
                await self.links.wait_closed()
            await self.members.faults.wait_closed()
            lines = self.logbook.loss.lines
            lost: dict[str, Any] = {"lost_lines": lines} if lines else {}
            if left := self.supervisor.left:
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
        leader = self.members.leader
        if leader is not None or not self.members.opened.is_set() or not len(self.members):
            return leader
        with contextlib.suppress(SandboxError):
            return (await self.members.look()).leader
        return None

    async def _kill_all(self) -> None:
        for process in self.supervisor.processes.values():
            await process.feed(lifecycle.Stop(process.spec.stop_timeout_s))
            await process.crash(signal.SIGKILL)

    # Listening.

    def _on_lines(self, process: str, chunk: memoryview) -> None:
        if process not in self.members:
            return
        starting = self.supervisor.processes[process].state is ProcessState.STARTING
        for sign in scan(bytes(chunk), starting=starting):
            match sign.kind:
                case SignKind.BOOTSTRAPPED | SignKind.PEER_SERVING:
                    if sign.kind is SignKind.BOOTSTRAPPED:
                        self.members.joined(process)
                    self.ordering.tell(process)
                case SignKind.PROXY:
                    self.members.became_proxy(process)
                case SignKind.CLIENT_SERVING | SignKind.PUBLISHED:
                    if self.members.is_proxy(process):
                        self.spawn(self._clear_for_proxy(process))
                    self.ordering.tell(process)
                    self._member_readiness.serves(process)
                case SignKind.REMOVED:
                    self.members.retire(process)
                    self.spawn(self.supervisor.processes[process].feed(lifecycle.Removed()))
                case _:
                    self.members.raft.hear(process, sign)

    async def _clear_for_proxy(self, process: str) -> None:
        member = self.members.member(process)
        if member.data_owned:
            await asyncio.to_thread(clear_for_proxy, member.data_dir)

    def _on_event(self, event: Event) -> None:
        process = event.fields.get("process")
        if event.kind in (Kind.PROCESS_STARTED, Kind.PROCESS_EXITED):
            self.members.faults.pids_changed()
        if event.kind is Kind.PROCESS_STARTED:
            self._member_readiness.started(str(process))
        elif event.kind is Kind.PROCESS_EXITED:
            self.members.raft.gone(str(process))
            self._member_readiness.forget(str(process))
            self._end_on_error(event)
        if event.kind is Kind.PROCESS_READY:
            self._note_finished(str(process))
        self._starting.note(event)

    def _note_finished(self, process: str) -> None:
        """A member whose change was interrupted, and that is ready all the same, has its place."""
        left = tuple(each for each in self.spec.unfinished if each.process != process)
        if left != self.spec.unfinished and not self.members.changing.locked():
            self.members.joined(process)
            self.adopt(replace(self.spec, unfinished=left))

    def _end_on_error(self, event: Event) -> None:
        if self._shutting_down or (failure := self.last_words.of(event)) is None:
            return
        _log.info("%s: ending the cluster", failure)
        self._starting.fail(failure)
        self.shutdown(exit_code=failure.exit_code)

    def spawn(self, work: object) -> asyncio.Task[object]:
        """Run it until the cluster ends."""
        task: asyncio.Task[object] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self.keep(task, _finished)
        return task

    def keep(self, task: asyncio.Future[Any], done: Callable[[asyncio.Future[Any]], None]) -> None:
        """Have it end with the cluster; `done` hears of its end."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(done)


def _finished(task: asyncio.Future[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a background task failed", exc_info=error)
