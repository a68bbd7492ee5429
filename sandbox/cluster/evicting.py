"""Takes members off etcd's list that are no process of ours: never started, or brought back by an upgrade."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from sandbox.cluster.memberlist import Report
from sandbox.cluster.surroundings import Surroundings
from sandbox.errors import SandboxError, TimedOut
from sandbox.etcd.gateway import Refusal
from sandbox.etcd.version import parse, series
from sandbox.model.detail import Peer
from sandbox.model.event import Kind
from sandbox.model.spec import PastKind
from sandbox.model.state import ProcessState
from sandbox.model.verdict import Target
from sandbox.plan.listed import panics_at_removal, stranger_words
from sandbox.plan.pastchanges import READS_DATABASE

if TYPE_CHECKING:
    from sandbox.supervise.supervisor import Supervised

ANSWER_WITHIN_S = 1.0
LOOK_EVERY_S = 0.05


class Evicting:
    """Members of one cluster that run elsewhere, or nowhere. Deadlines are monotonic."""

    def __init__(self, at: Surroundings) -> None:
        self._at = at

    async def take_off(self, peer: Peer, deadline: float, report: Report, *, force: bool) -> None:
        """Off the list; members that end of it are started again.

        Raises SandboxError for one whose removal would end every member, unless `force`.
        """
        up = [
            process
            for name, process in self._at.supervisor.processes.items()
            if name in self._at.roster and process.state.alive
        ]
        if not force:
            await self._check_harmless(peer)
        try:
            await self._at.listed.remove(peer.id, peer.id, deadline, report)
        except SandboxError:
            fallen = [process for process in up if not process.state.alive]
            if not fallen:
                raise
            await self._start_again(fallen, deadline)
            if any(each.id == peer.id for each in await self._at.listed.now(deadline)):
                raise
            names = ", ".join(self._at.name(process.name) for process in fallen)
            report.notes.append(
                f"{names} panicked at that, since the old list of members does not have it, and "
                f"{'was' if len(fallen) == 1 else 'were'} started again"
            )
        self._at.remember(PastKind.REMOVED, peer.name or peer.id, peer.id)
        self._at.bus.publish(Kind.MEMBER_REMOVED, peer.id, id=peer.id)
        report.equivalents.append(f"etcdctl member remove {peer.id}")

    async def _check_harmless(self, peer: Peer) -> None:
        versions = {
            member.etcd.version for _, member in self._at.roster.items() if member.etcd is not None
        }
        fatal = [version for version in versions if panics_at_removal(peer, version)]
        if not fatal or not self._began_before() or await self._is_there(peer):
            return
        raise SandboxError(
            f"{stranger_words(peer)} may be a removed member that the upgrade to etcd "
            f"{series(fatal[0])} brought back: etcd {series(fatal[0])} panics in every member when "
            "such a one is removed",
            hint="etcd-sandbox upgrade all --to 3.7 first, which removes it without harm; --force "
            "removes it now, and starts the members again",
        )

    def _began_before(self) -> bool:
        """Whether the data is of a time when etcd had two lists of members."""
        return any(
            parse(version) < READS_DATABASE
            for _, member in self._at.roster.items()
            for version in member.upgraded_from
        )

    async def _is_there(self, peer: Peer) -> bool:
        """Whether it runs: a member of another supervisor, say."""
        answers = await asyncio.gather(
            *(self._at.gateway.status(url, ANSWER_WITHIN_S) for url in peer.client_urls)
        )
        # A member that refuses to tell who it is, is there.
        return any(
            isinstance(answer, Refusal) or (answer is not None and answer.member_id == peer.id)
            for answer in answers
        )

    async def _start_again(self, fallen: list[Supervised], deadline: float) -> None:
        try:
            async with asyncio.timeout(max(1.0, deadline - time.monotonic())):
                await self._at.verbs.start(fallen)
        except TimeoutError:
            raise TimedOut(
                "the members panicked at the removal, and were not ready in time again",
                hint="etcd-sandbox status",
            ) from None
        # Who has come back is on the list, and counts for the quorum: nobody would be waited for.
        while (await self._at.monitor.look()).leader is None:
            if time.monotonic() >= deadline:
                raise TimedOut("no member leads since the removal", hint="etcd-sandbox status")
            await asyncio.sleep(LOOK_EVERY_S)


def evicted(peer: Peer) -> Target:
    """What became of it, where it was done."""
    return Target(
        process=peer.id,
        member=None,
        pid=None,
        before=ProcessState.STOPPED,
        state=ProcessState.REMOVED,
        was_leader=False,
        done=True,
    )
