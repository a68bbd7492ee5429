"""Whether a cluster has settled: one round of answers judged, and what the voters said round by round. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.model.fault import Pair, Rule, are_linked


class Voter(Struct, frozen=True, kw_only=True):
    """A voter as it was seen: whether it answered, whom it follows, and its term, None where not known."""

    process: str
    running: bool
    answered: bool = False
    follows: str | None = None
    term: int | None = None

    @property
    def claims(self) -> bool:
        """It says that it leads."""
        return self.follows == self.process


class Judgement(Struct, frozen=True, kw_only=True):
    """`leader` is the voter whom everyone within its reach follows, None while there is none.

    `claims` are all who say that they lead, the highest term first. `reach` is how many running
    voters the best placed of them reaches, itself included; `needed` how many a quorum takes.
    """

    leader: Voter | None
    claims: tuple[Voter, ...]
    reach: int
    needed: int

    @property
    def quorum_lost(self) -> bool:
        """No voter reaches as many as it would need to be elected."""
        return self.reach < self.needed


def judge(
    voters: Sequence[Voter],
    rules: Mapping[Pair, Rule],
    *,
    excused: Collection[str] = (),
    proven: Voter | None = None,
) -> Judgement:
    """What one round of answers means under the rules on the links.

    All within reach of a leader must follow it; those of the `excused` that say nothing need not, as long
    as a quorum does. `proven` is who leads by other proof: it counts where answers are missing, and
    no answer speaks of a later term or of another leader in the same.
    """
    running = [voter for voter in voters if voter.running]
    needed = len(voters) // 2 + 1
    claims = sorted(
        (voter for voter in running if voter.claims), key=lambda voter: -(voter.term or 0)
    )
    leader = next(iter(claims), None)
    if leader is not None:
        reached = reached_by(leader.process, voters, rules)
        asked = [voter for voter in reached if voter.answered or voter.process not in excused]
        agreed = all(
            voter.follows == leader.process and voter.term == leader.term for voter in asked
        )
        leader = leader if agreed and len(asked) >= needed else None
    if leader is None and proven is not None and _may_lead(proven, running, excused):
        leader = proven
        claims = [proven, *(voter for voter in claims if voter.process != proven.process)]
    return Judgement(
        leader=leader,
        claims=tuple(claims),
        reach=max((len(reached_by(voter.process, voters, rules)) for voter in running), default=0),
        needed=needed,
    )


def _may_lead(proven: Voter, running: Sequence[Voter], excused: Collection[str]) -> bool:
    """Whether only the silence of some keeps the answers from saying the same."""
    silent = [voter for voter in running if not voter.answered]
    term = proven.term or 0
    return (
        bool(silent)
        and all(voter.process in excused for voter in silent)
        and all(
            (voter.term is not None and voter.term < term)
            or (voter.term in (None, term) and voter.follows in (None, proven.process))
            for voter in running
        )
    )


def reached_by(
    process: str, voters: Sequence[Voter], rules: Mapping[Pair, Rule]
) -> tuple[Voter, ...]:
    """The running voters that `process`, if it runs itself, has an uncut link to, and itself.

    Raft's messages take no detours: a leader must reach a quorum directly.
    """
    reached = tuple(
        voter
        for voter in voters
        if voter.running and (voter.process == process or are_linked(voter.process, process, rules))
    )
    return reached if any(voter.process == process for voter in reached) else ()


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
