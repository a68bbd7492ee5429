"""Asks the members what they are, and says what is proved of one that refuses to tell.

With authentication on, etcd 3.5.28, 3.6.9 and later tell a stranger nothing of themselves. A refusal
is an answer all the same: the member is up. Whom it follows is in its log, and in its metrics, which
ask for no user.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from etcd_sandbox.cluster.quorum import ANSWER_DEADLINE_S, role_of
from etcd_sandbox.etcd.answers import Refusal, StatusAnswer
from etcd_sandbox.model.state import Role

if TYPE_CHECKING:
    from etcd_sandbox.cluster.members import Members
    from etcd_sandbox.etcd.answers import Identity

PATIENT_DEADLINE_S = 2.0
"""What members have for their answers before a quorum is told to be lost: a busy machine is late."""

FIGURES_S = 0.3
"""Older figures are not told: a reader would take them for those of now."""

METRICS_WITHIN_S = 1.0
METRICS_EVERY_S = 1.0
METRICS_SELDOM_S = 10.0
"""How old a member's metrics may be, and how old where its log tells of leadership: the page costs it 30 ms."""

_NEVER = (float("-inf"), None)


class Questions:
    """The members of one cluster, asked through their own gateway.

    Answers are by process name; those of entries of etcd's list that are no process of this cluster,
    by their ID.
    """

    def __init__(self, members: Members) -> None:
        self._members = members
        self._identities: dict[tuple[str, int | None], tuple[float, Identity | None]] = {}
        self._asking: dict[tuple[str, int | None], asyncio.Task[None]] = {}

    async def ask(self, deadline_s: float = ANSWER_DEADLINE_S) -> dict[str, StatusAnswer]:
        """What the running members answer within the deadline, by process name."""
        return await self._asked(self._running(), deadline_s)

    async def ask_all(
        self,
        deadline_s: float = ANSWER_DEADLINE_S,
        known: Mapping[str, StatusAnswer] | None = None,
        *,
        figures: bool = False,
    ) -> dict[str, StatusAnswer]:
        """As `ask`, also what the entries of etcd's list answer that are no process of this cluster.

        Who is among the `known` answers already is not asked again. With `figures` also the revision
        and the sizes are wanted of those who refuse to tell them.
        """
        answers, asked = dict(known or {}), set(known or {})
        left = {**self._running(), **self._elsewhere()}
        while left := {key: url for key, url in left.items() if key not in asked}:
            answers |= await self._asked(left, deadline_s, figures=figures)
            asked |= left.keys()
            # The list may have been learnt meanwhile: who was not asked is not said to be down.
            left = self._elsewhere()
        self._members.seen_elsewhere(answers.keys() & self._elsewhere().keys())
        return answers

    async def one(self, process: str, timeout_s: float) -> StatusAnswer | None:
        """What one member, or a proxy, answers; None when it does not answer in time."""
        url = self._members.member(process).client_url
        answer = await self._members.gateway.status(url, timeout_s)
        return await self._proved(process, answer) if isinstance(answer, Refusal) else answer

    async def read_is_served(self, names: Iterable[str], timeout_s: float) -> bool:
        """Whether any of these members serves a read that needs a quorum: then there is one."""
        urls = [self._members.member(name).client_url for name in names if name in self._members]
        reads = [
            asyncio.ensure_future(self._members.gateway.linearizable_read(url, timeout_s))
            for url in urls
        ]
        try:
            for read in asyncio.as_completed(reads):
                if await read:
                    return True
            return False
        finally:
            for task in reads:
                task.cancel()

    async def learn_list(
        self, answers: Mapping[str, StatusAnswer], deadline_s: float = ANSWER_DEADLINE_S
    ) -> None:
        """Have etcd's own list of members in the roster, as the member that knows best has it.

        That is the leader, of two the one with the higher term; without one, who has applied most.
        """
        able = {
            name: answer
            for name, answer in answers.items()
            if name in self._members and not answer.is_learner and answer.refusal is None
        }
        if not able and answers:
            # A learner tells its peers; with a user the list may be told though the status was refused.
            able = {name: answer for name, answer in answers.items() if name in self._members}
        if not able:
            return
        best = max(able, key=lambda name: _knowledge(able[name]))
        member = self._members.member(best)
        listed = await self._members.gateway.members(member.client_url, deadline_s)
        if listed is None and (able[best].is_learner or able[best].refusal is not None):
            listed = await self._members.gateway.members_told_to_peers(
                member.peer_port_url, deadline_s
            )
        if listed:
            self._members.take_list(listed)
        if role_of(able[best]) is Role.LEADER and self._members.unproven:
            # After the list: Raft takes a member in before the list has it.
            known = await self._members.gateway.raft_members(member.client_url, deadline_s)
            if known is not None:
                self._members.take_raft(known)

    async def list_of(self, process: str, deadline_s: float = ANSWER_DEADLINE_S) -> int | None:
        """How many members are on the list of that member; None when it does not tell."""
        listed = await self._members.gateway.members(
            self._members.member(process).client_url, deadline_s
        )
        return None if listed is None else len(listed)

    def _elsewhere(self) -> dict[str, str]:
        return {
            key: peer.client_urls[0]
            for key, peer in self._members.elsewhere.items()
            if peer.client_urls and key not in self._members.remnants
        }

    def _running(self) -> dict[str, str]:
        return {
            process: member.client_url
            for process, member in self._members.items()
            if self._members.can_vote(process) and not self._members.is_proxy(process)
        }

    async def _asked(
        self, urls: Mapping[str, str], deadline_s: float, *, figures: bool = False
    ) -> dict[str, StatusAnswer]:
        async def told_by(key: str, url: str) -> StatusAnswer | None:
            said = await self._members.gateway.status(url, deadline_s)
            if said is not None:
                self._catch_up()
            if isinstance(said, Refusal):
                said = await self._proved(key, said, figures=figures)
            if said is None:
                return None
            term = self._members.raft.term_of(key, said.leader, said.term, leads=said.leads)
            return replace(said, term=term)

        answers = await asyncio.gather(*(told_by(key, url) for key, url in urls.items()))
        found = {
            key: answer for key, answer in zip(urls, answers, strict=True) if answer is not None
        }
        for key, answer in found.items():
            if answer.refusal is None and key in self._members:
                self._members.learn(key, answer.member_id, is_learner=answer.is_learner)
        return found

    def _catch_up(self) -> None:
        """Read what members wrote before one answered: an election, perhaps.

        Of all, since a line of the one that was elected comes before what the others write of it.
        """
        for process in self._members.names:
            self._members.processes[process].catch_up()

    async def _proved(self, key: str, refusal: Refusal, *, figures: bool = False) -> StatusAnswer:
        """What is proved of a member that refuses to tell: by its log, else by its metrics."""
        view = self._members.raft.view(key)
        identity, age_s = await self._identity(key, wait=view is None, figures=figures)
        fresh = identity if age_s <= FIGURES_S else None
        member_id = (identity.member_id if identity else None) or self._members.id_of(key) or ""
        leader, term = (view.leader, view.term) if view is not None else (None, None)
        if view is None and identity is not None and identity.has_leader:
            leads = self._members.raft.leader
            leader = member_id if identity.is_leader else leads and self._members.id_of(leads)
            term = self._members.raft.term or None
        return StatusAnswer(
            member_id=member_id,
            version=identity.version if identity else "",
            leader=leader,
            term=term,
            revision=fresh.revision if fresh else None,
            raft_index=None,
            raft_applied_index=fresh.applied_index if fresh else None,
            db_size_bytes=fresh.db_size_bytes if fresh else None,
            is_learner=identity.is_learner if identity else self._members.is_learner(key),
            errors=(),
            refusal=str(refusal),
        )

    async def _identity(
        self, key: str, *, wait: bool, figures: bool
    ) -> tuple[Identity | None, float]:
        """What the member's metrics say, and how many seconds ago they were asked for.

        A second ago at most with `wait` or `figures`, if the member tells them in time; without
        either newer ones are there the next time.
        """
        if key not in self._members:
            return None, 0.0
        # Figures of an earlier run say nothing of this one.
        run = (key, self._members.processes[key].life.pid)
        asked, identity = self._identities.get(run, _NEVER)
        age_s = time.monotonic() - asked
        if age_s < (METRICS_EVERY_S if wait or figures else METRICS_SELDOM_S):
            return identity, age_s
        if run not in self._asking:
            self._asking[run] = asyncio.create_task(self._learn_identity(run))
        if wait or figures:
            await asyncio.wait({self._asking[run]}, timeout=None if wait else ANSWER_DEADLINE_S)
        asked, identity = self._identities.get(run, _NEVER)
        return identity, time.monotonic() - asked

    async def _learn_identity(self, run: tuple[str, int | None]) -> None:
        member = self._members.member(run[0])
        url = member.metrics_url or member.client_url
        asked = time.monotonic()
        try:
            identity = await self._members.gateway.identity(url, METRICS_WITHIN_S)
        finally:
            del self._asking[run]
        kept = {key: old for key, old in self._identities.items() if key[0] != run[0]}
        self._identities = {**kept, run: (asked, identity)}


def _knowledge(answer: StatusAnswer) -> tuple[bool, int, int]:
    return answer.leads, answer.term or 0, answer.raft_applied_index or 0
