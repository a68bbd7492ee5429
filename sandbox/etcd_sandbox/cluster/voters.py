"""Who has a vote in the living cluster, and whether a member could take part in an election."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from etcd_sandbox.cluster.settling import Voter, judge, reached_by
from etcd_sandbox.model.state import ProcessState

if TYPE_CHECKING:
    from etcd_sandbox.cluster.faults import Faults
    from etcd_sandbox.cluster.roster import Roster
    from etcd_sandbox.etcd.answers import StatusAnswer
    from etcd_sandbox.supervise.supervisor import Supervisor

RUNS = (ProcessState.STARTING, ProcessState.RUNNING)
"""The states of a process that can answer."""

VOTES = (*RUNS, ProcessState.STOPPING)
"""The states of a process that votes: one that is being stopped answers no client any more, but leads,
and serves the reads that others hand on to it, until it has handed over."""


class Voters:
    """The members with a vote, as their processes and the links between them are now."""

    def __init__(self, supervisor: Supervisor, roster: Roster, faults: Faults) -> None:
        self._supervisor = supervisor
        self._roster = roster
        self._faults = faults
        self._up_elsewhere: frozenset[str] = frozenset()

    def seen(self, answers: Mapping[str, StatusAnswer]) -> tuple[Voter, ...]:
        """Every member with a vote, with what it answered.

        Those on etcd's list that are no process of this cluster are among them, by their ID.
        """
        found = []
        for name in self._roster.voters:
            answer = answers.get(name)
            leader = answer.leader if answer is not None else None
            found.append(
                Voter(
                    process=name,
                    running=self.runs(name),
                    answered=answer is not None and answer.tells_whom_it_follows,
                    follows=None if leader is None else self._roster.process_of(leader) or leader,
                    term=answer.term if answer is not None else None,
                )
            )
        return tuple(found)

    def seen_elsewhere(self, ids: Collection[str]) -> None:
        """These entries of etcd's list, no processes of this cluster, answered just now."""
        self._up_elsewhere = frozenset(ids)

    def runs(self, name: str) -> bool:
        """Whether the voter can vote: by its process, or because it answered, where it is none of ours."""
        if name in self._roster:
            return self._supervisor.processes[name].state in VOTES
        return name in self._up_elsewhere

    def could_elect(self) -> bool:
        """Whether enough of them run and reach each other to elect a leader."""
        return not judge(self.seen({}), self._faults.rules).quorum_lost

    def could_lead(self, process: str) -> bool:
        """Whether the voter runs and reaches as many as it needs to be elected, and to stay so."""
        voters = self.seen({})
        return len(reached_by(process, voters, self._faults.rules)) >= len(voters) // 2 + 1

    def reaches_quorum(self, process: str) -> bool:
        """Whether the member, with a vote or without, has a quorum that it could follow."""
        votes = any(voter.process == process for voter in self.seen({}))
        return self.could_lead(process) if votes else self.could_elect()
