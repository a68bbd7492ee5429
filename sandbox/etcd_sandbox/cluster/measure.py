"""Measures what a verb does to the cluster: who leads, for how long nobody does, how clients are served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from etcd_sandbox.cluster.gaps import leaderless_s, leaderless_spans, service_of
from etcd_sandbox.cluster.settling import Evidence, Judgement, Voter, highest_term, judge
from etcd_sandbox.model.service import LATE_S, LostWrites, Service
from etcd_sandbox.model.state import Quorum
from etcd_sandbox.model.verdict import Claim, Verdict
from etcd_sandbox.verbs import Verb

if TYPE_CHECKING:
    from etcd_sandbox.cluster.members import Members, Observation
    from etcd_sandbox.cluster.probe import Probe, Record

READ_EVERY_S = 0.02
"""How often reads are tried while a verb is measured (SPEC §4): the gap's resolution."""

WRITE_EVERY_S = 0.2

LOOK_EVERY_S = 0.025
"""How often up to three members are asked while a verb is measured; more members, less often."""

ELECTION_TIMEOUTS = 2
"""How many of them pass at least after a fault that the members find out by silence (SPEC §4)."""

STEPS_DOWN_TIMEOUTS = 4
"""A leader that is cut off steps down within two of them by its own clock, which may be a late one."""

SERVED_AFTER_S = 1.0
"""How long a request that is served is waited for once a leader is agreed on."""

STILL_WAITED_S = 8.0
"""How long reads are waited for that have no answer yet, not even an error: etcd's own limit is 7 s."""

ETCD_WAITS_S = 5.0
"""What etcd gives a proposal, besides two election timeouts (etcd: `server/config`, ReqTimeout)."""


class Measure:
    """Makes measurements of one cluster."""

    def __init__(self, members: Members, reads: Probe, writes: Probe) -> None:
        self.members = members
        self._reads = reads
        self._writes = writes

    @asynccontextmanager
    async def reading(self, *, wanted: bool) -> AsyncIterator[Measured]:
        """A measurement, with requests tried all the time of the block; none if it is not `wanted`."""
        with ExitStack() as stack:
            tried: tuple[Record, Record] | None = None
            if wanted:
                tried = (
                    stack.enter_context(self._reads.watching(READ_EVERY_S)),
                    stack.enter_context(self._writes.watching(WRITE_EVERY_S, at_a_time=1)),
                )
            measured = Measured(self, tried)
            stack.enter_context(self.members.raft.watched(measured.leads))
            yield measured


class Measured:
    """One measurement: `begin` before the deed, `verdict` after it."""

    def __init__(self, measure: Measure, tried: tuple[Record, Record] | None) -> None:
        self._members = measure.members
        self._tried = tried
        self._changes: list[tuple[float, str | None]] = []
        self._before: Judgement | None = None
        self._term_before: int | None = None
        self._began = 0.0
        self._unseen = False

    def leads(self, moment: float, process: str | None) -> None:
        """The logs say that `process` leads from that moment on, or nobody."""
        if self._changes:
            self._changed(max(moment, self._changes[-1][0]), process)

    def _changed(self, moment: float, process: str | None) -> None:
        if self._unseen and len(self._changes) == 1 and self._changes[0][1] is None:
            self._changes.clear()
        self._changes.append((moment, process))

    def begin(self, look: Observation) -> None:
        """This is how it was before the deed."""
        self._members.raft.flush()
        self._before = judge(
            look.voters,
            self._members.rules,
            excused=[voter.process for voter in look.voters],
            proven=self._led_by_logs(),
        )
        self._term_before = highest_term(look.voters) or self._members.raft.term or None
        self._began = time.monotonic()
        leader, since = look.leader, self._members.raft.leaderless_since
        if leader is None and self._before.leader is not None:
            leader = self._before.leader.process
        if leader is not None and not self._members.could_lead(leader):
            # It says so still, but nothing that it was told since was agreed to.
            leader = None
        if leader is None and since is not None:
            # It was without one for longer than it is looked at.
            self._began = min(self._began, since)
        # Where nothing ran that would have said so, no answer and no log says that nobody led.
        self._unseen = (
            leader is None
            and since is None
            and not any(voter.answered and voter.process in self._members for voter in look.voters)
        )
        self._changes = [(self._began, leader)]

    async def verdict(self, verdict: Verdict, verb: Verb, deadline: float) -> Verdict:
        """Wait until the cluster has settled, `deadline` at the latest, and add the figures."""
        if self._tried is None or self._before is None:
            return verdict
        acted = time.monotonic()
        self._note_disabled(acted)
        done = any(target.done for target in verdict.processes)
        silent = done and verb.silent
        evidence, judgement, settled = await self._settle(acted, deadline, silent=silent)
        ended, leader = time.monotonic(), judgement.leader
        if leader is not None:
            await self._served_after(ended, deadline)
        self._members.raft.flush()
        before = self._before.claims[0] if self._before.claims else None
        voters = evidence.voters
        reads, writes, lost = self._service(acted) if leader is not None else (None, None, None)
        gap_s = leaderless_s(self._changes, ended) if leader is not None else None
        healthy = sum(voter.running and voter.follows is not None for voter in voters)
        return replace(
            verdict,
            leader_before=self._name(before),
            leader_after=self._name(leader),
            term_before=before.term if before else self._term_before,
            term_after=leader.term if leader else highest_term(voters),
            leader_gap_s=_rounded(None if self._unseen and not gap_s else gap_s),
            read_gap_s=reads.gap_s if reads is not None else None,
            reads=reads,
            writes=writes,
            lost_writes=lost,
            quorum=Quorum(
                voters=len(voters),
                needed=judgement.needed if voters else 0,
                healthy=healthy,
                ok=not judgement.quorum_lost and (leader is not None or healthy >= judgement.needed)
                if voters
                else None,
            ),
            leaders=tuple(
                Claim(member=self._name(voter) or "", term=voter.term) for voter in judgement.claims
            ),
            leaderless=tuple(
                self._name(voter) or ""
                for voter in voters
                if voter.running and voter.answered and voter.follows is None
            ),
            silent=tuple(
                self._name(voter) or "" for voter in voters if voter.running and not voter.answered
            ),
            up=sum(voter.running for voter in voters),
            reach=judgement.reach,
            settled=settled,
        )

    async def _settle(
        self, acted: float, deadline: float, *, silent: bool
    ) -> tuple[Evidence, Judgement, bool]:
        timeout_s = self._election_timeout_s
        earliest = acted + (ELECTION_TIMEOUTS * timeout_s if silent else 0.0)
        stepped_down = acted + STEPS_DOWN_TIMEOUTS * timeout_s
        agreed: tuple[str, int | None] | None = None
        evidence = Evidence(acted)
        while True:
            asked = time.monotonic()
            look = await self._members.look(deadline_s=evidence.deadline_s(asked))
            if not look.voters:
                # Only learners are of this cluster: those with a vote are on etcd's list.
                await self._members.learn_list()
                look = await self._members.look(deadline_s=evidence.deadline_s(asked))
            now = time.monotonic()
            self._members.raft.flush()
            evidence.take(look.voters, asked, now)
            judgement = judge(
                evidence.voters,
                self._members.rules,
                excused=evidence.excused(now),
                proven=self._proven(acted),
            )
            self._compare(judgement, asked, now)
            leader = judgement.leader
            found = (leader.process, leader.term) if leader else None
            over = judgement.quorum_lost or (found is not None and found == agreed)
            believes = silent and not all(
                self._members.could_lead(voter.process) for voter in judgement.claims
            )
            if over and now >= (stepped_down if believes else earliest):
                return evidence, judgement, True
            if now >= deadline:
                return evidence, judgement, False
            agreed = found
            await asyncio.sleep(
                max(LOOK_EVERY_S * len(self._members) / 3, LOOK_EVERY_S, now - asked)
            )

    @property
    def _election_timeout_s(self) -> float:
        return max((member.election_timeout_s for _, member in self._members.items()), default=0.0)

    def _proven(self, acted: float) -> Voter | None:
        """The leader that the logs name, if a read was served since that it alone can have served."""
        assert self._tried is not None
        leader, (reads, _) = self._led_by_logs(), self._tried
        since = max(acted, self._members.raft.leads_since)
        served = any(each.served and each.began > since for each in reversed(reads.tries))
        return leader if served else None

    def _led_by_logs(self) -> Voter | None:
        raft = self._members.raft
        if raft.leader is None or not self._members.could_lead(raft.leader):
            return None
        return Voter(
            process=raft.leader, running=True, answered=True, follows=raft.leader, term=raft.term
        )

    async def _served_after(self, ended: float, deadline: float) -> None:
        """Wait until both kinds of requests are served again; for as long as etcd, if none is answered."""
        assert self._tried is not None
        reads, writes = self._tried
        served, _ = await asyncio.gather(
            reads.served_after(ended, SERVED_AFTER_S), writes.served_after(ended, SERVED_AFTER_S)
        )
        if not served and reads.pending:
            left_s = min(STILL_WAITED_S, deadline - time.monotonic())
            await reads.served_after(ended, max(0.0, left_s))

    def _service(self, acted: float) -> tuple[Service | None, Service | None, LostWrites | None]:
        """How reads and writes were served, and how many writes are lost."""
        assert self._tried is not None
        reads, writes = self._tried
        ended = time.monotonic()
        led = self._changes[-1][0]
        calm = max(acted, led)
        spans = leaderless_spans(self._changes, ended)
        waiting = [] if writes.unknown else writes.pending
        lost = [began for began in waiting if self._began <= began < led and ended - began > LATE_S]
        waits_s = ETCD_WAITS_S + ELECTION_TIMEOUTS * self._election_timeout_s
        # What one refused before it was known to be a learner is no failure: learners serve none.
        learners = {
            member.client_url
            for process, member in self._members.items()
            if self._members.is_learner(process)
        }
        found = [
            None
            if record.unknown
            else service_of(
                [each for each in record.tries if each.served or each.where not in learners],
                pending,
                self._began,
                ended,
                calm=calm,
                leaderless=spans,
                untried=record.untried,
            )
            for record, pending in (
                (reads, reads.pending),
                (writes, [began for began in writes.pending if began not in lost]),
            )
        ]
        return found[0], found[1], LostWrites(count=len(lost), within_s=waits_s) if lost else None

    def _note_disabled(self, moment: float) -> None:
        """A leader that was paused or cut off can lead no more, though no log says so yet."""
        leader = self._changes[-1][1]
        if leader is not None and not self._members.could_lead(leader):
            self._members.raft.disabled(leader, moment)
            self._changes.append((moment, None))

    def _compare(self, judgement: Judgement, asked: float, moment: float) -> None:
        """What the members answer, where the logs say less: one that went on leading, or no logs."""
        known = self._changes[-1][1]
        if judgement.leader is not None:
            self._members.raft.leads_on(judgement.leader.process, asked)
        if judgement.leader is not None and known is None:
            self._changed(moment, judgement.leader.process)
        elif known is not None and not judgement.claims and not self._members.raft.term:
            self._changes.append((moment, None))

    def _name(self, voter: Voter | None) -> str | None:
        return self._members.title(voter.process) if voter is not None else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
