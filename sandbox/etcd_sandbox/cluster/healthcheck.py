"""Whether members are healthy, so that one may be taken away, and which etcd each runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from etcd_sandbox.cluster.members import LOOK_EVERY_S
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.spec import as_member
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.plan.upgrades import version_is_due, version_of

if TYPE_CHECKING:
    from etcd_sandbox.cluster.members import Members
    from etcd_sandbox.etcd.answers import StatusAnswer

ANSWER_DEADLINE_S = 0.5

_MENDS = {
    "is paused": "etcd-sandbox resume {}",
    "has an alarm": "etcd-sandbox ctl alarm list",
    "does not answer": "etcd-sandbox status",
    "knows no leader": "etcd-sandbox status, and etcd-sandbox heal if links are cut",
}
_START = "etcd-sandbox start {}"


class HealthCheck:
    """Looks at the members of one cluster before one of them goes."""

    def __init__(self, members: Members) -> None:
        self._members = members

    async def check_without(self, name: str, patience_s: float) -> None:
        """All members but this one are healthy, within the time; else raises SandboxError, naming them.

        One that is down is not taken away: it needs a quorum to come back to, no more.
        """
        if not self._members.processes[name].state.alive:
            if not self._could_return(name):
                raise SandboxError(
                    f"{self._members.title(name)} has no quorum to come up with: too few members run",
                    hint="etcd-sandbox start all, then run the same command again",
                )
            return
        deadline = time.monotonic() + patience_s

        async def whole() -> bool | None:
            ailing = await self._ailing(name)
            waits = all(self._members.runs(other) for other in ailing)
            if ailing and (not waits or time.monotonic() >= deadline):
                raise self._not_well(name, ailing)
            return None if ailing else True

        await self._members.until(whole)

    async def _ailing(self, name: str) -> dict[str, str]:
        """What is wrong with the members but this one."""
        answers = await self._members.ask()
        others = (other for other in self._members.counted if other != name)
        ailing = {other: self._ailment(other, answers.get(other)) for other in others}
        return {other: why for other, why in ailing.items() if why}

    def _could_return(self, name: str) -> bool:
        voters = [other for other in self._members.counted if self._members.may_vote(other)]
        up = sum(other == name or self._members.runs(other) for other in voters)
        return up >= len(voters) // 2 + 1

    def _ailment(self, name: str, answer: StatusAnswer | None) -> str:
        """What is wrong with a member; nothing if it is well."""
        state = self._members.processes[name].state
        if state is not ProcessState.RUNNING:
            return f"is {state}"
        if answer is None:
            return "does not answer"
        if answer.alarms:
            return "has an alarm"
        return "" if answer.leader is not None else "knows no leader"

    def _not_well(self, name: str, ailing: dict[str, str]) -> SandboxError:
        words = ", ".join(f"{self._members.title(other)} {why}" for other, why in ailing.items())
        stays = (o for o in ailing if not self._members.runs(o))
        # One that is only late will be well again by itself.
        first = next(stays, next(iter(ailing)))
        mend = _MENDS.get(ailing[first], _START).format(self._members.title(first))
        return SandboxError(
            f"{self._members.title(name)} stays as it is, since {words}: an upgrade takes one member away at "
            "a time, and only from a cluster that is whole",
            hint=f"{mend}, then run the same command again; it goes on where it was",
        )

    async def running(self) -> dict[str, str]:
        """What each member runs, by process name; what its plan says where it does not answer."""
        answers = await self._members.ask()
        return {
            name: answers[name].version
            if name in answers
            else version_of(as_member(self._members.processes[name].spec))
            for name in self._members.counted
        }

    async def of_cluster(self) -> str | None:
        """The cluster version (`3.5.0`), None where no member tells it; of several, the highest.

        It is the lowest of the members' minor versions, and rises some seconds after the last one.
        """
        return max(await self._told(), key=parse, default=None)

    async def _told(self) -> list[str]:
        alive = (n for n in self._members.counted if self._members.processes[n].state.alive)
        urls = [self._members.member(name).client_url for name in alive]
        told = await asyncio.gather(
            *(self._members.gateway.cluster_version(url, ANSWER_DEADLINE_S) for url in urls)
        )
        return [version for version in told if version is not None]

    async def risen(
        self,
        before: str | None,
        running: Mapping[str, str],
        timeout_s: float,
        given_up: Callable[[], bool] = lambda: False,
    ) -> str | None:
        """The cluster version once all members have that of what they run, or when the time is over."""
        deadline = time.monotonic() + timeout_s
        now = before
        while version_is_due(now, running.values()):
            if time.monotonic() >= deadline or given_up():
                break
            await asyncio.sleep(LOOK_EVERY_S)
            now = min(await self._told(), key=parse, default=now)
        return now
