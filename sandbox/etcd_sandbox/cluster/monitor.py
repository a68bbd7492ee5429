"""Asks the members what they are: fresh answers for whoever asks, and a slow look when nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.cluster.healthcheck import (
    ANSWER_DEADLINE_S,
    PATIENT_DEADLINE_S,
    HealthCheck,
)
from etcd_sandbox.cluster.quorum import (
    role_of,
)
from etcd_sandbox.cluster.roster import Roster
from etcd_sandbox.cluster.settling import Judgement, Voter, judge
from etcd_sandbox.cluster.voters import RUNS, Voters
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.selector import Candidate, claimed_leader
from etcd_sandbox.model.state import (
    ProcessState,
    Role,
)
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcd_sandbox.cluster.faults import Faults
    from etcd_sandbox.cluster.raft import RaftWatch
    from etcd_sandbox.etcd.answers import Alarm, StatusAnswer


class Look(Struct, frozen=True, kw_only=True):
    """The cluster at one moment: everyone as a selector sees it, and the voters.

    `leader` is the process that leads by its own word, of two the one with the higher term.
    `healthy` is how many voters are.
    """

    candidates: tuple[Candidate, ...]
    voters: tuple[Voter, ...]
    leader: str | None
    healthy: int


LOOK_EVERY_S = 1.0


class Monitor:
    """The members of one cluster, asked through their own gateway."""

    def __init__(
        self,
        supervisor: Supervisor,
        roster: Roster,
        bus: Bus,
        faults: Faults,
        raft: RaftWatch,
        voters: Voters,
        check: HealthCheck,
    ) -> None:
        self._supervisor = supervisor
        self._faults = faults
        self._raft = raft
        self._voters = voters
        self._check = check
        self._roster = roster
        self._bus = bus
        self._had_quorum: bool | None = None
        self._alarms: frozenset[Alarm] = frozenset()
        self._look = asyncio.Event()

    async def ask(self, deadline_s: float = ANSWER_DEADLINE_S) -> dict[str, StatusAnswer]:
        """What the running members answer within the deadline, by process name."""
        return await self._check.ask(deadline_s)

    async def learn_list(self) -> None:
        """Have etcd's own list of members, as it is now, in the roster."""
        await self._check.learn_list(await self._check.ask())

    async def look(self, *, ask: bool = True, deadline_s: float = ANSWER_DEADLINE_S) -> Look:
        """One round of answers, as selectors and judgements need them; without `ask`, none."""
        answers = await self._check.ask_all(deadline_s) if ask else {}
        candidates = tuple(
            self._candidate(process, answers.get(process)) for process in self._supervisor.processes
        )
        leader = claimed_leader(candidates)
        return Look(
            candidates=candidates,
            voters=self._voters.seen(answers),
            leader=leader.process if leader is not None else None,
            healthy=sum(voter.follows is not None for voter in self._voters.seen(answers)),
        )

    def _candidate(self, process: str, answer: StatusAnswer | None) -> Candidate:
        member = self._roster.member(process).name if process in self._roster else None
        return Candidate(
            process=process,
            member=member,
            id=self._roster.id_of(process),
            role=self.role(process, answer),
            term=answer.term if answer is not None else None,
            running=self._supervisor.processes[process].state in RUNS,
            learner=self._roster.is_learner(process),
            outsider=self._roster.is_outsider(process)
            or self._supervisor.processes[process].state is ProcessState.REMOVED,
        )

    def role(self, process: str, answer: StatusAnswer | None) -> Role | None:
        """What a member says it is; a proxy cannot be asked, its log told it."""
        if self._roster.is_proxy(process):
            return Role.PROXY if self._supervisor.processes[process].state in RUNS else None
        return role_of(answer) if answer is not None else None

    def look_soon(self) -> None:
        """Something happened: look at the members now instead of at the next second."""
        self._look.set()

    async def watch(self, cluster: str) -> None:
        """Look at the members once a second and tell of quorum and alarms, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), LOOK_EVERY_S)
            self._look.clear()
            if len(self._roster):
                await self._notice()

    async def _notice(self) -> None:
        asked = time.monotonic()
        answers = await self._check.ask_all()
        await self._check.learn_list(answers)
        voters, judgement = self._quorum_by(answers)
        served = False
        if self._had_quorum and judgement.quorum_lost and self._voters.could_elect():
            running = [voter.process for voter in voters if self._voters.runs(voter.process)]
            answers, served = await asyncio.gather(
                self._check.ask_all(PATIENT_DEADLINE_S, known=answers),
                self._check.read_is_served(running, PATIENT_DEADLINE_S),
            )
            voters, judgement = self._quorum_by(answers)
        if answers:
            self._notice_alarms(answers.values())
        if judgement.leader is not None:
            self._raft.leads_on(judgement.leader.process, asked)
        if not voters:
            self._had_quorum = None
            return
        has_quorum = served or not judgement.quorum_lost
        if self._had_quorum is not None and has_quorum is not self._had_quorum:
            kind = Kind.QUORUM_REGAINED if has_quorum else Kind.QUORUM_LOST
            self._bus.publish(
                kind,
                voters=len(voters),
                needed=judgement.needed,
                up=len(answers),
                reach=judgement.reach,
            )
        if has_quorum or self._had_quorum is not None:
            self._had_quorum = has_quorum

    def _quorum_by(self, answers: dict[str, StatusAnswer]) -> tuple[list[Voter], Judgement]:
        """The voters, and whether they are a quorum: who answers, and whom the links let through,
        counts, not who leads. A quorum that holds an election is none the less there."""
        voters = [
            replace(voter, running=voter.process in answers) for voter in self._voters.seen(answers)
        ]
        return voters, judge(voters, self._faults.rules)

    def _notice_alarms(self, answers: Iterable[StatusAnswer]) -> None:
        """Each alarm is told once, of the member that has it, whoever reports it."""
        told = [answer.alarms for answer in answers if answer.refusal is None]
        if not told:
            return  # whoever refuses to tell of itself has not said that its alarm is cleared
        up: frozenset[Alarm] = frozenset().union(*told)
        for kind, alarms in (
            (Kind.ALARM_RAISED, up - self._alarms),
            (Kind.ALARM_CLEARED, self._alarms - up),
        ):
            for alarm in sorted(alarms, key=lambda alarm: alarm.member_id or ""):
                member = self._roster.name_of(alarm.member_id) if alarm.member_id else None
                self._bus.publish(kind, member, alarm=alarm.kind)
        self._alarms = up
