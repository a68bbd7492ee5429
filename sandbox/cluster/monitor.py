"""Asks the members what they are: fresh answers for whoever asks, and a slow look when nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING

import psutil

from sandbox import __version__
from sandbox.cluster.roster import Roster
from sandbox.model.event import Kind
from sandbox.model.selector import Candidate
from sandbox.model.spec import MemberSpec
from sandbox.model.state import (
    ClusterStatus,
    MemberStatus,
    ProcessState,
    ProcessStatus,
    Quorum,
    Role,
    SupervisorStatus,
)
from sandbox.supervise.bus import Bus
from sandbox.supervise.supervisor import Supervised, Supervisor

if TYPE_CHECKING:
    from sandbox.etcd.gateway import Gateway, StatusAnswer

ANSWER_DEADLINE_S = 0.15
"""What a member has for its answer (SPEC §7); one that is later is shown as not answering."""

LOOK_EVERY_S = 1.0

_SILENT = (ProcessState.STARTING, ProcessState.RUNNING)


class Monitor:
    """The members of one cluster, asked through their own gateway."""

    def __init__(self, supervisor: Supervisor, roster: Roster, bus: Bus, gateway: Gateway) -> None:
        self._supervisor = supervisor
        self._roster = roster
        self._bus = bus
        self._gateway = gateway
        self._began = time.monotonic()
        self._meters: dict[int, psutil.Process] = {}
        self._had_quorum: bool | None = None
        self._alarms: dict[str, tuple[str, ...]] = {}
        self._look = asyncio.Event()

    async def ask(self, deadline_s: float = ANSWER_DEADLINE_S) -> dict[str, StatusAnswer]:
        """What the running members answer within the deadline, by process name."""
        asked = [
            (process, member)
            for process, member in self._roster.items()
            if self._supervisor.processes[process].state in _SILENT
        ]
        answers = await asyncio.gather(
            *(self._gateway.status(member.client_url, deadline_s) for _, member in asked)
        )
        found = {}
        for (process, _), answer in zip(asked, answers, strict=True):
            if answer is not None:
                self._roster.learn(process, answer.member_id)
                found[process] = answer
        return found

    async def candidates(self, *, with_roles: bool) -> list[Candidate]:
        """Every process as a selector sees it; roles from fresh answers, when they are needed."""
        answers = await self.ask() if with_roles else {}
        found = []
        members = dict(self._roster.items())
        for process in self._supervisor.processes:
            member = members.get(process)
            answer = answers.get(process)
            found.append(
                Candidate(
                    process=process,
                    member=member.name if member is not None else None,
                    id=self._roster.id_of(process),
                    role=role_of(answer) if answer is not None else None,
                    term=answer.term if answer is not None else None,
                )
            )
        return found

    async def status(self, cluster: str, *, with_hash: bool = False) -> ClusterStatus:
        """The cluster now, in the shape of `status --json`."""
        answers = await self.ask()
        hashes = await self._hashes(answers) if with_hash else {}
        members = tuple(
            self._member(process, member, answers.get(process), hashes.get(process))
            for process, member in self._roster.items()
        )
        claims = [member for member in members if member.role is Role.LEADER]
        leader = max(claims, key=lambda claim: claim.term or 0, default=None)
        return ClusterStatus(
            schema=1,
            cluster=cluster,
            supervisor=SupervisorStatus(
                pid=os.getpid(),
                version=__version__,
                uptime_s=round(time.monotonic() - self._began, 3),
            ),
            leader=leader.name if leader is not None else None,
            term=max((member.term for member in members if member.term is not None), default=None),
            quorum=quorum_of(members),
            members=members,
            processes=tuple(
                self._process(process)
                for name, process in self._supervisor.processes.items()
                if name not in self._roster
            ),
            faults=tuple(
                {
                    "kind": "pause",
                    "process": process.name,
                    "member": process.spec.member.name if process.spec.member else None,
                }
                for process in self._supervisor.processes.values()
                if process.state is ProcessState.PAUSED
            ),
        )

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
        answers = await self.ask()
        for process, answer in answers.items():
            self._notice_alarms(process, answer)
        members = [
            (process, self._supervisor.processes[process]) for process, _ in self._roster.items()
        ]
        # A quorum that holds an election is none the less there: who answers counts, not who leads.
        up = sum(not answer.is_learner for answer in answers.values())
        voters = sum(
            1
            for name, process in members
            if process.state is not ProcessState.REMOVED
            and not (name in answers and answers[name].is_learner)
        )
        has_quorum = voters > 0 and up >= voters // 2 + 1
        if self._had_quorum is not None and has_quorum is not self._had_quorum:
            kind = Kind.QUORUM_REGAINED if has_quorum else Kind.QUORUM_LOST
            self._bus.publish(kind, voters=voters, needed=voters // 2 + 1, up=up)
        if has_quorum or self._had_quorum is not None:
            self._had_quorum = has_quorum

    def _notice_alarms(self, process: str, answer: StatusAnswer) -> None:
        now = tuple(sorted(error for error in answer.errors if "alarm:" in error))
        before = self._alarms.get(process, ())
        name = self._roster.member(process).name
        for alarm in set(now) - set(before):
            self._bus.publish(Kind.ALARM_RAISED, name, alarm=_alarm_name(alarm))
        for alarm in set(before) - set(now):
            self._bus.publish(Kind.ALARM_CLEARED, name, alarm=_alarm_name(alarm))
        self._alarms[process] = now

    async def _hashes(self, answers: dict[str, StatusAnswer]) -> dict[str, int | None]:
        urls = {name: member.client_url for name, member in self._roster.items()}
        names = list(answers)
        hashes = await asyncio.gather(*(self._gateway.hash_kv(urls[name], 2.0) for name in names))
        return dict(zip(names, hashes, strict=True))

    def _member(
        self,
        process: str,
        member: MemberSpec,
        answer: StatusAnswer | None,
        hash_: int | None,
    ) -> MemberStatus:
        supervised = self._supervisor.processes[process]
        cpu_percent, rss_bytes = self._measure(supervised)
        return MemberStatus(
            name=member.name,
            process=process,
            id=self._roster.id_of(process),
            pid=supervised.life.pid,
            state=supervised.state,
            role=role_of(answer) if answer is not None else None,
            healthy=answer is not None and is_healthy(answer),
            term=answer.term if answer is not None else None,
            revision=answer.revision if answer is not None else None,
            raft_index=answer.raft_index if answer is not None else None,
            raft_applied_index=answer.raft_applied_index if answer is not None else None,
            db_size_bytes=answer.db_size_bytes if answer is not None else None,
            hash=hash_,
            version=answer.version if answer is not None else _planned_version(member),
            client_url=member.client_url,
            peer_url=member.peer_url,
            data_dir=member.data_dir,
            cpu_percent=cpu_percent,
            rss_bytes=rss_bytes,
            restarts=supervised.life.restarts,
            uptime_s=_rounded(supervised.uptime_s),
            exit=supervised.exit if not supervised.state.alive else None,
        )

    def _process(self, process: Supervised) -> ProcessStatus:
        cpu_percent, rss_bytes = self._measure(process)
        return ProcessStatus(
            name=process.name,
            pid=process.life.pid,
            state=process.state,
            cpu_percent=cpu_percent,
            rss_bytes=rss_bytes,
            restarts=process.life.restarts,
            uptime_s=_rounded(process.uptime_s),
            exit=process.exit if not process.state.alive else None,
            command=process.spec.shown,
        )

    def _measure(self, process: Supervised) -> tuple[float | None, int | None]:
        pid = process.life.pid
        if pid is None:
            return None, None
        try:
            meter = self._meters.get(pid)
            if meter is None:
                live = {entry.life.pid for entry in self._supervisor.processes.values()}
                self._meters = {key: kept for key, kept in self._meters.items() if key in live}
                meter = self._meters[pid] = psutil.Process(pid)
            with meter.oneshot():
                return meter.cpu_percent(None), meter.memory_info().rss
        except psutil.Error:
            return None, None


def role_of(answer: StatusAnswer) -> Role:
    """What a member says it is."""
    if answer.is_learner:
        return Role.LEARNER
    if answer.leader is None:
        return Role.CANDIDATE
    return Role.LEADER if answer.leader == answer.member_id else Role.FOLLOWER


def is_healthy(answer: StatusAnswer) -> bool:
    """It answered, knows a leader, and has no alarm (SPEC §7)."""
    return answer.leader is not None and not answer.has_alarm


def quorum_of(members: tuple[MemberStatus, ...]) -> Quorum:
    """Voters, how many of them are needed, how many are healthy."""
    voters = [
        member
        for member in members
        if member.role is not Role.LEARNER and member.state is not ProcessState.REMOVED
    ]
    needed = len(voters) // 2 + 1
    healthy = sum(member.healthy for member in voters)
    return Quorum(
        voters=len(voters), needed=needed, healthy=healthy, ok=bool(voters) and healthy >= needed
    )


def _planned_version(member: MemberSpec) -> str | None:
    return member.etcd.version if member.etcd is not None else None


def _alarm_name(error: str) -> str:
    return error.rpartition("alarm:")[2].strip()


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
