"""Who is meant: the words that select processes, resolved against one fresh view of the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.errors import InputError, SandboxError
from sandbox.model.state import Role

ROLE_WORDS = (
    "leader",
    "followers",
    "learners",
    "members",
    "majority",
    "minority",
    "random",
    "all",
)
"""Words that mean what a process is; no process and no member may be called so (SPEC §2)."""

RESOLVED_WORDS = ("leader", "followers", "members", "all")
"""The role words that commands accept today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One process as a selector sees it; `member`, `id`, `role`, `term` are None for others."""

    process: str
    member: str | None = None
    id: str | None = None
    role: Role | None = None
    term: int | None = None


class NoLeader(SandboxError):
    """`leader` was asked for, and no member claims to lead."""


def claimed_leader(candidates: Sequence[Candidate]) -> Candidate | None:
    """The member that leads; of two that claim it, the one with the higher term."""
    claims = [candidate for candidate in candidates if candidate.role is Role.LEADER]
    return max(claims, key=lambda claim: claim.term or 0, default=None)


def resolve(words: Sequence[str], candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """The process names that `words` mean together, in the order of the cluster.

    Raises InputError for a word that names nothing, NoLeader for `leader` while there is none.
    """
    chosen: set[str] = set()
    for word in words:
        chosen.update(_resolve_one(word, candidates))
    return tuple(candidate.process for candidate in candidates if candidate.process in chosen)


def needs_roles(words: Sequence[str]) -> bool:
    """Whether resolving `words` takes fresh answers of the members."""
    return any(word in ("leader", "followers") for word in words)


def _resolve_one(word: str, candidates: Sequence[Candidate]) -> list[str]:
    members = [candidate for candidate in candidates if candidate.member is not None]
    if word in ("leader", "followers", "members") and not members:
        raise InputError(
            f"{word!r} means members, and this cluster has none", hint=_known(candidates)
        )
    match word:
        case "all":
            return [candidate.process for candidate in candidates]
        case "members":
            found = members
        case "leader":
            leader = claimed_leader(candidates)
            if leader is None:
                raise NoLeader(
                    "no member leads the cluster", hint="etcd-sandbox status shows who is up"
                )
            found = [leader]
        case "followers":
            leader = claimed_leader(candidates)
            found = [
                member
                for member in members
                if member.role is Role.FOLLOWER
                or (member.role is Role.LEADER and member is not leader)
            ]
        case _:
            wanted = word.lower().lstrip("0")
            found = [
                candidate
                for candidate in candidates
                if word in (candidate.process, candidate.member)
                or (candidate.id is not None and candidate.id == wanted)
            ]
    if not found:
        raise InputError(_nothing_matches(word, candidates), hint=_known(candidates))
    return [candidate.process for candidate in found]


def _nothing_matches(word: str, candidates: Sequence[Candidate]) -> str:
    if word == "followers":
        return "'followers' matches nothing: no follower answers"
    return f"no process, member or member ID is called {word!r}"


def _known(candidates: Sequence[Candidate]) -> str:
    names = [
        candidate.process
        if candidate.member in (None, candidate.process)
        else f"{candidate.member} ({candidate.process})"
        for candidate in candidates
    ]
    return f"this cluster has {', '.join(names)}; or use {', '.join(RESOLVED_WORDS)}"
