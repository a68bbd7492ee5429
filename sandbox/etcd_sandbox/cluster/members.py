"""The members of one cluster: the place of each, its process, and how they are asked and waited for."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from etcd_sandbox.cluster.faults.fault import Ground
from etcd_sandbox.cluster.faults.registry import Faults
from etcd_sandbox.cluster.quorum import ANSWER_DEADLINE_S, role_of
from etcd_sandbox.cluster.raft import RaftWatch
from etcd_sandbox.cluster.roster import Roster
from etcd_sandbox.cluster.settling import Voter, judge, reached_by
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.model.selector import Candidate, claimed_leader
from etcd_sandbox.model.state import ProcessState, Role

if TYPE_CHECKING:
    from etcd_sandbox.cluster.questions import Questions
    from etcd_sandbox.etcd.answers import StatusAnswer
    from etcd_sandbox.etcd.gateway import Gateway
    from etcd_sandbox.links.keeper import Links
    from etcd_sandbox.model.fault import Pair, Rule
    from etcd_sandbox.supervise.bus import Bus
    from etcd_sandbox.supervise.supervisor import Supervised, Supervisor

RUNS = (ProcessState.STARTING, ProcessState.RUNNING)
"""The states of a process that can answer."""

VOTES = (*RUNS, ProcessState.STOPPING)
"""The states of a process that votes: one that is being stopped answers no client any more, but leads,
and serves the reads that others hand on to it, until it has handed over."""

LOOK_EVERY_S = 0.05

HAND_OVER_TIMEOUTS = 4
"""How many election timeouts etcd has for a hand-over; raft drops one after the first."""


_T = TypeVar("_T")


class Observation(Struct, frozen=True, kw_only=True):
    """The cluster at one moment: everyone as a selector sees it, and the voters.

    `leader` is the process that leads by its own word, of two the one with the higher term.
    """

    candidates: tuple[Candidate, ...]
    voters: tuple[Voter, ...]
    leader: str | None


class Members(Roster):
    """Everyone's place and process, by process name; and the faults that they have.

    `links` are the peer links in front of the members, None where there are none. `connect` makes the gateway when a member is asked for the first time: no member waits for its
    modules to be executed. `opened` is set when they may be asked; `changing` is locked while a
    member is added, replaced or removed.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        links: Links | None,
        bus: Bus,
        connect: Callable[[], Gateway],
    ) -> None:
        super().__init__(process.spec for process in supervisor.processes.values())
        self.faults = Faults(Ground(supervisor, self, bus, links))
        self.raft = RaftWatch(self, bus)
        self._supervisor = supervisor
        self._connect = connect
        self.opened = asyncio.Event()
        self.changing = asyncio.Lock()
        self._up_elsewhere: frozenset[str] = frozenset()

    @cached_property
    def gateway(self) -> Gateway:
        """What members are asked through."""
        return self._connect()

    @cached_property
    def questions(self) -> Questions:
        """How they are asked."""
        from etcd_sandbox.cluster.questions import Questions

        return Questions(self)

    @property
    def processes(self) -> dict[str, Supervised]:
        """All processes of the cluster, what runs beside the members among them."""
        return self._supervisor.processes

    @property
    def rules(self) -> Mapping[Pair, Rule]:
        """What holds for each pair of members whose link is not as it should be."""
        return self.faults.rules

    @property
    def counted(self) -> tuple[str, ...]:
        """The members that are in the cluster, by process name."""
        return tuple(
            name for name in self.names if not self.is_outsider(name) and not self.is_removed(name)
        )

    def runs(self, process: str) -> bool:
        """Whether the process can answer."""
        return self.processes[process].state in RUNS

    def is_removed(self, process: str) -> bool:
        """Whether it was a member, and is none any more."""
        return self.processes[process].state is ProcessState.REMOVED

    def last_lines(self, process: str, lines: int) -> list[bytes]:
        """The last lines of its log."""
        return self._supervisor.logbook.last_lines(process, lines)

    # Who could elect and lead.

    def seen(self, answers: Mapping[str, StatusAnswer]) -> tuple[Voter, ...]:
        """Every member with a vote, with what it answered.

        Those on etcd's list that are no process of this cluster are among them, by their ID.
        """
        found = []
        for name in self.voters:
            answer = answers.get(name)
            leader = answer.leader if answer is not None else None
            found.append(
                Voter(
                    process=name,
                    running=self.can_vote(name),
                    answered=answer is not None and answer.tells_whom_it_follows,
                    follows=None if leader is None else self.process_of(leader) or leader,
                    term=answer.term if answer is not None else None,
                )
            )
        return tuple(found)

    def seen_elsewhere(self, ids: Collection[str]) -> None:
        """These entries of etcd's list, no processes of this cluster, answered just now."""
        self._up_elsewhere = frozenset(ids)

    def can_vote(self, name: str) -> bool:
        """Whether the voter is up: by its process, or because it answered, where it is none of ours."""
        if name in self:
            return self.processes[name].state in VOTES
        return name in self._up_elsewhere

    @property
    def quorum(self) -> int:
        """How many voters it takes."""
        return len(self.voters) // 2 + 1

    def could_elect(self) -> bool:
        """Whether enough voters run and reach each other to elect a leader."""
        return not judge(self.seen({}), self.rules).quorum_lost

    def could_lead(self, process: str) -> bool:
        """Whether the voter runs and reaches as many as it needs to be elected, and to stay so."""
        return len(reached_by(process, self.seen({}), self.rules)) >= self.quorum

    def reaches_quorum(self, process: str) -> bool:
        """Whether the member, with a vote or without, has a quorum that it could follow."""
        return self.could_lead(process) if process in self.voters else self.could_elect()

    @property
    def leader(self) -> str | None:
        """The process that leads by the logs."""
        self.raft.flush()
        return self.raft.leader

    @property
    def served(self) -> list[str]:
        """Where running members serve clients; a learner refuses what needs a quorum."""
        return [
            own.client_url for name, own in self.items() if self.runs(name) and self.may_vote(name)
        ]

    # Asking.

    async def ask(self, within_s: float = ANSWER_DEADLINE_S) -> dict[str, StatusAnswer]:
        """What the running members answer in time, by process name."""
        return await self.questions.ask(within_s)

    async def learn_list(self) -> None:
        """Have etcd's own list of members, as it is now."""
        await self.questions.learn_list(await self.ask())

    async def look(self, *, ask: bool = True, deadline_s: float = ANSWER_DEADLINE_S) -> Observation:
        """One round of answers, as selectors and judgements need them; without `ask`, none."""
        answers = await self.questions.ask_all(deadline_s) if ask else {}
        candidates = tuple(self._candidate(name, answers.get(name)) for name in self.processes)
        leader, voters = claimed_leader(candidates), self.seen(answers)
        return Observation(
            candidates=candidates,
            voters=voters,
            leader=leader.process if leader is not None else None,
        )

    def _candidate(self, process: str, answer: StatusAnswer | None) -> Candidate:
        return Candidate(
            process=process,
            member=self.member(process).name if process in self else None,
            id=self.id_of(process),
            role=self.role(process, answer),
            term=answer.term if answer is not None else None,
            running=self.runs(process),
            learner=self.is_learner(process),
            outsider=self.is_outsider(process) or self.is_removed(process),
        )

    def role(self, process: str, answer: StatusAnswer | None) -> Role | None:
        """What a member says it is; a proxy cannot be asked, its log told it."""
        if self.is_proxy(process):
            return Role.PROXY if self.runs(process) else None
        return role_of(answer) if answer is not None else None

    async def until(
        self,
        condition: Callable[[], Awaitable[_T | None]],
        deadline: float = math.inf,
        why: Callable[[], str] | str = "",
        *,
        hint: str = "",
        every_s: float = LOOK_EVERY_S,
    ) -> _T:
        """What `condition` gives, once it is not None. Raises TimedOut, with `why`, at the deadline (monotonic)."""
        while (found := await condition()) is None:
            if time.monotonic() >= deadline:
                raise TimedOut(why if isinstance(why, str) else why(), hint=hint)
            await asyncio.sleep(every_s)
        return found

    async def _asked_to_hand_over(
        self, leader: str, url: str, heir_id: str, until: float
    ) -> str | None:
        """None when etcd says that it has handed over, else why not.

        etcd drops a hand-over whose heir has not taken it within an election timeout, and goes on waiting for the heir to lead
        (3.4 to 3.7: `MoveLeader`): it is asked once more, as long as that member leads.
        """
        from etcd_sandbox.etcd.troubles import LATE

        patience_s = HAND_OVER_TIMEOUTS * self.member(leader).election_timeout_s
        while True:
            left_s = max(0.1, until - time.monotonic())
            refusal = await self.gateway.move_leader(url, heir_id, min(left_s, patience_s))
            if refusal is None or self.gateway.trouble(url) != LATE or left_s <= patience_s:
                return refusal
            leads = (await self.look()).leader
            if leads not in (None, leader):
                return None if self.id_of(leads) == heir_id else refusal

    async def hand_over(
        self,
        leader: str,
        heir: str,
        deadline: float,
        *,
        answered_within_s: float = math.inf,
        hint: str = "",
        wait: bool = True,
    ) -> str:
        """Have the leader hand over; the command of etcdctl that does the same.

        Returns when another leads, unless it is not to `wait`. Raises SandboxError where etcd refuses or has
        not answered within `answered_within_s`, TimedOut where the time is over. `hint` is the error's.
        """
        url, heir_id = self.member(leader).client_url, self.id_of(heir) or ""
        until = min(deadline, time.monotonic() + answered_within_s)
        refusal = await self._asked_to_hand_over(leader, url, heir_id, until)
        if refusal is not None:
            from etcd_sandbox.etcd.answers import GIVE_A_USER, is_about_users

            kind = TimedOut if time.monotonic() >= deadline else SandboxError
            raise kind(
                f"{self.title(leader)} did not hand over to {self.title(heir)}: {refusal}",
                hint=GIVE_A_USER if is_about_users(0, refusal) else hint,
            )

        async def another() -> bool | None:
            return (await self.look()).leader not in (None, leader) or None

        if wait:
            late = f"{self.title(leader)} still leads, though it handed over"
            await self.until(another, deadline, late)
        return f"etcdctl --endpoints={url} move-leader {heir_id}"
