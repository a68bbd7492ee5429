"""Who has a vote in the living cluster, and whether a member could take part in an election."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sandbox.cluster.settling import Voter, judge, reached_by
from sandbox.model.state import ProcessState

if TYPE_CHECKING:
    from sandbox.cluster.faults import Faults
    from sandbox.cluster.roster import Roster
    from sandbox.etcd.gateway import StatusAnswer
    from sandbox.supervise.supervisor import Supervisor

RUNS = (ProcessState.STARTING, ProcessState.RUNNING)
"""The states of a process that can answer."""


class Voters:
    """The members with a vote, as their processes and the links between them are now."""

    def __init__(self, supervisor: Supervisor, roster: Roster, faults: Faults) -> None:
        self._supervisor = supervisor
        self._roster = roster
        self._faults = faults

    def seen(self, answers: Mapping[str, StatusAnswer]) -> tuple[Voter, ...]:
        """Every member with a vote, with what it answered."""
        found = []
        for name in self._roster.names:
            state, answer = self._supervisor.processes[name].state, answers.get(name)
            if state is ProcessState.REMOVED or not self._roster.may_vote(name):
                continue
            leader = answer.leader if answer is not None else None
            found.append(
                Voter(
                    process=name,
                    running=state in RUNS,
                    follows=self._roster.process_of(leader) if leader is not None else None,
                    term=answer.term if answer is not None else None,
                )
            )
        return tuple(found)

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
