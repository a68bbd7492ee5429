"""How a member leaves: leadership first, then etcd's list, the process, and its data."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from etcd_sandbox.cluster.changecontext import (
    ENDS_BY_ITSELF_S,
    ChangeContext,
    delete_data,
    member_of,
)
from etcd_sandbox.cluster.memberlist import Report
from etcd_sandbox.cluster.settling import judge
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.spec import PastKind
from etcd_sandbox.supervise import lifecycle

if TYPE_CHECKING:
    from etcd_sandbox.cluster.members import Observation
    from etcd_sandbox.supervise.supervisor import Supervised

SETTLED_WITHIN_S = 2.0
MOVE_WITHIN_S = 5.0
"""What handing leadership over may take."""


class RemoveMember:
    """Members that leave one cluster. Deadlines are monotonic."""

    def __init__(self, at: ChangeContext) -> None:
        self._at = at

    async def take_out(
        self,
        process: Supervised,
        going: Sequence[str],
        deadline: float,
        report: Report,
        kind: PastKind = PastKind.REMOVED,
    ) -> None:
        """Off the list, ended, and its data deleted. Leadership goes first, where it has it.

        The plan remembers it as a change of this `kind`.
        """
        member = member_of(process.spec)
        peer = await self._at.listed.find(process.name, deadline)
        if peer is not None:
            await self._hand_over(process.name, going, deadline, report)
            await self._at.listed.remove(process.name, peer.id, deadline, report)
            self._at.remember(kind, member.name, peer.id)
            await self._settled()
            report.equivalents.append(f"etcdctl member remove {peer.id}")
        await process.feed(lifecycle.Removed())
        self._at.members.retire(process.name)
        if self._at.members.runs(process.name):
            try:
                async with asyncio.timeout(ENDS_BY_ITSELF_S):
                    await process.wait_for(lambda life: not life.state.alive)
            except TimeoutError:
                report.notes.append(
                    f"{member.name} was cut off and has not learnt of it: it was stopped"
                )
        await process.stop(ENDS_BY_ITSELF_S)
        if member.data_owned:
            await asyncio.to_thread(delete_data, process.spec)
            report.equivalents.append(f"rm -r {member.data_dir}")
        if member.foreign_data:
            report.notes.append(
                f"the data of {member.name} is not ours to delete, and of no use any more: "
                f"{', '.join(member.foreign_data)}"
            )

    async def _settled(self) -> None:
        """Those that stay have written down that it is gone, before its data is: they may die, too."""
        with contextlib.suppress(SandboxError):
            url = await self._at.listed.leader_url(time.monotonic() + SETTLED_WITHIN_S)
            await self._at.members.gateway.settle(url, SETTLED_WITHIN_S)

    async def _hand_over(
        self, name: str, going: Sequence[str], deadline: float, report: Report
    ) -> None:
        """A leader that goes hands over, so that nobody waits for an election."""
        look = await self._at.members.look()
        if look.leader != name:
            return
        heirs = [
            voter.process
            for voter in look.voters
            if voter.process not in going and voter.running and voter.follows == name
        ]
        if not heirs:
            return
        report.equivalents.append(
            await self._at.members.hand_over(
                name,
                heirs[0],
                deadline,
                answered_within_s=MOVE_WITHIN_S,
                hint=f"nothing was done to {self._at.members.title(name)}: run the same command again",
            )
        )

    def check_quorum(
        self, names: Sequence[str], look: Observation, doing: str, *, force: bool = False
    ) -> None:
        """Refuse what would leave too few voters up for a quorum."""
        left = [voter for voter in look.voters if voter.process not in names]
        who = ", ".join(map(self._at.members.title, names))
        if len(left) == len(look.voters):
            return
        if not left:
            raise SandboxError(
                f"{who} {'is the last voter' if len(names) == 1 else 'are all voters'}: "
                "without one there is no cluster",
                hint="etcd-sandbox down ends it",
            )
        judgement = judge(left, self._at.members.rules)
        if not judgement.quorum_lost or force:
            return
        away = [voter.process for voter in left if not voter.running]
        strangers = [id_ for id_ in away if id_ in self._at.members.elsewhere]
        ours = [self._at.members.title(name) for name in away if name not in strangers]
        mends = [f"start or remove {', '.join(ours)}"] if ours else []
        mends += [f"etcd-sandbox remove {id_}" for id_ in strangers]
        what = "run" if judgement.reach == sum(v.running for v in left) else "reach each other"
        raise SandboxError(
            f"{doing} {who} would break the quorum: of the {len(left)} "
            f"voter{'s' * (len(left) > 1)} left {judgement.reach} {what}, {judgement.needed} needed",
            hint=f"{', or '.join(mends) or 'etcd-sandbox heal'} first; --force leaves it to etcd to "
            "refuse it",
        )
