"""Looks at the members once a second, and tells of quorum and alarms."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from etcd_sandbox.cluster.members import Members
from etcd_sandbox.cluster.questions import PATIENT_DEADLINE_S
from etcd_sandbox.cluster.settling import Judgement, Voter, judge
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.supervise.bus import Bus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcd_sandbox.etcd.answers import Alarm, StatusAnswer


LOOK_EVERY_S = 1.0

_LOOK_AT = frozenset(
    {
        Kind.PROCESS_EXITED,
        Kind.PROCESS_READY,
        Kind.LEADER_ELECTED,
        Kind.LEADER_LOST,
        Kind.FAULT_APPLIED,
        Kind.FAULT_PASSED,
        Kind.FAULT_HEALED,
    }
)
"""Events after which the members are looked at."""


class Monitor:
    """Watches the members of one cluster."""

    def __init__(self, members: Members, bus: Bus) -> None:
        self._members = members
        self._bus = bus
        self._had_quorum: bool | None = None
        self._alarms: frozenset[Alarm] = frozenset()
        self._look = asyncio.Event()
        bus.listen(self._hear)

    def look_soon(self) -> None:
        """Something happened: look at the members now instead of at the next second."""
        self._look.set()

    def _hear(self, event: Event) -> None:
        if event.kind in _LOOK_AT:
            self.look_soon()

    async def watch(self) -> None:
        """Look at the members once a second and tell of quorum and alarms, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), LOOK_EVERY_S)
            self._look.clear()
            if len(self._members):
                await self._notice()

    async def _notice(self) -> None:
        asked = time.monotonic()
        answers = await self._members.questions.ask_all()
        await self._members.questions.learn_list(answers)
        voters, judgement = self._quorum_by(answers)
        served = False
        if self._had_quorum and judgement.quorum_lost and self._members.could_elect():
            running = [voter.process for voter in voters if self._members.can_vote(voter.process)]
            answers, served = await asyncio.gather(
                self._members.questions.ask_all(PATIENT_DEADLINE_S, known=answers),
                self._members.questions.read_is_served(running, PATIENT_DEADLINE_S),
            )
            voters, judgement = self._quorum_by(answers)
        if answers:
            self._notice_alarms(answers.values())
        if judgement.leader is not None:
            self._members.raft.leads_on(judgement.leader.process, asked)
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
            replace(voter, running=voter.process in answers)
            for voter in self._members.seen(answers)
        ]
        return voters, judge(voters, self._members.rules)

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
                member = self._members.name_of(alarm.member_id) if alarm.member_id else None
                self._bus.publish(kind, member, alarm=alarm.kind)
        self._alarms = up
