"""The failure that ends a cluster under --exit-on-error, kept until whoever started the cluster has heard of it."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from etcd_sandbox.cluster.readiness import how_it_ended
from etcd_sandbox.cluster.ways import way_of
from etcd_sandbox.errors import ProcessFailed
from etcd_sandbox.etcd.failures import cause_and_mend
from etcd_sandbox.model.event import Event
from etcd_sandbox.model.spec import ClusterSpec, Restart
from etcd_sandbox.supervise.supervisor import TAIL_OF_EXIT, Supervisor

AT_ONCE_S = 0.5
"""A process that fails within this time after its start is told by the start itself."""

HEARD_WITHIN_S = 5.0
"""Nobody may come to hear of it."""


class LastWords:
    """The failure, if there was one; `fields` tell of it in the last event of the cluster."""

    def __init__(self, spec: ClusterSpec, supervisor: Supervisor) -> None:
        self._spec = spec
        self._supervisor = supervisor
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
        if not self._spec.exit_on_error or event.fields.get("expected") or code == 0:
            return None
        if policy is not Restart.NEVER or self.failure is not None:
            return None
        number = event.fields.get("signal")
        status = 128 + signal.Signals[str(number)].value if number else 1
        lines = self._supervisor.logbook.last_lines(process, TAIL_OF_EXIT)
        self.failure = ProcessFailed(
            f"{event.member or process} failed ({how_it_ended(event)})",
            hint=way_of(self._spec).explain(self._spec, lines)
            or cause_and_mend(lines)
            or "everything was stopped, as --exit-on-error asks",
            detail=b"\n".join(lines).decode(errors="replace"),
            status=code if isinstance(code, int) else status,
        )
        self.fields = {"why": self.failure.what, "process": process}
        self._failed.set()
        return self.failure

    async def of_the_start(self) -> None:
        """Wait whether something fails at once; raises the failure."""
        if self._spec.exit_on_error:
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
