"""Raft as etcd runs it: elections, PreVote, leases and check-quorum, replication, hand-overs.

Pure but for its host, which carries messages and keeps time: `tick` is called every heartbeat interval.
The texts of its log are etcd's (raft v3.6: `raft.go`, `node.go`).
"""

from __future__ import annotations

import random

from tests.fakes.messages import Disk, Entry, Host, Message
from tests.fakes.store import Change


class Raft:
    """One member's part; `lead` is the member that it follows."""

    def __init__(
        self,
        id_: str,
        disk: Disk,
        host: Host,
        draw: random.Random,
        *,
        pre_vote: bool,
        election_ticks: int,
    ) -> None:
        self.id = id_
        self.disk = disk
        self.role = "follower"
        self.lead: str | None = None
        self.applied = 0
        self.match: dict[str, int] = {}
        self._host = host
        self._draw = draw
        self._pre_vote = pre_vote
        self._ticks = election_ticks
        self._elapsed = 0
        self._votes: dict[str, bool] = {}
        self._next: dict[str, int] = {}
        self._heard: set[str] = set()
        self._transferee: str | None = None
        self._reads: dict[int, tuple[object, str, set[str]]] = {}
        self._early_reads: list[tuple[object, str]] = []
        self._read_number = 0
        self._told_lead: str | None = None
        self._randomise()
        host.say(f"{id_} became follower at term {disk.term}")
        self._apply()

    # What the host does.

    def tick(self) -> None:
        """A heartbeat interval is over."""
        self._elapsed += 1
        if self.role == "leader":
            if self._elapsed >= self._ticks:
                self._elapsed = 0
                self._transferee = None
                if len((self._heard | {self.id}) & self._host.voters) < self._quorum:
                    self._host.say(
                        f"{self.id} stepped down to follower since quorum is not active", "warn"
                    )
                    self._become_follower(self.disk.term, None)
                self._heard = set()
            if self.role == "leader":
                self._beat()
        elif self.id in self._host.voters and self._elapsed >= self._timeout:
            self._elapsed = 0
            self.campaign(forced=False)
        self._tell_lead()

    def propose(self, change: Change) -> bool:
        """Have it in the log; False while nobody leads, or the leader hands over."""
        if self.role == "leader":
            if self._transferee is not None or self.id not in self._host.everyone:
                return False
            self._append(change)
            return True
        if self.lead is None:
            return False
        self._send(self.lead, "propose", entries=(Entry(0, change),))
        return True

    def read(self, read: object) -> None:
        """Have a quorum confirm who leads; dropped while nobody does."""
        if self.role == "leader":
            self._take_read(read, self.id)
        elif self.lead is not None:
            self._send(self.lead, "read", read=read)

    def transfer(self, to: str) -> None:
        """Hand over to that voter, as soon as it has everything."""
        if self.role != "leader" or to not in self._host.voters or to == self.id:
            return
        self._host.say(f"{self.id} [term {self.disk.term}] starts to transfer leadership to {to}")
        self._transferee, self._elapsed = to, 0
        if self.match.get(to, 0) == self._last:
            self._send(to, "timeout-now")
        else:
            self._replicate(to)

    def step(self, message: Message) -> None:
        """A message has come."""
        if self._passes(message):
            getattr(self, "_on_" + message.kind.replace("-", "_"))(message)
        self._tell_lead()

    # Terms.

    def _passes(self, message: Message) -> bool:
        mine, kind = self.disk.term, message.kind
        if kind in ("propose", "read", "read-ready"):
            return True
        if message.term > mine:
            asks = kind in ("vote", "pre-vote")
            if asks and not message.forced and self.lead and self._elapsed < self._ticks:
                return False  # it follows a leader that it has heard of within an election timeout
            granted_early = kind == "pre-vote-answer" and not message.refused
            if kind != "pre-vote" and not granted_early:
                leads = message.sender if kind in ("append", "beat") else None
                self._become_follower(message.term, leads)
        elif message.term < mine:
            if kind in ("append", "beat"):
                self._send(message.sender, "append-answer", refused=True, index=self._last)
            elif kind == "pre-vote":
                self._send(message.sender, "pre-vote-answer", refused=True)
            return False
        return True

    def _become_follower(self, term: int, lead: str | None) -> None:
        if term != self.disk.term:
            self.disk.term, self.disk.vote = term, None
        self.role, self.lead = "follower", lead
        self._elapsed, self._transferee = 0, None
        self._reads, self._early_reads = {}, []
        self._randomise()
        self._host.say(f"{self.id} became follower at term {term}")

    def _randomise(self) -> None:
        self._timeout = self._ticks + self._draw.randrange(self._ticks)

    def _tell_lead(self) -> None:
        before, now, term = self._told_lead, self.lead, self.disk.term
        if before == now:
            return
        self._told_lead = now
        if now is None:
            self._host.say(f"raft.node: {self.id} lost leader {before} at term {term}")
        elif before is None:
            self._host.say(f"raft.node: {self.id} elected leader {now} at term {term}")
        else:
            self._host.say(
                f"raft.node: {self.id} changed leader from {before} to {now} at term {term}"
            )

    # Elections.

    def campaign(self, *, forced: bool) -> None:
        """Stand for leader now; `forced`, without asking first whether it could win."""
        self._host.say(f"{self.id} is starting a new election at term {self.disk.term}")
        if self._pre_vote and not forced:
            self.role, self.lead, self._votes = "pre-candidate", None, {}
            self._randomise()
            self._host.say(f"{self.id} became pre-candidate at term {self.disk.term}")
            self._ask_votes("pre-vote", self.disk.term + 1, forced=False)
        else:
            self._stand(forced=forced)

    def _stand(self, *, forced: bool) -> None:
        self.disk.term, self.disk.vote = self.disk.term + 1, self.id
        self.role, self.lead, self._votes, self._elapsed = "candidate", None, {}, 0
        self._randomise()
        self._host.say(f"{self.id} became candidate at term {self.disk.term}")
        self._ask_votes("vote", self.disk.term, forced=forced)

    def _ask_votes(self, kind: str, term: int, *, forced: bool) -> None:
        for voter in sorted(self._host.voters - {self.id}):
            self._send(
                voter,
                kind,
                term=term,
                index=self._last,
                log_term=self._term_at(self._last),
                forced=forced,
            )
        self._count(self.id, granted=True)

    def _on_vote(self, message: Message) -> None:
        self._answer_vote(message, self.disk.vote == message.sender or self._is_free)

    def _on_pre_vote(self, message: Message) -> None:
        self._answer_vote(message, message.term > self.disk.term)

    @property
    def _is_free(self) -> bool:
        return self.disk.vote is None and self.lead is None

    def _answer_vote(self, message: Message, may: bool) -> None:
        mine = (self._term_at(self._last), self._last)
        granted = may and (message.log_term, message.index) >= mine
        if granted and message.kind == "vote":
            self.disk.vote, self._elapsed = message.sender, 0
        self._send(
            message.sender,
            message.kind + "-answer",
            term=message.term if granted else self.disk.term,
            refused=not granted,
        )

    def _on_vote_answer(self, message: Message) -> None:
        if self.role == "candidate":
            self._count(message.sender, granted=not message.refused)

    def _on_pre_vote_answer(self, message: Message) -> None:
        if self.role == "pre-candidate":
            self._count(message.sender, granted=not message.refused)

    def _count(self, voter: str, *, granted: bool) -> None:
        self._votes[voter] = granted
        votes = [self._votes[each] for each in self._votes if each in self._host.voters]
        if sum(votes) >= self._quorum:
            if self.role == "pre-candidate":
                self._stand(forced=False)
            else:
                self._lead()
        elif len(votes) - sum(votes) >= self._quorum:
            self._become_follower(self.disk.term, None)

    def _lead(self) -> None:
        self.role, self.lead, self._elapsed = "leader", self.id, 0
        self._heard, self._transferee = set(), None
        self.match = {}
        self._next = dict.fromkeys(self._host.everyone, self._last + 1)
        self._host.say(f"{self.id} became leader at term {self.disk.term}")
        self._append(None)

    def _on_timeout_now(self, message: Message) -> None:
        if self.id in self._host.voters:
            self._host.say(
                f"{self.id} [term {self.disk.term}] received MsgTimeoutNow from {message.sender} "
                "and starts an election to get leadership."
            )
            self.campaign(forced=True)

    # Replication.

    def _append(self, change: Change | None) -> None:
        self.disk.log.append(Entry(self.disk.term, change))
        self._replicate_all()
        self._commit()

    def _replicate_all(self) -> None:
        for other in sorted(self._host.everyone - {self.id}):
            self._replicate(other)

    def _replicate(self, other: str) -> None:
        before = self._next.setdefault(other, self._last + 1) - 1
        entries = tuple(self.disk.log[before:])
        self._send(
            other,
            "append",
            index=before,
            log_term=self._term_at(before),
            entries=entries,
            commit=self.disk.committed,
        )
        self._next[other] = self._last + 1

    def _on_append(self, message: Message) -> None:
        self._hears(message)
        if message.index < self.disk.committed:
            self._send(message.sender, "append-answer", index=self.disk.committed)
            return
        if message.index > self._last or self._term_at(message.index) != message.log_term:
            back = min(self._last, message.index - 1)
            self._send(message.sender, "append-answer", refused=True, index=max(0, back))
            return
        if self.disk.log[message.index : message.index + len(message.entries)] != [
            *message.entries
        ]:
            self.disk.log[message.index :] = message.entries
        known = message.index + len(message.entries)
        self._commit_to(min(message.commit, known))
        self._send(message.sender, "append-answer", index=known)

    def _on_append_answer(self, message: Message) -> None:
        if self.role != "leader":
            return
        other = message.sender
        self._heard.add(other)
        if message.refused:
            self._next[other] = max(1, min(message.index + 1, self._next.get(other, 1)))
            self._replicate(other)
            return
        self.match[other] = max(message.index, self.match.get(other, 0))
        self._next[other] = max(self._next.get(other, 1), self.match[other] + 1)
        self._commit()
        if other == self._transferee and self.match[other] == self._last:
            self._send(other, "timeout-now")

    def _beat(self, read: object = None) -> None:
        for other in sorted(self._host.everyone - {self.id}):
            commit = min(self.match.get(other, 0), self.disk.committed)
            self._send(other, "beat", commit=commit, read=read)

    def _on_beat(self, message: Message) -> None:
        self._hears(message)
        self._commit_to(min(message.commit, self._last))
        self._send(message.sender, "beat-answer", read=message.read)

    def _hears(self, message: Message) -> None:
        if self.role != "follower":
            self._become_follower(message.term, message.sender)
        self.lead, self._elapsed = message.sender, 0

    def _on_beat_answer(self, message: Message) -> None:
        if self.role != "leader":
            return
        self._heard.add(message.sender)
        if self.match.get(message.sender, 0) < self._last:
            self._next[message.sender] = self.match.get(message.sender, 0) + 1
            self._replicate(message.sender)
        if message.read in self._reads:
            self._reads[message.read][2].add(message.sender)
            self._confirm(message.read)

    def _commit(self) -> None:
        voters = self._host.voters
        has = sorted(
            (self._last if each == self.id else self.match.get(each, 0) for each in voters),
            reverse=True,
        )
        reached = has[self._quorum - 1] if len(has) >= self._quorum else 0
        if reached > self.disk.committed and self._term_at(reached) == self.disk.term:
            self._commit_to(reached)
            if self.role == "leader":
                self._replicate_all()
            early, self._early_reads = self._early_reads, []
            for read, who in early:
                self._take_read(read, who)

    def _commit_to(self, index: int) -> None:
        self.disk.committed = max(index, self.disk.committed)
        self._apply()

    def _apply(self) -> None:
        while self.applied < self.disk.committed:
            self.applied += 1
            self._host.apply(self.applied, self.disk.log[self.applied - 1])

    # Reads, and what followers hand on.

    def _take_read(self, read: object, who: str) -> None:
        if self._term_at(self.disk.committed) != self.disk.term:
            self._early_reads.append((read, who))
            return
        self._read_number += 1
        self._reads[self._read_number] = (read, who, {self.id})
        self._beat(self._read_number)
        self._confirm(self._read_number)

    def _confirm(self, number: int) -> None:
        read, who, by = self._reads[number]
        if len(by & self._host.voters) < self._quorum:
            return
        del self._reads[number]
        if who == self.id:
            self._host.read_ready(read)
        else:
            self._send(who, "read-ready", read=read)

    def _on_propose(self, message: Message) -> None:
        change = message.entries[0].change
        if self.role == "leader" and change is not None:
            self.propose(change)

    def _on_read(self, message: Message) -> None:
        if self.role == "leader":
            self._take_read(message.read, message.sender)

    def _on_read_ready(self, message: Message) -> None:
        self._host.read_ready(message.read)

    @property
    def _last(self) -> int:
        return len(self.disk.log)

    @property
    def _quorum(self) -> int:
        return len(self._host.voters) // 2 + 1

    def _term_at(self, index: int) -> int:
        return self.disk.log[index - 1].term if 0 < index <= self._last else 0

    def _send(self, to: str, kind: str, *, term: int | None = None, **fields: object) -> None:
        own = self.disk.term if term is None else term
        message = Message(kind=kind, term=own, sender=self.id, **fields)  # type: ignore[arg-type]
        self._host.send(to, message)
