"""Measures what a verb does to the cluster: who leads, for how long nobody does, when reads fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.cluster.gaps import leaderless_s, longest_gap_s
from sandbox.cluster.settling import Judgement, Voter, judge
from sandbox.model.state import Quorum
from sandbox.model.verb import Verb
from sandbox.model.verdict import Claim, Verdict

if TYPE_CHECKING:
    from sandbox.cluster.faults import Faults
    from sandbox.cluster.monitor import Look, Monitor
    from sandbox.cluster.probe import Probe, Successes
    from sandbox.cluster.raft import RaftWatch
    from sandbox.cluster.roster import Roster
    from sandbox.cluster.voters import Voters

LOOK_EVERY_S = 0.025
"""How often the members are asked while a verb is measured."""

ELECTION_TIMEOUTS = 2
"""How many of them pass at least after a fault that the members find out by silence (SPEC §4)."""

STEPS_DOWN_TIMEOUTS = 4
"""A leader that is cut off steps down within two of them by its own clock, which may be a late one."""

READ_AFTER_S = 1.0
"""How long a read is waited for once a leader is agreed on."""

_FOUND_OUT_BY_SILENCE = frozenset({Verb.PAUSE, Verb.PARTITION, Verb.CUT, Verb.SLOW})


class Measure:
    """Makes measurements of one cluster."""

    def __init__(
        self,
        monitor: Monitor,
        roster: Roster,
        raft: RaftWatch,
        faults: Faults,
        voters: Voters,
        probe: Probe,
    ) -> None:
        self.monitor = monitor
        self.roster = roster
        self.raft = raft
        self.faults = faults
        self.voters = voters
        self._probe = probe

    @asynccontextmanager
    async def reading(self, *, wanted: bool) -> AsyncIterator[Measured]:
        """A measurement, with reads tried all the time of the block; none if it is not `wanted`."""
        async with AsyncExitStack() as stack:
            reads = await stack.enter_async_context(self._probe.watching()) if wanted else None
            measured = Measured(self, reads)
            stack.enter_context(self.raft.watched(measured.leads))
            yield measured


class Measured:
    """One measurement: `begin` before the deed, `verdict` after it."""

    def __init__(self, measure: Measure, reads: Successes | None) -> None:
        self._monitor = measure.monitor
        self._roster = measure.roster
        self._raft = measure.raft
        self._faults = measure.faults
        self._voters = measure.voters
        self._reads = reads
        self._changes: list[tuple[float, str | None]] = []
        self._before: Judgement | None = None
        self._term_before: int | None = None
        self._began = 0.0

    def leads(self, process: str | None) -> None:
        """The logs say that `process` leads from now on, or nobody."""
        if self._changes:
            self._changes.append((time.monotonic(), process))

    def begin(self, look: Look) -> None:
        """This is how it was before the deed."""
        self._before = judge(look.voters, self._faults.rules)
        self._term_before = _highest_term(look.voters) or self._raft.term or None
        self._began = time.monotonic()
        self._changes = [(self._began, look.leader)]

    async def verdict(self, verdict: Verdict, verb: Verb, deadline: float) -> Verdict:
        """Wait until the cluster has settled, `deadline` at the latest, and add the figures."""
        if self._reads is None or self._before is None:
            return verdict
        acted = time.monotonic()
        self._note_disabled(acted)
        done = any(target.done for target in verdict.processes)
        silent = done and verb in _FOUND_OUT_BY_SILENCE
        look, judgement, settled = await self._settle(acted, deadline, silent=silent)
        ended = time.monotonic()
        if judgement.leader is not None:
            await self._reads.one_after(ended, READ_AFTER_S)
        before = self._before.claims[0] if self._before.claims else None
        leader = judgement.leader
        return replace(
            verdict,
            leader_before=self._name(before),
            leader_after=self._name(leader),
            term_before=before.term if before else self._term_before,
            term_after=leader.term if leader else _highest_term(look.voters),
            leader_gap_s=_rounded(leaderless_s(self._changes, ended) if leader else None),
            read_gap_s=_rounded(longest_gap_s(self._reads.times, self._began) if leader else None),
            quorum=Quorum(
                voters=len(look.voters),
                needed=judgement.needed,
                healthy=look.healthy,
                ok=not judgement.quorum_lost and look.healthy >= judgement.needed,
            ),
            leaders=tuple(
                Claim(member=self._name(voter) or "", term=voter.term or 0)
                for voter in judgement.claims
            ),
            leaderless=tuple(
                self._name(voter) or ""
                for voter in look.voters
                if voter.running and voter.term is not None and voter.follows is None
            ),
            up=sum(voter.running for voter in look.voters),
            reach=judgement.reach,
            settled=settled,
        )

    async def _settle(
        self, acted: float, deadline: float, *, silent: bool
    ) -> tuple[Look, Judgement, bool]:
        timeouts = (member.election_timeout_s for _, member in self._roster.items())
        timeout_s = max(timeouts, default=0.0)
        earliest = acted + (ELECTION_TIMEOUTS * timeout_s if silent else 0.0)
        stepped_down = acted + STEPS_DOWN_TIMEOUTS * timeout_s
        agreed: tuple[str, int | None] | None = None
        while True:
            look = await self._monitor.look()
            judgement = judge(look.voters, self._faults.rules)
            now = time.monotonic()
            self._compare(judgement, now)
            leader = judgement.leader
            found = (leader.process, leader.term) if leader else None
            over = judgement.quorum_lost or (found is not None and found == agreed)
            believes = silent and not all(
                self._voters.could_lead(voter.process) for voter in judgement.claims
            )
            if over and now >= (stepped_down if believes else earliest):
                return look, judgement, True
            if now >= deadline:
                return look, judgement, False
            agreed = found
            await asyncio.sleep(LOOK_EVERY_S)

    def _note_disabled(self, moment: float) -> None:
        """A leader that was paused or cut off can lead no more, though no log says so yet."""
        leader = self._changes[-1][1]
        if leader is not None and not self._voters.could_lead(leader):
            self._changes.append((moment, None))

    def _compare(self, judgement: Judgement, moment: float) -> None:
        """What the members answer, where the logs say less: one that went on leading, or no logs."""
        known = self._changes[-1][1]
        if judgement.leader is not None and known is None:
            self._changes.append((moment, judgement.leader.process))
        elif known is not None and not judgement.claims and not self._raft.term:
            self._changes.append((moment, None))

    def _name(self, voter: Voter | None) -> str | None:
        return self._roster.title(voter.process) if voter is not None else None


def _highest_term(voters: Sequence[Voter]) -> int | None:
    return max((voter.term for voter in voters if voter.term is not None), default=None)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
