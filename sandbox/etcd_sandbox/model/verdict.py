"""What a verb did to the cluster: figures, and one sentence made of them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from etcd_sandbox.errors import TimedOut
from etcd_sandbox.model.service import (
    UNNOTICED_S,
    LostWrites,
    Service,
    words,
    writes_words,
)
from etcd_sandbox.model.state import ProcessState, Quorum
from etcd_sandbox.model.upgrade import UpgradeOutcome


class Target(Struct, frozen=True, kw_only=True):
    """One process that a verb was for, and what became of it.

    `pid` is the one before, if there was one. `before` and `state` are its states. `done` is
    False where there was nothing to do. `exit` says how it ended, None while it lives.
    """

    process: str
    member: str | None
    pid: int | None
    before: ProcessState
    state: ProcessState
    was_leader: bool
    done: bool
    exit: str | None = None

    @property
    def name(self) -> str:
        """The member's name, else the process's."""
        return self.member or self.process


class Claim(Struct, frozen=True, kw_only=True):
    """A member that says that it leads, and in which term; None where that is not known."""

    member: str
    term: int | None


class DiskTimes(Struct, frozen=True, kw_only=True):
    """How long one sync of a member's write-ahead log takes, and took before, in seconds, by its own metrics.

    None where it made none, or told nothing.
    """

    member: str
    wal_sync_s: float | None
    wal_sync_before_s: float | None


class Verdict(Struct, frozen=True, kw_only=True):
    """What a verb did to the cluster; what does not apply, or was not waited for, is None.

    `targets` and `versus` are names: of members, else of processes; `versus` is the other side
    of a fault on links. `leader_gap_s` is the time without a leader that could lead: from the
    fault or from the first log line that lost it to the log line that has the next, also where
    that began before the verb; 0.0 when there always was one, None where
    nothing was seen from which it could be known. `reads` and `writes` say how both were
    served, and `read_gap_s` is the gap of the reads; `lost_writes` are writes whose answer is still
    awaited. None where no leader was found, or nothing was tried.
    `leaders` are all who claim to lead at the end, the one with the highest term first: two
    while a cut-off leader does not know better; `leaderless` are the voters that answer and know of
    none, `silent` those that run and do not answer in time. `reach` is how many running voters the best placed
    of them reaches, itself included; `up` how many run. `settled` is False when the time was over
    before the cluster agreed on a leader. `seed` is what `random` drew from. `notes` say what a
    change of the members waited for and what it left, `equivalents` are the commands that do the same.
    `disks` are those that a fault hit, and `write_s` how long a write that changes no key takes, `write_before_s` took before it.
    `in_s` is after what time it will be done, where it was not done yet; `targets` and `versus` are as they were typed then.
    """

    verb: str
    targets: tuple[str, ...]
    leader_before: str | None = None
    leader_after: str | None = None
    term_before: int | None = None
    term_after: int | None = None
    leader_gap_s: float | None = None
    read_gap_s: float | None = None
    reads: Service | None = None
    writes: Service | None = None
    lost_writes: LostWrites | None = None
    quorum: Quorum | None = None
    leaders: tuple[Claim, ...] = ()
    leaderless: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    up: int | None = None
    reach: int | None = None
    settled: bool = True
    versus: tuple[str, ...] = ()
    seed: int | None = None
    processes: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()
    equivalents: tuple[str, ...] = ()
    upgrade: UpgradeOutcome | None = None
    disks: tuple[DiskTimes, ...] = ()
    write_s: float | None = None
    write_before_s: float | None = None
    in_s: float | None = None

    def __str__(self) -> str:
        return sentence(self) or f"{self.verb} {', '.join(self.targets)}"


class NotSettled(TimedOut):
    """A verb was done, but the cluster has not settled in time. `verdict` is what is known by then."""

    def __init__(self, verdict: Verdict, timeout_s: float) -> None:
        super().__init__(
            f"the cluster has not settled within {timeout_s:g} s after {verdict.verb}",
            hint="a longer timeout gives it more time; status() and events() show what goes on",
            detail=str(verdict),
        )
        self.verdict = verdict


def sentence(verdict: Verdict) -> str:
    """The verdict in words; empty where nothing was measured."""
    if verdict.quorum is None:
        return ""
    if verdict.leader_after is None:
        return "; ".join((_without_leader(verdict, verdict.quorum), *_believers(verdict.leaders)))
    parts = [*_disks(verdict), _who(verdict), *_term(verdict), *_gap(verdict)]
    parts += filter(None, [words("reads", verdict.reads)])
    parts += writes_words(verdict.reads, verdict.writes, verdict.lost_writes)
    if verdict.leaderless:
        has = "has" if len(verdict.leaderless) == 1 else "have"
        parts.append(f"{', '.join(verdict.leaderless)} {has} no leader")
    return " · ".join((*parts, *_believers(verdict.leaders[1:])))


def _without_leader(verdict: Verdict, quorum: Quorum) -> str:
    if not quorum.voters:
        return "no member with a vote is known here"
    up, reach = verdict.up or 0, verdict.reach or 0
    end = "reads and writes fail until"
    if up < quorum.needed:
        return (
            f"quorum lost: {up} of {quorum.voters} up, {quorum.needed} needed; "
            f"{end} a member returns"
        )
    if reach < quorum.needed:
        return (
            f"quorum lost: at most {reach} of {quorum.voters} reach each other, "
            f"{quorum.needed} needed; {end} the links are healed"
        )
    if up - len(verdict.silent) < quorum.needed:
        late = ", ".join(verdict.silent)
        return f"who leads is not known: no answer in time from {late}"
    return f"no leader yet, though {reach} of {quorum.voters} could elect one"


def _who(verdict: Verdict) -> str:
    before, after = verdict.leader_before, verdict.leader_after
    if before is None:
        again_s = verdict.leader_gap_s or 0.0
        if again_s > UNNOTICED_S:
            return f"there is a leader again, after {again_s:.2f} s: {after}"
        return f"{after} leads"
    if before != after:
        return f"{before} → {after}"
    return f"{after} leads again" if _was_lost(verdict) else f"{after} still leads"


def _disks(verdict: Verdict) -> Iterable[str]:
    for disk in verdict.disks:
        if disk.wal_sync_s is not None:
            before = _before(disk.wal_sync_before_s)
            yield f"{disk.member}'s disk: a WAL sync takes {_took(disk.wal_sync_s)}{before}"
    if verdict.write_s is not None:
        yield f"writes take {_took(verdict.write_s)}{_before(verdict.write_before_s)}"


def _before(seconds: float | None) -> str:
    return "" if seconds is None else f" ({_took(seconds)} before)"


def _took(seconds: float) -> str:
    """With two figures that count: `1.1 ms`, `501 ms`, `1.0 s`."""
    if seconds >= 0.9995:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.{0 if seconds >= 0.00995 else 1}f} ms"


def _was_lost(verdict: Verdict) -> bool:
    """Whether the leader lost its leadership in between."""
    before, after = verdict.term_before, verdict.term_after
    return bool(verdict.leader_gap_s) or (None not in (before, after) and before != after)


def _term(verdict: Verdict) -> Iterable[str]:
    before, after = verdict.term_before, verdict.term_after
    if after is not None:
        same = verdict.leader_before is None or before in (None, after)
        yield f"term {after}" if same else f"term {before} → {after}"


def _gap(verdict: Verdict) -> Iterable[str]:
    if verdict.leader_gap_s and not (
        verdict.leader_before is None and verdict.leader_gap_s > UNNOTICED_S
    ):
        yield f"{verdict.leader_gap_s:.2f} s without a leader"


def _believers(claims: Iterable[Claim]) -> Iterable[str]:
    for claim in claims:
        yield still_believes(claim.member, claim.term)


def still_believes(member: str, term: int | None) -> str:
    """What is said of a member that says that it leads, while another one does."""
    return f"{member} still believes that it leads{'' if term is None else f' (term {term})'}"
