"""Takes members off etcd's list that are no process of ours: never started, or brought back by an upgrade."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from etcd_sandbox.cluster.changecontext import ChangeContext, member_of
from etcd_sandbox.cluster.memberlist import Report
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.etcd.answers import Refusal
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import PastKind
from etcd_sandbox.model.state import Peer, ProcessState
from etcd_sandbox.model.verdict import Target
from etcd_sandbox.plan.listed import panics_at_removal, stranger_words
from etcd_sandbox.plan.pastchanges import READS_DATABASE

if TYPE_CHECKING:
    from etcd_sandbox.supervise.supervisor import Supervised

ANSWER_WITHIN_S = 1.0
LOOK_EVERY_S = 0.05


class Evicting:
    """Members of one cluster that run elsewhere, or nowhere. Deadlines are monotonic."""

    def __init__(self, at: ChangeContext) -> None:
        self._at = at

    async def take_off(self, peer: Peer, deadline: float, report: Report, *, force: bool) -> None:
        """Off the list; members that end of it are started again.

        Raises SandboxError for one whose removal would end every member, unless `force`.
        """
        up = [
            process
            for name, process in self._at.members.processes.items()
            if name in self._at.members and process.state.alive
        ]
        if not force:
            await self._check_harmless(peer)
        refusal = None
        try:
            await self._at.listed.remove(peer.id, peer.id, deadline, report)
        except SandboxError as error:
            if all(process.state.alive for process in up):
                raise
            refusal = error
        if refusal is not None or self._may_panic(peer):
            await self._survived(peer, up, deadline, report)
        self._at.remember(PastKind.REMOVED, peer.name or peer.id, peer.id)
        self._at.bus.publish(Kind.MEMBER_REMOVED, peer.id, id=peer.id)
        report.equivalents.append(f"etcdctl member remove {peer.id}")

    async def _check_harmless(self, peer: Peer) -> None:
        if not self._may_panic(peer) or not self._began_before() or await self._is_there(peer):
            return
        raise SandboxError(
            f"{stranger_words(peer)} may be a removed member that the upgrade to etcd 3.6 brought "
            "back: etcd 3.6 panics in every member when such a one is removed",
            hint="--force removes it, and starts the members again; once all are of etcd 3.7 the removal "
            "does no harm",
        )

    def _may_panic(self, peer: Peer) -> bool:
        return any(
            member.etcd is not None and panics_at_removal(peer, member.etcd.version)
            for _, member in self._at.members.items()
        )

    def _began_before(self) -> bool:
        """Whether the data is of a time when etcd had two lists of members."""
        return any(
            parse(version) < READS_DATABASE
            for _, member in self._at.members.items()
            for version in member.upgraded_from
        )

    async def _is_there(self, peer: Peer) -> bool:
        """Whether it runs: a member of another supervisor, say."""
        own = {member.client_url for _, member in self._at.members.items()}
        answers = await asyncio.gather(
            *(
                self._at.members.gateway.status(url, ANSWER_WITHIN_S)
                for url in peer.client_urls
                if url not in own
            )
        )
        # A member that refuses to tell who it is, is there.
        return any(
            isinstance(answer, Refusal) or (answer is not None and answer.member_id == peer.id)
            for answer in answers
        )

    async def _survived(
        self, peer: Peer, up: list[Supervised], deadline: float, report: Report
    ) -> None:
        """Have every member be without it: those that ended of the removal are started again.

        They do not end at the same time: each when it comes to that entry of its log. Whoever does not
        list the peer any more is past it.
        """
        fell: dict[str, None] = {}
        while True:
            fallen = [process for process in up if not process.state.alive]
            fell |= dict.fromkeys(self._at.members.title(process.name) for process in fallen)
            await self._start_again(fallen, deadline)
            lists = await asyncio.gather(
                *(
                    self._at.members.gateway.members(
                        member_of(process.spec).client_url, ANSWER_WITHIN_S
                    )
                    for process in up
                )
            )
            if all(
                listed is not None and all(each.id != peer.id for each in listed)
                for listed in lists
            ):
                break
            if time.monotonic() >= deadline:
                raise TimedOut(
                    f"not every member is without {peer.id} yet, and some ended of its removal: "
                    f"{', '.join(fell)}",
                    hint="etcd-sandbox start all, then etcd-sandbox status",
                )
            await asyncio.sleep(LOOK_EVERY_S)
        if fell:
            report.notes.append(
                f"{', '.join(fell)} panicked at that, since the old list of members does not have it, "
                f"and {'was' if len(fell) == 1 else 'were'} started again"
            )

    async def _start_again(self, fallen: list[Supervised], deadline: float) -> None:
        if not fallen:
            return
        try:
            async with asyncio.timeout(max(1.0, deadline - time.monotonic())):
                await self._at.verbs.start(fallen)
        except TimeoutError:
            raise TimedOut(
                "the members panicked at the removal, and were not ready in time again",
                hint="etcd-sandbox status",
            ) from None
        except SandboxError:
            # It may end of the same entry once more; whether it is past it shows in its list.
            return


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
