"""Asks the members what they are: fresh answers for whoever asks, and a slow look when nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psutil

from sandbox import __version__
from sandbox.cluster.roster import Roster
from sandbox.cluster.settling import Judgement, Voter, judge
from sandbox.cluster.voters import RUNS, Voters
from sandbox.model.detail import Detail
from sandbox.model.event import Kind
from sandbox.model.selector import Candidate, claimed_leader
from sandbox.model.spec import MemberSpec
from sandbox.model.state import (
    BootstrapStatus,
    ClusterStatus,
    LogView,
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
    from collections.abc import Callable, Iterable

    from sandbox.cluster.faults import Faults
    from sandbox.cluster.raft import RaftWatch
    from sandbox.etcd.gateway import Alarm, Gateway, StatusAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The cluster at one moment: everyone as a selector sees it, and the voters.

    `leader` is the process that leads by its own word, of two the one with the higher term.
    `healthy` is how many voters are.
    """

    candidates: tuple[Candidate, ...]
    voters: tuple[Voter, ...]
    leader: str | None
    healthy: int


ANSWER_DEADLINE_S = 0.15
"""What a member has for its answer (SPEC §7); one that is later is shown as not answering."""

DETAIL_DEADLINE_S = 0.5
"""What a member has for its list of peers and its figures, a page of 150 KB."""

LOOK_EVERY_S = 1.0

PATIENT_DEADLINE_S = 2.0
"""What members have for their answers before a quorum is told to be lost: a busy machine is late."""


class Monitor:
    """The members of one cluster, asked through their own gateway."""

    def __init__(
        self,
        supervisor: Supervisor,
        roster: Roster,
        bus: Bus,
        gateway: Gateway,
        faults: Faults,
        raft: RaftWatch,
        voters: Voters,
        bootstrap: Callable[[], BootstrapStatus],
    ) -> None:
        self._supervisor = supervisor
        self._bootstrap = bootstrap
        self._faults = faults
        self._raft = raft
        self._voters = voters
        self._roster = roster
        self._bus = bus
        self._gateway = gateway
        self._began = time.monotonic()
        self._meters: dict[int, psutil.Process] = {}
        self._had_quorum: bool | None = None
        self._alarms: frozenset[Alarm] = frozenset()
        self._look = asyncio.Event()

    async def ask(self, deadline_s: float = ANSWER_DEADLINE_S) -> dict[str, StatusAnswer]:
        """What the running members answer within the deadline, by process name."""
        asked = [
            (process, member)
            for process, member in self._roster.items()
            if self._supervisor.processes[process].state in RUNS
            and not self._roster.is_proxy(process)
        ]
        answers = await asyncio.gather(
            *(self._gateway.status(member.client_url, deadline_s) for _, member in asked)
        )
        found = {}
        for (process, _), answer in zip(asked, answers, strict=True):
            if answer is not None:
                self._roster.learn(process, answer.member_id, is_learner=answer.is_learner)
                found[process] = answer
        return found

    async def _proxies_that_serve(self) -> set[str]:
        """The proxies through which a healthy member answers; what it says is not the proxy's."""
        asked = [
            (process, member)
            for process, member in self._roster.items()
            if self._supervisor.processes[process].state in RUNS and self._roster.is_proxy(process)
        ]
        answers = await asyncio.gather(
            *(self._gateway.status(member.client_url, ANSWER_DEADLINE_S) for _, member in asked)
        )
        return {
            process
            for (process, _), answer in zip(asked, answers, strict=True)
            if answer is not None and is_healthy(answer)
        }

    async def look(self, *, ask: bool = True) -> Look:
        """One round of answers, as selectors and judgements need them; without `ask`, none."""
        answers = await self.ask() if ask else {}
        candidates = tuple(
            self._candidate(process, answers.get(process)) for process in self._supervisor.processes
        )
        leader = claimed_leader(candidates)
        return Look(
            candidates=candidates,
            voters=self._voters.seen(answers),
            leader=leader.process if leader is not None else None,
            healthy=sum(
                is_healthy(answer) and not answer.is_learner for answer in answers.values()
            ),
        )

    def _candidate(self, process: str, answer: StatusAnswer | None) -> Candidate:
        member = self._roster.member(process).name if process in self._roster else None
        return Candidate(
            process=process,
            member=member,
            id=self._roster.id_of(process),
            role=self._role(process, answer),
            term=answer.term if answer is not None else None,
            running=self._supervisor.processes[process].state in RUNS,
            learner=self._roster.is_learner(process),
            outsider=self._roster.is_outsider(process)
            or self._supervisor.processes[process].state is ProcessState.REMOVED,
        )

    def _role(self, process: str, answer: StatusAnswer | None) -> Role | None:
        """What a member says it is; a proxy cannot be asked, its log told it."""
        if self._roster.is_proxy(process):
            return Role.PROXY if self._supervisor.processes[process].state in RUNS else None
        return role_of(answer) if answer is not None else None

    async def status(self, cluster: str, *, with_hash: bool = False) -> ClusterStatus:
        """The cluster now, in the shape of `status --json`."""
        answers, proxies = await asyncio.gather(self.ask(), self._proxies_that_serve())
        hashes = await self._hashes(answers) if with_hash else {}
        members = tuple(
            self._member(
                process, member, answers.get(process), hashes.get(process), process in proxies
            )
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
            quorum=quorum_of(
                [member for member in members if not self._roster.is_outsider(member.process)]
            ),
            members=members,
            processes=tuple(
                self._process(process)
                for name, process in self._supervisor.processes.items()
                if name not in self._roster
            ),
            faults=tuple(self._faults.told()),
            logs=LogView(leader=self._led_by_logs(), term=self._raft.term or None),
            bootstrap=self._bootstrap(),
        )

    async def detail(self, name: str) -> Detail:
        """One process from near; a member is asked for its peers and its figures. Raises KeyError."""
        process = self._supervisor.processes[name]
        spec, member = process.spec, process.spec.member
        peers = metrics = None
        if member is not None and process.state in RUNS:
            peers, metrics = await asyncio.gather(
                self._gateway.members(member.client_url, DETAIL_DEADLINE_S),
                self._gateway.metrics(member.metrics_url or member.client_url, DETAIL_DEADLINE_S),
            )
        return Detail(
            process=name,
            state=process.state,
            argv=spec.argv,
            cwd=spec.cwd,
            env=spec.env,
            env_drop=spec.env_drop,
            exit=process.exit,
            member=member,
            peers=peers,
            metrics=metrics,
        )

    def _led_by_logs(self) -> str | None:
        leader = self._raft.leader
        return None if leader is None else self._roster.member(leader).name

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
        voters, judgement = self._quorum_by(answers)
        if self._had_quorum and judgement.quorum_lost:
            answers = await self.ask(PATIENT_DEADLINE_S)
            voters, judgement = self._quorum_by(answers)
        if answers:
            self._notice_alarms(answers.values())
        has_quorum = bool(voters) and not judgement.quorum_lost
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
        up: frozenset[Alarm] = frozenset().union(*(answer.alarms for answer in answers))
        for kind, alarms in (
            (Kind.ALARM_RAISED, up - self._alarms),
            (Kind.ALARM_CLEARED, self._alarms - up),
        ):
            for alarm in sorted(alarms, key=lambda alarm: alarm.member_id):
                self._bus.publish(kind, self._roster.name_of(alarm.member_id), alarm=alarm.kind)
        self._alarms = up

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
        serves_as_proxy: bool,
    ) -> MemberStatus:
        supervised = self._supervisor.processes[process]
        cpu_percent, rss_bytes = self._measure(supervised)
        return MemberStatus(
            name=member.name,
            process=process,
            id=self._roster.id_of(process),
            pid=supervised.life.pid,
            state=supervised.state,
            role=self._role(process, answer),
            healthy=serves_as_proxy or (answer is not None and is_healthy(answer)),
            term=answer.term if answer is not None else None,
            revision=answer.revision if answer is not None else None,
            raft_index=answer.raft_index if answer is not None else None,
            raft_applied_index=answer.raft_applied_index if answer is not None else None,
            db_size_bytes=answer.db_size_bytes if answer is not None else None,
            hash=hash_,
            version=answer.version if answer is not None else _planned_version(member),
            client_url=member.client_url,
            peer_url=member.peer_url,
            metrics_url=member.metrics_url or member.client_url,
            data_dir=member.data_dir,
            cpu_percent=cpu_percent,
            rss_bytes=rss_bytes,
            restarts=supervised.life.restarts,
            uptime_s=_rounded(supervised.uptime_s),
            exit=supervised.exit if not supervised.state.alive else None,
            follows=self._roster.name_of(answer.leader) if answer and answer.leader else None,
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
            service=process.spec.service,
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
    return answer.leader is not None and not answer.alarms


def quorum_of(members: Iterable[MemberStatus]) -> Quorum:
    """Of the members of a cluster: voters, how many of them are needed, how many are healthy."""
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


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
