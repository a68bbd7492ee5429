"""What the voters have said since a deed, round by round: late is not dead. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from etcd_sandbox.cluster.settling import Voter

LEAST_S, MOST_S = 0.15, 2.0
"""What members have for their answers at least (SPEC §7), and at most: deadlines follow what the machine can do."""

FRESH_S = 3.0
"""How old an answer may be that stands for one that is late."""

PATIENCE_S = 2.0
"""For how long a voter that runs and is silent is waited for, once the others agree."""


class Evidence:
    """The newest answer of each voter to a question that was asked after the deed, at `since`."""

    def __init__(self, since: float) -> None:
        self.voters: tuple[Voter, ...] = ()
        self._since = since
        self._deadline_s = LEAST_S / 2
        self._answers: dict[str, tuple[float, Voter]] = {}
        self._silent_since: dict[str, float] = {}

    def take(self, voters: Sequence[Voter], asked: float, now: float) -> None:
        """One more round, asked at the moment `asked`."""
        for voter in voters:
            if voter.answered and asked >= self._since:
                self._answers[voter.process] = (asked, voter)
            if voter.answered or not voter.running:
                self._silent_since.pop(voter.process, None)
            else:
                self._silent_since.setdefault(voter.process, asked)
        self.voters = tuple(self._known(voter, now) for voter in voters)

    def excused(self, now: float) -> frozenset[str]:
        """Who is silent for so long that the others do not wait for it any more."""
        return frozenset(
            process for process, since in self._silent_since.items() if now - since >= PATIENCE_S
        )

    def deadline_s(self, now: float) -> float:
        """What the members have for their next answer: twice as long each time that one was late."""
        late = self._silent_since.keys() - self.excused(now)
        self._deadline_s = min(MOST_S, 2 * self._deadline_s) if late else LEAST_S
        return self._deadline_s

    def _known(self, voter: Voter, now: float) -> Voter:
        """The voter with what it last said, where it is late; a process that has ended says nothing."""
        asked, answer = self._answers.get(voter.process, (0.0, voter))
        if voter.answered or not voter.running or now - asked > FRESH_S:
            return voter
        return replace(answer, running=voter.running)


def highest_term(voters: Sequence[Voter]) -> int | None:
    """The highest term that any of them says; None when none says any."""
    return max((voter.term for voter in voters if voter.term is not None), default=None)
