"""The start of a cluster: what is executed when, whether all has come up, and the failure that ends it at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from etcd_sandbox.cluster.readiness import how_it_ended, late_words
from etcd_sandbox.errors import ProcessFailed, SandboxError, TimedOut
from etcd_sandbox.etcd.datadir import has_data
from etcd_sandbox.host.obstacle import STARVED, no_more_processes
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.spec import After, MemberProcess, Restart, members_of
from etcd_sandbox.plan.membership import comes_back, could_be_quorum
from etcd_sandbox.supervise.supervisor import TAIL_OF_EXIT

if TYPE_CHECKING:
    from etcd_sandbox.cluster.cluster import Cluster

JOIN_WITHIN_S = 60.0
"""What a learner of the plan may take to be added and to come up."""

_LIMITS = "the machine's limits may be in the way: ulimit -u and ulimit -n show them"

LINES_OF_A_DUMP = 2000
"""So many lines a Go program may print of its threads when it dies."""

MOST_NAMED = 5
"""So many of the processes that failed alike are named in an error."""

AT_ONCE_S = 0.5
"""A process that fails within this time after its start is told by the start itself."""

HEARD_WITHIN_S = 5.0
"""Nobody may come to hear of it."""


class Starting:
    """Starts what was asked for, and tells once whether all of it has come up.

    A member that ends before it was ready decides that as well: its last lines go with the error.
    Members whose change was interrupted are started beside the others, and not waited for. The last are those
    for whom there is no place, and learners: one of them that ends is told of, and decides nothing.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._spec = spec = cluster.spec
        self._supervisor = cluster.supervisor
        held = {each.process for each in spec.unfinished}
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
        self._last = {process.name for process in (*self._surplus, *self._to_join)}
        self._members = {process.name for process in members_of(self._at_start)} | self._last
        self._waiting = {process.name for process in self._at_start}
        self._late: frozenset[str] = frozenset()
        self._unexecuted: dict[str, str] = {}
        self._warnings: list[str] = []
        if not self._at_start:
            # They alone were asked for, and are started at once.
            self._take_last()
        self._can_be_ready = could_be_quorum(tuple(self._at_start), spec, tuple(self._again))
        self._began = time.monotonic()
        self._outcome: asyncio.Future[dict[str, object]] = (
            asyncio.get_running_loop().create_future()
        )
        if not self._waiting:
            self._outcome.set_result({"ready": True, "ready_s": 0.0})

    # What is started when.

    async def begin(self) -> None:
        """Execute what is wanted, in the fastest order."""
        cluster = self._cluster
        if not self._at_start:
            self._start_the_rest()
        opening = asyncio.ensure_future(self._start_links())
        try:
            services = [self._supervisor.processes[each.name] for each in self._spec.services]
            await asyncio.gather(*(service.start() for service in services))
            await cluster.introduction.prepare()
        except SandboxError as error:
            self.fail(error)
            return
        finally:
            await opening
        first = [*self._at_start, *self._again]
        if not self._at_start and self._surplus:
            self._start_the_last()
        elif cluster.introduction.starts_together:
            await cluster.ordering.start_together(first)
        elif cluster.links is not None and all(each.member.link for each in self._spec.members):
            await cluster.ordering.start_apart(first)
        else:
            await cluster.ordering.start(first)
        if cluster.links is not None:
            cluster.links.open()

    async def _start_links(self) -> None:
        if self._cluster.links is not None:
            await self._cluster.links.start()

    def _start_the_rest(self) -> None:
        if self._at_ready:
            waiting, self._at_ready = self._at_ready, []
            self._cluster.spawn(self._cluster.ordering.start(waiting))

    def _start_the_last(self) -> None:
        self._cluster.spawn(self._cluster.ordering.start_together(self._surplus))
        if self._to_join:
            self._cluster.spawn(self._join_the_learners())

    async def _join_the_learners(self) -> None:
        for process in self._to_join:
            try:
                await self._cluster.members.opened.wait()
                await self._cluster.operations.membership.join(
                    process.name, time.monotonic() + JOIN_WITHIN_S
                )
            except SandboxError as error:
                self.fail(error)
                return

    # Whether it has come up.

    async def wait(self, timeout_s: float) -> dict[str, object]:
        """`{"ready": true, "ready_s": 0.41}`, or why there is nothing to wait for.

        `warnings` tell of the last members that did not come up.
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
                hint=self._cluster.introduction.lack()
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
            self._start_the_rest()
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
        if self._last:
            self._take_last()
            self._start_the_last()
            return
        ready_s = round(time.monotonic() - self._began, 3)
        warnings: dict[str, Any] = {"warnings": self._warnings} if self._warnings else {}
        self._cluster.bus.publish(
            Kind.CLUSTER_READY,
            after_s=ready_s,
            bootstrap=self._spec.bootstrap.value,
            **warnings,
        )
        self._outcome.set_result({"ready": True, "ready_s": ready_s, **warnings})

    def _take_last(self) -> None:
        self._waiting, self._last = self._last, set()
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
        why = self._cluster.introduction.why_ended(lines) or self._starved(process)
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


class LastWords:
    """The failure that ends a cluster under --exit-on-error, kept until whoever started the cluster has heard of it.

    `fields` tell of it in the last event of the cluster.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._supervisor = cluster, cluster.supervisor
        self._exit_on_error = cluster.spec.exit_on_error
        self._failed = asyncio.Event()
        self._heard = asyncio.Event()
        self._following: set[str] = set()
        self.failure: ProcessFailed | None = None
        self.fields: dict[str, object] = {}

    @property
    def why(self) -> str:
        """Why everything is ended though nobody asked for it; empty where that is not so."""
        return str(self.fields.get("why", ""))

    def of(self, event: Event) -> ProcessFailed | None:
        """The failure that this end of a process is; None for one that ends nothing."""
        process, code = str(event.fields["process"]), event.fields.get("code")
        policy = self._supervisor.processes[process].spec.restart
        if not self._exit_on_error or event.fields.get("expected") or code == 0:
            return None
        if policy is not Restart.NEVER or self.failure is not None:
            return None
        number = event.fields.get("signal")
        status = 128 + signal.Signals[str(number)].value if number else 1
        lines = self._supervisor.logbook.last_lines(process, TAIL_OF_EXIT)
        self.failure = ProcessFailed(
            f"{event.member or process} failed ({how_it_ended(event)})",
            hint=self._cluster.introduction.why_ended(lines)
            or "everything was stopped, as --exit-on-error asks",
            detail=b"\n".join(lines).decode(errors="replace"),
            status=code if isinstance(code, int) else status,
        )
        self.fields = {"why": self.failure.what, "process": process}
        self._failed.set()
        return self.failure

    async def of_the_start(self) -> None:
        """Wait whether something fails at once; raises the failure."""
        if self._exit_on_error:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._failed.wait(), AT_ONCE_S)
        self._heard.set()
        if self.failure is not None:
            raise self.failure

    def follows(self, what: str) -> None:
        """Somebody follows the "logs" or the "events", and will see what there is of them."""
        self._following.add(what)
        if self._following >= {"logs", "events"}:
            self._heard.set()

    async def heard(self) -> None:
        """Return when the failure was heard, if there is one, or nobody came in time."""
        if self.failure is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), HEARD_WITHIN_S)
