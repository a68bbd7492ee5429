"""Many processes: carries out what `lifecycle` decides, one history per process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping

from msgspec.structs import replace

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.obstacle import obstacle
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import ProcessSpec, Restart
from etcd_sandbox.model.state import Exit, ProcessState
from etcd_sandbox.supervise import lifecycle, strays
from etcd_sandbox.supervise.bus import Bus, timestamp
from etcd_sandbox.supervise.ledger import MARK, Ledger
from etcd_sandbox.supervise.lifecycle import Life
from etcd_sandbox.supervise.logbook import Logbook
from etcd_sandbox.supervise.process import AnyChild, child_environment, execute, signal_name
from etcd_sandbox.supervise.strays import LOOKED_AT_EVERY_S, PROCESS_MARK, passed_over

_log = logging.getLogger(__name__)

Execute = Callable[
    [ProcessSpec, Mapping[str, str], Callable[[memoryview], None]], Awaitable[AnyChild]
]

DAEMON_WITHIN_S = 0.3
"""A child that makes itself a daemon has left the process group by then."""

STRAYS_GONE_WITHIN_S = 5.0
_STRAYS_POLL_S = 0.05

TAIL_OF_EXIT = 20
"""How many last log lines the event of an unexpected exit can be asked for."""


class Supervised:
    """One process of the cluster: its spec, its life, its child while it has one."""

    def __init__(self, spec: ProcessSpec, supervisor: Supervisor) -> None:
        self.spec = spec
        self.life = lifecycle.new_life(spec)
        self.exit: Exit | None = None
        self._supervisor = supervisor
        self._child: AnyChild | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._changed = asyncio.Condition()
        self._serial = asyncio.Lock()
        self._left_something = False
        self.strays_ended = 0
        self._tasks: set[asyncio.Future[None]] = set()

    @property
    def name(self) -> str:
        """The process's name."""
        return self.spec.name

    @property
    def state(self) -> ProcessState:
        """Where it is in its life."""
        return self.life.state

    @property
    def uptime_s(self) -> float | None:
        """Seconds since it was executed; None when it does not run."""
        if not self.life.state.alive or self.life.started_at is None:
            return None
        return time.monotonic() - self.life.started_at

    async def start(self) -> None:
        """Have it running; returns once it was executed. Waits for a stop that is under way."""
        async with self._serial:
            await self._until_not(ProcessState.STOPPING)
            await self._execute_whole()

    async def stop(self, timeout_s: float | None = None) -> None:
        """Have it ended in order, by force after the time; returns when its group is gone."""
        async with self._serial:
            await self._stop(timeout_s)

    async def restart(self, timeout_s: float | None = None) -> None:
        """Stop and start it, with nothing between."""
        async with self._serial:
            await self._stop(timeout_s)
            await self._execute_whole()

    async def crash(self, number: int) -> None:
        """Signal the whole group now; never waits for another verb."""
        self._is_out_of_reach()
        await self.feed(lifecycle.Crash(number))

    def signal(self, number: int) -> None:
        """Signal the whole group now: no step of its life."""
        if self._child is not None:
            self._child.signal(number)

    async def pause(self) -> None:
        """Freeze it (SIGSTOP)."""
        self._is_out_of_reach()
        await self.feed(lifecycle.Pause())

    async def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        await self.feed(lifecycle.Resume())

    def adopt(self, spec: ProcessSpec) -> None:
        """Be this from the next start on; to be called while it rests."""
        self.spec = spec
        self.life = replace(self.life, restart=spec.restart, ready_at_start=spec.member is None)

    def catch_up(self) -> None:
        """Take what it has written so far, where that is not read yet."""
        if self._child is not None:
            self._child.output.catch_up()

    async def wait_for(self, condition: Callable[[Life], bool]) -> None:
        """Return once `condition` holds of its life."""
        async with self._changed:
            await self._changed.wait_for(lambda: condition(self.life))

    async def feed(self, event: lifecycle.Input, moment: float | None = None) -> None:
        """Let its life take one step, and do what follows from it. `moment` is when that came, if not now."""
        now = time.monotonic() if moment is None else moment
        self.life, actions = lifecycle.step(self.life, event, now)
        for action in actions:
            await self._do(action)
        async with self._changed:
            self._changed.notify_all()

    async def _execute_whole(self) -> None:
        # Cancelled half-way, it would be executing for ever, and no stop would come to an end.
        await asyncio.shield(self._spawn(self.feed(lifecycle.Start())))

    async def _stop(self, timeout_s: float | None) -> None:
        patience_s = self.spec.stop_timeout_s if timeout_s is None else timeout_s
        if not self.life.state.alive and self.life.state is not ProcessState.BACKOFF:
            if self._left_something and not self._supervisor.ending:
                await self._end_strays(patience_s)
            return
        if self._is_out_of_reach():
            return
        await self.feed(lifecycle.Stop(patience_s))
        while self.life.state is ProcessState.STOPPING and not self._is_out_of_reach():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._until_not(ProcessState.STOPPING), LOOKED_AT_EVERY_S)

    def _is_out_of_reach(self) -> bool:
        """Whether another user's process is all that is left of it; raises, but where everything ends."""
        left = self._supervisor.left if self._supervisor.ending else None
        return passed_over(self.name, self._child.pid if self._child else None, left)

    async def _until_not(self, state: ProcessState) -> None:
        await self.wait_for(lambda life: life.state is not state)

    async def _do(self, action: lifecycle.Action) -> None:
        match action:
            case lifecycle.Execute():
                await self._execute()
            case lifecycle.Signal(number):
                self.signal(number)
            case lifecycle.WaitPatiently(seconds):
                self._set_timer("patience", seconds, lifecycle.PatienceEnded())
            case lifecycle.WaitBackoff(seconds):
                self._set_timer("backoff", seconds, lifecycle.BackoffEnded())
            case lifecycle.Tell(what):
                self._tell(what)

    async def _execute(self) -> None:
        on_lines = self._supervisor.lines_of(self.name)
        environment = child_environment(self.spec, self._supervisor.environment)
        environment[PROCESS_MARK] = self.name
        try:
            child = await self._supervisor.execute(self.spec, environment, on_lines)
        except (OSError, ValueError, SandboxError, RuntimeError) as error:
            # Without a thread to watch it (RuntimeError) it may run: it is ended as what was left.
            self._left_something = isinstance(error, RuntimeError)
            starved = isinstance(error, RuntimeError | BlockingIOError) and obstacle(error)
            why = f"cannot be executed: {starved or getattr(error, 'strerror', None) or error}"
            self.exit = Exit(code=None, signal=None, ts=timestamp(), error=why)
            await self.feed(lifecycle.StartFailed(why))
            return
        self._child = child
        for part, pid in child.pids.items():
            self._supervisor.guard(f"+{pid}")
            self._supervisor.ledger.add(self.name + part, pid)
        await self.feed(lifecycle.Started(child.pid), child.executed.moment)
        self._spawn(self._follow(child))

    async def _follow(self, child: AnyChild) -> None:
        code = await child.main_ended()
        by_itself = self.life.state is not ProcessState.STOPPING
        self.exit = Exit(
            code=code if code >= 0 else None,
            signal=signal_name(-code) if code < 0 else None,
            ts=timestamp(),
            note=lifecycle.note_of_end(self.spec, code, self.uptime_s) if by_itself else None,
        )
        behind = []
        if by_itself and self._may_leave_something and await self._still_there(child):
            left = await asyncio.to_thread(strays.left_by, self.name, self._supervisor.run)
            behind = strays.words(strays.in_group(left, child.pid))
        await self.feed(lifecycle.MainEnded(code))
        if behind:
            self._publish(Kind.PROCESS_LEFT, left=behind, ended=True)
        await child.group_gone()
        if self._may_leave_something and not self._supervisor.ending:
            await self._look_outside()
        for part, pid in child.pids.items():
            self._supervisor.guard(f"-{pid}")
            self._supervisor.ledger.drop(self.name + part)
        self._child = None
        await self.feed(lifecycle.GroupGone())

    async def _still_there(self, child: AnyChild) -> bool:
        """Whether somebody stays in the group: whoever makes itself a daemon needs a moment to leave it."""
        until = time.monotonic() + DAEMON_WITHIN_S
        while there := child.signal(0):
            if time.monotonic() > until or self.life.state is ProcessState.STOPPING:
                break
            await asyncio.sleep(_STRAYS_POLL_S / 10)
        return there

    @property
    def _may_leave_something(self) -> bool:
        """Etcd and our own services do not."""
        return self.spec.is_beside

    async def _look_outside(self) -> None:
        """End what runs outside of the group where the process is to be stopped or started anew, else tell of it."""
        left = await asyncio.to_thread(strays.left_by, self.name, self._supervisor.run)
        self._left_something = bool(left)
        if not left:
            return
        if self.life.forgiven or self.spec.restart is not Restart.NEVER:
            await self._end_strays(self.spec.stop_timeout_s)
        else:
            words = await asyncio.to_thread(strays.words, left)
            self._publish(Kind.PROCESS_LEFT, left=words, ended=False)

    async def _end_strays(self, patience_s: float) -> None:
        """SIGTERM, and SIGKILL after the time, to what this process left outside of its group."""
        asked: set[int] = set()
        kill_at = time.monotonic() + patience_s
        while left := await asyncio.to_thread(strays.left_by, self.name, self._supervisor.run):
            now = time.monotonic()
            for each in left:
                if now >= kill_at:
                    strays.signal_group(each, signal.SIGKILL)
                elif each.pid not in asked:
                    strays.signal_group(each, signal.SIGTERM)
            asked |= {each.pid for each in left}
            if now > kill_at + STRAYS_GONE_WITHIN_S:
                break
            await asyncio.sleep(_STRAYS_POLL_S)
        self.strays_ended += len(asked)
        self._left_something = False

    @property
    def _member(self) -> str | None:
        return self.spec.member.name if self.spec.member is not None else None

    def _publish(self, kind: Kind, **fields: object) -> None:
        self._supervisor.bus.publish(kind, self._member, process=self.name, **fields)

    def _set_timer(self, name: str, seconds: float | None, event: lifecycle.Input) -> None:
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._timers[name] = loop.call_later(seconds, lambda: self._spawn(self.feed(event)))

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the supervision of %s failed", self.name, exc_info=error)

    def _tell(self, what: str) -> None:
        life, bus = self.life, self._supervisor.bus
        member = self._member
        match what:
            case "started":
                executed = self._child.executed.at_us if self._child else time.time_ns() // 1000
                bus.publish_at(
                    executed, Kind.PROCESS_STARTED, member, process=self.name, pid=life.pid
                )
            case "ready":
                after_s = round(self.uptime_s or 0.0, 3)
                self._publish(Kind.PROCESS_READY, pid=life.pid, after_s=after_s)
            case "exited":
                exit_ = self.exit
                self._publish(
                    Kind.PROCESS_EXITED,
                    pid=life.pid,
                    code=exit_.code if exit_ else None,
                    signal=exit_.signal if exit_ else None,
                    error=exit_.error if exit_ else None,
                    expected=life.forgiven,
                    **({"note": exit_.note} if exit_ and exit_.note else {}),
                )
            case "removed":
                bus.publish(Kind.MEMBER_REMOVED, member)
            case "restarting":
                bus.publish(
                    Kind.PROCESS_RESTARTING,
                    member,
                    process=self.name,
                    after_s=life.backoff_s / 2,
                    restarts=life.restarts + 1,
                )
            case "paused":
                bus.publish(Kind.FAULT_APPLIED, member, process=self.name, fault="pause")
            case "resumed":
                bus.publish(Kind.FAULT_HEALED, member, process=self.name, fault="pause")


class Supervisor:
    """The processes of one cluster, by name, in the order of the spec.

    `on_lines(process, chunk)` is told of every chunk of whole lines after it was kept; the chunk is
    valid until it returns. `execute` executes one process.
    `guard` sends one line to the guard. `ending` is to be set before everything is stopped: what
    processes left outside of their groups is the guard's then, and `left` has what could not be ended: pids by name.
    """

    def __init__(
        self,
        specs: Iterable[ProcessSpec],
        *,
        bus: Bus,
        logbook: Logbook,
        ledger: Ledger,
        guard: Callable[[str], None],
        run: str,
        on_lines: Callable[[str, memoryview], None],
        execute: Execute = execute,
    ) -> None:
        self.bus = bus
        self.logbook = logbook
        self.ledger = ledger
        self.guard = guard
        self.run = run
        self.ending = False
        self.left: dict[str, int] = {}
        self.environment = dict(os.environ) | {MARK: run}
        self._on_lines = on_lines
        self.execute = execute
        self.processes: dict[str, Supervised] = {}
        for spec in specs:
            self.add(spec)

    def add(self, spec: ProcessSpec) -> Supervised:
        """Take over one more process; it is not started."""
        self.processes[spec.name] = Supervised(spec, self)
        return self.processes[spec.name]

    def remove(self, name: str) -> None:
        """Forget a process that has ended."""
        del self.processes[name]

    def arrange(self, names: Iterable[str]) -> None:
        """Put the processes into this order, those that are not named behind the others."""
        self.processes = {name: self.processes[name] for name in names} | self.processes

    def lines_of(self, name: str) -> Callable[[memoryview], None]:
        """Where the output of one process goes."""

        def keep(lines: memoryview) -> None:
            self.logbook.append(name, lines)
            try:
                self._on_lines(name, lines)
            except Exception:
                # Whoever looks at the lines must not keep them from being read.
                _log.exception("lines of %s could not be looked at", name)

        return keep

    async def stop_all(self, names: Iterable[str], timeout_s: float | None = None) -> None:
        """Stop these in parallel."""
        await asyncio.gather(*(self.processes[name].stop(timeout_s) for name in names))
