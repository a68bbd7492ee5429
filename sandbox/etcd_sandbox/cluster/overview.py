"""What `status` and a look from near show: the members, the quorum, and what else is to be said of them."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from etcd_sandbox import __version__
from etcd_sandbox.cluster.meters import Meters, is_alone
from etcd_sandbox.cluster.quorum import (
    ANSWER_DEADLINE_S,
    claimant,
    claimants,
    differing,
    differing_hashes,
    is_healthy,
    proven_leader,
    quorum_of,
    still_differing,
    term_of_cluster,
)
from etcd_sandbox.cluster.settling import judge
from etcd_sandbox.etcd.answers import is_about_users
from etcd_sandbox.etcd.failures import LINES_OF_LOG, log_trouble
from etcd_sandbox.etcd.troubles import LATE, USUAL_AT_START
from etcd_sandbox.model.access import WANTS_USER
from etcd_sandbox.model.spec import MemberSpec
from etcd_sandbox.model.state import (
    AlarmStatus,
    BootstrapStatus,
    ClusterStatus,
    ListedMember,
    LogView,
    MemberStatus,
    ProcessState,
    ProcessStatus,
    Quorum,
    SupervisorStatus,
)
from etcd_sandbox.plan.listed import moved_words

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from etcd_sandbox.cluster.members import Members
    from etcd_sandbox.etcd.answers import Hashed, StatusAnswer
    from etcd_sandbox.supervise.supervisor import Supervised

_T = TypeVar("_T")

NOT_LISTED = "is not on etcd's list of members"

STATUS_PATIENCE_S = 1.0
"""What late members have for their answers, and reads for theirs, where a quorum is not proved yet."""

LOGIN_PATIENCE_S = 2.0
"""How long the token of a user who was given just now is waited for."""

_ANSWERED = ("term", "revision", "raft_index", "raft_applied_index", "db_size_bytes")
"""What a member's status has as the member told it; None where it does not answer."""

SAME_AGAIN_S = 0.05
"""How long two members have to give the same answers before their data are told to differ."""


class Overview:
    """The members and processes of one cluster as they are now."""

    def __init__(self, members: Members, bootstrap: Callable[[], BootstrapStatus]) -> None:
        self._members = members
        self._bootstrap = bootstrap
        self._meters = Meters()
        self._began = time.monotonic()

    async def status(self, cluster: str, *, with_hash: bool = False) -> ClusterStatus:
        """The cluster now, in the shape of `status --json`."""
        answers, proxies = await asyncio.gather(
            self._members.questions.ask_all(figures=True), self._proxies_that_serve()
        )
        if await self._members.gateway.login.settled(LOGIN_PATIENCE_S):
            answers = await self._members.questions.ask_all(figures=True)
        await self._members.questions.learn_list(answers)
        if self._members.elsewhere.keys() - answers.keys():
            answers = await self._members.questions.ask_all(known=answers, figures=True)
        answers, quorum = await self._patiently(answers)
        if (
            self._members.gateway.login.user is not None
            and self._members.gateway.authentication is None
        ):
            # 3.4 and older 3.5 tell anybody of themselves: only keys are for users.
            await self._members.questions.read_is_served(list(answers), ANSWER_DEADLINE_S)
        hashes = await self._hashes(answers) if with_hash else {}
        leads = claimant(answers)
        term = term_of_cluster(answers, leads)
        if leads is None and (leads := self._unheard_leader(answers, quorum)) is not None:
            term = self._members.raft.term
        elsewhere = self._elsewhere(answers)
        apart = await self._other_clusters(answers, leads)
        members = tuple(
            replace(
                self._member(process, member, answers, hashes, process in proxies),
                own_cluster=process in apart,
            )
            for process, member in self._members.items()
        )
        return ClusterStatus(
            schema=1,
            cluster=cluster,
            supervisor=SupervisorStatus(
                pid=os.getpid(),
                version=__version__,
                uptime_s=round(time.monotonic() - self._began, 3),
            ),
            leader=self._title(leads),
            term=term,
            quorum=quorum,
            members=members,
            processes=tuple(
                self._process(process)
                for name, process in self._members.processes.items()
                if name not in self._members
            ),
            faults=tuple(self._members.faults.told()),
            planned=tuple(self._members.faults.plans.told()),
            logs=LogView(
                leader=self._title(self._members.leader), term=self._members.raft.term or None
            ),
            bootstrap=self._bootstrap(),
            alarms=_alarms(answers, self._members),
            elsewhere=tuple(elsewhere.values()),
            authentication=self._members.gateway.authentication,
            notes=(
                *await self._differences(answers),
                *await self._other_hashes(answers, hashes),
                *apart.values(),
                *(
                    moved_words(self._members.member(process), urls)
                    for process, urls in self._members.moved.items()
                ),
            ),
        )

    def _title(self, process: str | None) -> str | None:
        return None if process is None else self._members.title(process)

    async def _patiently(
        self, answers: dict[str, StatusAnswer]
    ) -> tuple[dict[str, StatusAnswer], Quorum]:
        """The quorum, with the answers that prove it: late is not dead.

        Where the answers in time prove none, though the members that run could be one, the late ones
        get more time, and a read that is served proves it as well.
        """
        voters = self._members.seen(answers)
        quorum = quorum_of(voters, answers)
        if quorum.ok or not quorum.late or judge(voters, self._members.rules).quorum_lost:
            return answers, quorum
        running = [voter.process for voter in voters if voter.running]
        more, served = await asyncio.gather(
            self._members.questions.ask_all(STATUS_PATIENCE_S, known=answers, figures=True),
            self._members.questions.read_is_served(running, STATUS_PATIENCE_S),
        )
        # Meanwhile the first ones may have elected a leader.
        more |= await self._members.questions.ask_all(figures=True)
        quorum = quorum_of(self._members.seen(more), more)
        return more, replace(quorum, ok=served) if served else quorum

    def _unheard_leader(self, answers: dict[str, StatusAnswer], quorum: Quorum) -> str | None:
        """Who leads by the logs and by those who follow, and does not answer itself: late, or being stopped."""
        logged = self._members.raft.leader
        if logged is None or not self._members.could_lead(logged):
            return None
        return proven_leader(logged, self._members.seen(answers), quorum)

    async def _differences(self, answers: dict[str, StatusAnswer]) -> list[str]:
        if not differing(answers):
            return []
        await asyncio.sleep(SAME_AGAIN_S)
        again = await self._members.ask()
        return [
            f"the data of {self._members.title(one)} and {self._members.title(other)} differ: both have "
            f"applied entry {again[one].raft_applied_index}, and one is at revision "
            f"{again[one].revision}, the other at {again[other].revision}"
            for one, other in sorted(still_differing(answers, again))
        ]

    async def _other_hashes(
        self, answers: dict[str, StatusAnswer], hashes: dict[str, Hashed | None]
    ) -> list[str]:
        if not (pairs := differing_hashes(answers, hashes)):
            return []
        await asyncio.sleep(SAME_AGAIN_S)
        again = await self._hashes({process for pair in pairs for process in pair})
        told = []
        for pair in sorted(pairs & differing_hashes(answers, again)):
            (one, left), (other, right) = ((each, again[each]) for each in pair)
            assert left is not None
            assert right is not None
            told.append(
                f"the data of {self._members.title(one)} and {self._members.title(other)} differ: both are at "
                f"revision {left.revision}, with the hashes {left.hash} and {right.hash}"
            )
        return told

    async def _other_clusters(
        self, answers: dict[str, StatusAnswer], leads: str | None
    ) -> dict[str, str]:
        """Who leads by a list of members of its own, in words: a new cluster was made of its data."""
        claims = [key for key in claimants(answers) if key in self._members]
        if len(claims) < 2 or leads not in claims:
            return {}
        known = await _of_each(claims, self._members.questions.list_of)
        most = known[leads]
        return {
            key: f"{self._members.title(key)} leads a cluster of its own: {size} {'is' if size == 1 else 'are'} "
            f"on its list of members, {most} on that of {self._members.title(leads)}"
            for key, size in known.items()
            if None not in (size, most) and size != most
        }

    def _elsewhere(self, answers: dict[str, StatusAnswer]) -> dict[str, ListedMember]:
        return {
            key: ListedMember(
                id=key,
                name=peer.name,
                peer_urls=peer.peer_urls,
                client_urls=peer.client_urls,
                learner=peer.is_learner,
                started=bool(peer.client_urls),
                answers=key in answers,
                remnant=key in self._members.remnants,
            )
            for key, peer in self._members.elsewhere.items()
        }

    async def _proxies_that_serve(self) -> set[str]:
        """The proxies through which a healthy member answers; what it says is not the proxy's."""
        asked = (
            process
            for process in self._members.names
            if self._members.runs(process) and self._members.is_proxy(process)
        )
        ask = self._members.questions.one
        answers = await _of_each(asked, lambda process: ask(process, ANSWER_DEADLINE_S))
        return {process for process, answer in answers.items() if answer and is_healthy(answer)}

    async def _hashes(self, names: Iterable[str]) -> dict[str, Hashed | None]:
        urls = {name: member.client_url for name, member in self._members.items()}
        hash_kv = self._members.gateway.hash_kv
        return await _of_each(
            (name for name in names if name in urls), lambda name: hash_kv(urls[name], 2.0)
        )

    def _member(
        self,
        process: str,
        member: MemberSpec,
        answers: dict[str, StatusAnswer],
        hashes: dict[str, Hashed | None],
        serves_as_proxy: bool,
    ) -> MemberStatus:
        # What one said that has ended since is nothing that it says now.
        answer = answers.get(process) if self._members.runs(process) else None
        hashed = hashes.get(process) if answer is not None else None
        told: dict[str, Any] = {name: getattr(answer, name, None) for name in _ANSWERED}
        return MemberStatus(
            name=member.name,
            process=process,
            id=self._members.id_of(process),
            role=self._members.role(process, answer),
            healthy=serves_as_proxy or (answer is not None and is_healthy(answer)),
            hash=hashed.hash if hashed is not None else None,
            version=(answer.version if answer is not None else "")
            or (member.etcd.version if member.etcd is not None else None),
            client_url=member.advertised_client_url,
            asked_url=member.client_url,
            peer_url=member.peer_url,
            metrics_url=member.metrics_url or member.client_url,
            data_dir=member.data_dir,
            follows=self._members.name_of(answer.leader) if answer and answer.leader else None,
            alarms=_alarms_of(answer, answers),
            why=self._why(process, answers, serves_as_proxy=serves_as_proxy),
            **told,
            **self._of_process(self._members.processes[process]),
        )

    def _process(self, process: Supervised) -> ProcessStatus:
        return ProcessStatus(
            name=process.name,
            command=process.spec.shown,
            service=process.spec.service,
            **self._of_process(process),
        )

    def _of_process(self, process: Supervised) -> dict[str, Any]:
        """What a member's status and that of any other process have in common."""
        pid, uptime_s = process.life.pid, process.uptime_s
        cpu_percent = rss_bytes = None
        if pid is not None:
            if not self._meters.knows(pid):
                self._meters.keep({each.life.pid for each in self._members.processes.values()})
            cpu_percent, rss_bytes = self._meters.measure(pid, alone=is_alone(process.spec))
        return {
            "pid": pid,
            "state": process.state,
            "cpu_percent": cpu_percent,
            "rss_bytes": rss_bytes,
            "restarts": process.life.restarts,
            "uptime_s": None if uptime_s is None else round(uptime_s, 3),
            "exit": process.exit if not process.state.alive else None,
        }

    # Why a member that runs is not well, in words.

    def _why(
        self, process: str, answers: Mapping[str, StatusAnswer], *, serves_as_proxy: bool
    ) -> str | None:
        """What is to be said of the member, as the end of a sentence about it; None where all is well."""
        if not self._members.runs(process) or serves_as_proxy:
            return None
        answer = answers.get(process)
        if answer is None:
            return self._silent(process)
        if answer.refusal is not None:
            return self._refusing(answer.refusal)
        twin = next(
            (
                name
                for name, other in answers.items()
                if name != process and other.member_id == answer.member_id
            ),
            None,
        )
        url = self._members.member(process).client_url
        if ended := self._members.gateway.certificate_trouble(url):
            return ended
        if twin is not None:
            return f"has the client URL at which {self._members.title(twin)} answers"
        if self._members.is_listed(process) is False:
            return self._in_log(process) or NOT_LISTED
        return None if answer.leader is not None else self._in_log(process) or "knows no leader"

    def _silent(self, process: str) -> str:
        trouble = self._members.gateway.trouble(self._members.member(process).client_url) or LATE
        said = self._in_log(process)
        starting = self._members.processes[process].state is ProcessState.STARTING
        if starting and trouble in USUAL_AT_START:
            return said or "does not serve clients yet"
        return said if said is not None and trouble == LATE else trouble

    def _refusing(self, refusal: str) -> str:
        login = self._members.gateway.login
        if not is_about_users(0, refusal):
            return f"answers, but refuses to tell of itself: {refusal}"
        if login.user is None:
            return WANTS_USER
        if login.refused is None and login.token is None:
            return f"{WANTS_USER}, and {login.user.name} has no token yet"
        reason = login.refused or refusal.removeprefix("etcdserver: ")
        return f"answers, but not to the user {login.user.name}: {reason}"

    def _in_log(self, process: str) -> str | None:
        return log_trouble(self._members.last_lines(process, LINES_OF_LOG))


async def _of_each(names: Iterable[str], ask: Callable[[str], Awaitable[_T]]) -> dict[str, _T]:
    """What each of these answers, all asked at once."""
    asked = list(names)
    return dict(zip(asked, await asyncio.gather(*map(ask, asked)), strict=True))


def _alarms_of(answer: StatusAnswer | None, answers: dict[str, StatusAnswer]) -> tuple[str, ...]:
    """The alarms that a member has raised, whoever reports them."""
    if answer is None:
        return ()
    up = {alarm for each in answers.values() for alarm in each.alarms}
    return tuple(sorted(alarm.kind for alarm in up if alarm.member_id == answer.member_id))


def _alarms(answers: dict[str, StatusAnswer], members: Members) -> tuple[AlarmStatus, ...]:
    up = {alarm for answer in answers.values() for alarm in answer.alarms}
    return tuple(
        AlarmStatus(
            alarm=alarm.kind,
            member=None if alarm.member_id is None else members.name_of(alarm.member_id),
        )
        for alarm in sorted(up, key=lambda alarm: (alarm.kind, alarm.member_id or ""))
    )
