"""When a member is ready, and when the cluster is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from etcd_sandbox.cluster.quorum import is_healthy
from etcd_sandbox.cluster.ways import way_of
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.etcd.failures import LINES_OF_LOG, cause_and_mend, log_trouble
from etcd_sandbox.host.obstacle import STARVED, no_more_processes
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.spec import ClusterSpec, ProcessSpec, members_of
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.plan.membership import could_be_quorum
from etcd_sandbox.supervise import lifecycle
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.supervisor import TAIL_OF_EXIT, Supervisor

if TYPE_CHECKING:
    from etcd_sandbox.cluster.members import Members

SIGN_DEADLINE_S = 1.0
"""How long a member's log is trusted to tell before the member is asked anyway."""

_LIMITS = "the machine's limits may be in the way: ulimit -u and ulimit -n show them"

LINES_OF_A_DUMP = 2000
"""So many lines a Go program may print of its threads when it dies."""

MOST_NAMED = 5
"""So many of the processes that failed alike are named in an error."""

ASK_TIMEOUT_S = 0.25
ASK_AGAIN_FIRST_S = 0.01
ASK_AGAIN_LAST_S = 0.2


class MemberReadiness:
    """Finds out when each started member serves clients and knows a leader.

    The log line that says so starts the question; a member whose log says nothing
    (`--log-outputs` to a file) is asked from `SIGN_DEADLINE_S` on.
    """

    def __init__(self, members: Members) -> None:
        self._members = members
        self._signs: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def started(self, process: str) -> None:
        """A member was executed."""
        if process in self._members:
            self.forget(process)
            self._signs[process] = asyncio.Event()
            self._tasks[process] = asyncio.create_task(self._confirm(process))

    def serves(self, process: str) -> None:
        """The member's log says that it serves clients."""
        if process in self._signs:
            self._signs[process].set()

    def forget(self, process: str) -> None:
        """The member has ended."""
        if (task := self._tasks.pop(process, None)) is not None:
            task.cancel()

    def close(self) -> None:
        """Ask no more."""
        for process in list(self._tasks):
            self.forget(process)

    async def _confirm(self, process: str) -> None:
        await self._members.opened.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._signs[process].wait(), SIGN_DEADLINE_S)
        supervised = self._members.processes[process]
        pause_s = ASK_AGAIN_FIRST_S
        while supervised.state in (ProcessState.STARTING, ProcessState.PAUSED):
            answer = await self._members.questions.one(process, ASK_TIMEOUT_S)
            if answer is not None and is_healthy(answer):
                if not self._members.is_proxy(process) and answer.member_id:
                    self._members.learn(process, answer.member_id)
                await supervised.feed(lifecycle.Ready())
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, ASK_AGAIN_LAST_S)


class ClusterReadiness:
    """Whether everything that was asked for at the start has come up, told once.

    `began` counts from the first execution. A member that ends before it was ready decides
    the question as well: its last lines go with the error. `lack` says what the way of bootstrap
    waits for. `again` are started as well, and not waited for. `surplus` are started last, by `start_surplus`: one of them that ends is told of,
    and decides nothing.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        wanted: tuple[ProcessSpec, ...],
        bus: Bus,
        on_leader: Callable[[], None],
        lack: Callable[[], str],
        spec: ClusterSpec,
        surplus: tuple[ProcessSpec, ...] = (),
        start_surplus: Callable[[], None] = lambda: None,
        again: tuple[ProcessSpec, ...] = (),
    ) -> None:
        self._supervisor = supervisor
        self._bus = bus
        self._on_leader = on_leader
        self._lack = lack
        self._spec = spec
        self._surplus = {process.name for process in surplus}
        self._start_surplus = start_surplus
        self._warnings: list[str] = []
        self._waiting = {process.name for process in wanted}
        self._unexecuted: dict[str, str] = {}
        self._members = {process.name for process in members_of((*wanted, *surplus))}
        self._late: frozenset[str] = frozenset()
        if not wanted:
            # They alone were asked for, and are started at once.
            self._take_surplus()
        self._can_be_ready = could_be_quorum(wanted, spec, again)
        self._began = time.monotonic()
        self._outcome: asyncio.Future[dict[str, object]] = (
            asyncio.get_running_loop().create_future()
        )
        if not self._waiting:
            self._decide({"ready": True, "ready_s": 0.0})

    async def wait(self, timeout_s: float) -> dict[str, object]:
        """`{"ready": true, "ready_s": 0.41}`, or why there is nothing to wait for.

        `warnings` tell of surplus members that did not come up.
        Raises SandboxError for a member that ended, TimedOut when the time is over.
        """
        if not self._can_be_ready and not self._outcome.done():
            return {
                "ready": False,
                "why": "too few members were started for a quorum: they serve when others join them",
            }
        try:
            return await asyncio.wait_for(asyncio.shield(self._outcome), timeout_s)
        except TimeoutError:
            late = late_words(self._supervisor, sorted(self._waiting))
            raise TimedOut(
                f"not ready within {timeout_s:g} s: {late}",
                hint=self._lack()
                or "it is left running: etcd-sandbox status and etcd-sandbox logs show why",
            ) from None

    def give_up(self) -> None:
        """The cluster is being stopped: whoever waits is told so."""
        if not self._outcome.done():
            self.fail(SandboxError("the cluster was stopped before it was ready"))

    def note(self, event: Event) -> None:
        """Take in one event."""
        process = event.fields.get("process")
        if event.kind is Kind.LEADER_ELECTED:
            self._on_leader()
        elif event.kind is Kind.PROCESS_READY and process in self._waiting:
            self._waiting.discard(str(process))
            self._tell_when_ready()
        elif event.kind is Kind.PROCESS_EXITED and process in self._waiting | self._members:
            # Also one that was ready before others are: the cluster that was asked for is not there.
            self._ended(str(process), event)

    def _tell_when_ready(self) -> None:
        if self._waiting or self._outcome.done():
            return
        if self._unexecuted:
            self.fail(_not_executed(self._unexecuted))
            return
        if self._surplus:
            self._take_surplus()
            self._start_surplus()
            return
        ready_s = round(time.monotonic() - self._began, 3)
        warnings: dict[str, Any] = {"warnings": self._warnings} if self._warnings else {}
        self._bus.publish(
            Kind.CLUSTER_READY,
            after_s=ready_s,
            bootstrap=self._spec.bootstrap.value,
            **warnings,
        )
        self._decide({"ready": True, "ready_s": ready_s, **warnings})

    def _take_surplus(self) -> None:
        self._waiting, self._surplus = self._surplus, set()
        self._late = frozenset(self._waiting)

    def _ended(self, process: str, event: Event) -> None:
        if process not in self._members:
            # What runs beside the cluster may have done its work already.
            self._waiting.discard(process)
            if event.fields.get("error"):
                self._unexecuted[process] = str(event.fields["error"])
            self._tell_when_ready()
            return
        if self._outcome.done() or event.fields.get("expected"):
            return
        lines = self._supervisor.logbook.last_lines(process, TAIL_OF_EXIT)
        why = (
            way_of(self._spec).explain(self._spec, lines)
            or cause_and_mend(lines)
            or self._starved(process)
        )
        if process in self._late:
            self._warnings.append(
                f"{event.member} ended at its start ({how_it_ended(event)})"
                + (f": {why}" if why else "")
            )
            self._waiting.discard(process)
            self._tell_when_ready()
            return
        error = SandboxError(
            f"{event.member} ended while the cluster started ({how_it_ended(event)})",
            hint=why or ("its last lines, above, say why" if lines else _LIMITS),
            detail=b"\n".join(lines).decode(errors="replace"),
        )
        self.fail(error)

    def _starved(self, process: str) -> str:
        """What to do where the machine gave the process no thread; the sign stands above a long dump."""
        said = self._supervisor.logbook.last_lines(process, LINES_OF_A_DUMP)
        if not any(sign in line for line in said for sign in STARVED):
            return ""
        told = no_more_processes()
        return f"{told}: {told.hint}"

    def fail(self, error: SandboxError) -> None:
        """It will not become ready: whoever waits is told why."""
        if self._outcome.done():
            return
        self._outcome.set_exception(error)
        # Nobody may be waiting for it: an exception that is never taken is not an error then.
        self._outcome.exception()

    def _decide(self, outcome: dict[str, object]) -> None:
        self._outcome.set_result(outcome)


def _not_executed(why: Mapping[str, str]) -> SandboxError:
    """The error for processes that were to run beside the members, and could not be executed at all."""
    names = list(why)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    what = f"{', '.join(names[:MOST_NAMED])}{more} {why[names[0]]}"
    return SandboxError(
        what,
        hint="etcd-sandbox check shows the commands and directories; the machine's limits "
        "(ulimit -n, ulimit -u) may be in the way, too",
    )


def how_it_ended(event: Event) -> str:
    """`killed by SIGKILL`, `exit status 1`, or why it could not be executed."""
    fields = event.fields
    if fields.get("error"):
        return str(fields["error"])
    return (
        f"killed by {fields['signal']}" if fields.get("signal") else f"exit status {fields['code']}"
    )


def late_words(supervisor: Supervisor, late: Iterable[str]) -> str:
    """Who of these processes is not up, and what keeps each from its peers where its last lines say so.

    `infra2; infra3, which belongs to another cluster than its peers …`.
    """
    words = []
    for name in late:
        own_name = supervisor.processes[name].spec.own_name
        why = log_trouble(supervisor.logbook.last_lines(name, LINES_OF_LOG))
        words.append(own_name + (f", which {why}" if why else ""))
    return ("; " if any(", " in each for each in words) else ", ").join(words)
