"""Whether the cluster is whole, so that one of its members may be taken away."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.state import ProcessState

if TYPE_CHECKING:
    from etcd_sandbox.cluster.monitor import Monitor
    from etcd_sandbox.cluster.roster import Roster
    from etcd_sandbox.etcd.answers import StatusAnswer
    from etcd_sandbox.supervise.supervisor import Supervisor

LOOK_EVERY_S = 0.05

_MAY_HEAL = (ProcessState.RUNNING, ProcessState.STARTING)

_MENDS = {
    "is paused": "etcd-sandbox resume {}",
    "has an alarm": "etcd-sandbox ctl alarm list",
    "does not answer": "etcd-sandbox status",
    "knows no leader": "etcd-sandbox status, and etcd-sandbox heal if links are cut",
}
_START = "etcd-sandbox start {}"


class Wholeness:
    """Looks at the members of one cluster before one of them goes."""

    def __init__(self, supervisor: Supervisor, roster: Roster, monitor: Monitor) -> None:
        self._supervisor = supervisor
        self._roster = roster
        self._monitor = monitor

    @property
    def counted(self) -> tuple[str, ...]:
        """The members that are in the cluster, by process name."""
        return tuple(
            name
            for name in self._roster.names
            if not self._roster.is_outsider(name)
            and self._supervisor.processes[name].state is not ProcessState.REMOVED
        )

    async def check_without(self, name: str, patience_s: float) -> None:
        """All members but this one are healthy, within the time; else raises SandboxError, naming them.

        One that is down is not taken away: it needs a quorum to come back to, no more.
        """
        if not self._supervisor.processes[name].state.alive:
            if not self._could_return(name):
                raise SandboxError(
                    f"{self._name(name)} has no quorum to come up with: too few members run",
                    hint="etcd-sandbox start all, then run the same command again",
                )
            return
        deadline = time.monotonic() + patience_s
        while True:
            answers = await self._monitor.ask()
            ailing = {
                other: self._ailment(other, answers.get(other))
                for other in self.counted
                if other != name
            }
            ailing = {other: why for other, why in ailing.items() if why}
            waits = all(self._supervisor.processes[other].state in _MAY_HEAL for other in ailing)
            if not ailing:
                return
            if not waits or time.monotonic() >= deadline:
                raise self._not_well(name, ailing)
            await asyncio.sleep(LOOK_EVERY_S)

    def _could_return(self, name: str) -> bool:
        voters = [other for other in self.counted if self._roster.may_vote(other)]
        processes = self._supervisor.processes
        up = sum(other == name or processes[other].state in _MAY_HEAL for other in voters)
        return up >= len(voters) // 2 + 1

    def _ailment(self, name: str, answer: StatusAnswer | None) -> str:
        """What is wrong with a member; nothing if it is well."""
        state = self._supervisor.processes[name].state
        if state is not ProcessState.RUNNING:
            return f"is {state}"
        if answer is None:
            return "does not answer"
        if answer.alarms:
            return "has an alarm"
        return "" if answer.leader is not None else "knows no leader"

    def _not_well(self, name: str, ailing: dict[str, str]) -> SandboxError:
        words = ", ".join(f"{self._name(other)} {why}" for other, why in ailing.items())
        stays = (o for o in ailing if self._supervisor.processes[o].state not in _MAY_HEAL)
        # One that is only late will be well again by itself.
        first = next(stays, next(iter(ailing)))
        mend = _MENDS.get(ailing[first], _START).format(self._name(first))
        return SandboxError(
            f"{self._name(name)} stays as it is, since {words}: an upgrade takes one member away at "
            "a time, and only from a cluster that is whole",
            hint=f"{mend}, then run the same command again; it goes on where it was",
        )

    def _name(self, process: str) -> str:
        return self._roster.member(process).name
