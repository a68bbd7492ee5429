"""When a member is ready, and how one that is not is told of."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from etcd_sandbox.cluster.quorum import is_healthy
from etcd_sandbox.etcd.failures import LINES_OF_LOG, log_trouble
from etcd_sandbox.model.event import Event
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.supervise import lifecycle
from etcd_sandbox.supervise.supervisor import Supervisor

if TYPE_CHECKING:
    from etcd_sandbox.cluster.members import Members

SIGN_DEADLINE_S = 1.0
"""How long a member's log is trusted to tell before the member is asked anyway."""

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
