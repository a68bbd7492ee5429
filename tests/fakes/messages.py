"""What members of the model keep and send each other: entries of the log, and Raft's messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tests.fakes.store import Change


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log; `change` is what it does, None for the one that begins a term."""

    term: int
    change: Change | None


def changes(entries: Iterable[Entry]) -> Iterator[Change]:
    """What these entries do, in their order."""
    return (entry.change for entry in entries if entry.change is not None)


@dataclass(slots=True)
class Disk:
    """What outlives the process."""

    term: int = 0
    vote: str | None = None
    log: list[Entry] = field(default_factory=list)
    committed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """`index` and `log_term` are those of the last entry before `entries`, or of the sender's last one."""

    kind: str
    term: int
    sender: str
    index: int = 0
    log_term: int = 0
    commit: int = 0
    entries: tuple[Entry, ...] = ()
    refused: bool = False
    forced: bool = False
    read: object = None


class Host(Protocol):
    """Who runs it. IDs are those of members."""

    @property
    def voters(self) -> set[str]:
        """The members with a vote, by what is applied here."""

    @property
    def everyone(self) -> set[str]:
        """Learners as well."""

    def send(self, to: str, message: Message) -> None:
        """Carry it there, if the link lets it through."""

    def say(self, text: str, level: str = "info") -> None:
        """Write it into the log."""

    def apply(self, index: int, entry: Entry) -> None:
        """The entry is committed."""

    def read_ready(self, read: object) -> None:
        """A quorum has confirmed who leads since that read was asked for."""
