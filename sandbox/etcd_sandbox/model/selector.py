"""Names of processes and members, and the words that select them, resolved against one fresh view of the cluster."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.model.state import ProcessState, Role

if TYPE_CHECKING:
    import random

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

_ID = re.compile(r"0*([1-9a-f][0-9a-f]{0,15})")

_NEED_ANSWERS = frozenset({"leader", "followers", "learners", "majority", "minority"})

OWN_NAME = "sandbox"
"""The prefix of the sandbox's own lines among those of the processes."""

_LENGTH_LIMIT = 63
_MARKS = "._-+@%=,#~"
_OF_LISTS = "=,"
"""A member's name stands in etcd's `--initial-cluster=NAME=URL,…`, and discovery makes such a list."""
_ALLOWED = f"use letters, digits and any of {' '.join(_MARKS)}, the first a letter, a digit or _"
_GENERATED = re.compile(r"infra([1-9][0-9]*)")


def check_name(name: str, where: str, kind: str = "process") -> None:
    """Raises InputError, placed at `where`, when `name` cannot name a process or member."""
    cannot = f"{name!r} cannot name a {kind}"
    for is_wrong, what, mend in (
        (not name, f"a {kind}'s name is empty", _ALLOWED),
        (
            name in ROLE_WORDS,
            f"{cannot}: it selects processes by their role",
            f"choose a name that is none of {', '.join(ROLE_WORDS)}",
        ),
        (name == OWN_NAME, f"{cannot}: it marks etcd-sandbox's own lines", "choose another name"),
        (
            len(name) > _LENGTH_LIMIT,
            f"the {kind}'s name {name[:20]!r}… is longer than {_LENGTH_LIMIT} characters",
            "choose a shorter name",
        ),
        (
            not (name[:1].isalnum() or name[:1] == "_") or not all(map(_is_of_names, name)),
            cannot,
            _ALLOWED,
        ),
        (
            kind == "member" and not set(_OF_LISTS).isdisjoint(name),
            f"{cannot}: etcd's list of members is written NAME=URL,NAME=URL",
            "leave out '=' and ','",
        ),
    ):
        if is_wrong:
            raise InputError(what, where, mend)


def names_a_process(name: str) -> bool:
    """Whether a process may be called so."""
    try:
        check_name(name, "")
    except InputError:
        return False
    return True


def _is_of_names(letter: str) -> bool:
    """Some accents and vowel signs (category M) have no letter that they are composed into."""
    return letter.isalnum() or letter in _MARKS or unicodedata.category(letter).startswith("M")


def process_name(member: str) -> str:
    """The name of the process that runs a generated member: `etcd1` for `infra1`.

    Any other member's process is called as the member.
    """
    numbered = _GENERATED.fullmatch(member)
    return f"etcd{numbered[1]}" if numbered else member


def composed(name: str) -> str:
    """The name with each letter and its accents as one character (NFC), however it was typed."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


class Candidate(Struct, frozen=True, kw_only=True):
    """One process as a selector sees it; `member`, `id`, `role`, `term` are None for others.

    `running`: it is alive and not paused. `learner`: a member without a vote, as far as is known.
    `outsider`: an etcd for whom the discovery token had no place, or that was removed.
    """

    process: str
    member: str | None = None
    id: str | None = None
    role: Role | None = None
    term: int | None = None
    running: bool = False
    learner: bool = False
    outsider: bool = False


def candidates_of(members: Iterable[Mapping[str, Any]]) -> list[Candidate]:
    """The members of `status --json` as a selector sees them."""
    return [
        Candidate(
            process=member["process"],
            member=member["name"],
            id=member["id"],
            role=Role(member["role"]) if member["role"] else None,
            term=member["term"],
            running=member["state"] == ProcessState.RUNNING,
            learner=member["role"] == Role.LEARNER,
            outsider=member["role"] == Role.PROXY,
        )
        for member in members
    ]


class NotYet(SandboxError):
    """Nobody is meant by a word now, and later answers may tell otherwise."""


class NoLeader(NotYet):
    """`leader` was asked for, and no member claims to lead."""


def claimed_leader(candidates: Sequence[Candidate]) -> Candidate | None:
    """The member that leads; of two that claim it, the one with the higher term."""
    claims = [candidate for candidate in candidates if candidate.role is Role.LEADER]
    return max(claims, key=lambda claim: claim.term or 0, default=None)


def resolve(
    words: Sequence[str], candidates: Sequence[Candidate], seed: int | None = None
) -> tuple[str, ...]:
    """The process names that `words` mean together, in the order of the cluster.

    `random` draws from `seed`: the same seed and the same running members give the same one.
    Raises InputError for a word that names nothing, SandboxError for a role that nobody has now,
    NoLeader for `leader` while there is none.
    """
    import random

    chosen: set[str] = set()
    draw = random.Random(seed)
    for word in words:
        chosen.update(_resolve_one(word, candidates, draw))
    return tuple(candidate.process for candidate in candidates if candidate.process in chosen)


def id_meant(word: str) -> str:
    """The member ID that the word may be, in etcd's own spelling; empty for what cannot be one."""
    found = _ID.fullmatch(word.lower())
    return found[1] if found else ""


def needs_roles(words: Sequence[str]) -> bool:
    """Whether resolving `words` takes fresh answers of the members."""
    return not _NEED_ANSWERS.isdisjoint(words)


def _resolve_one(word: str, candidates: Sequence[Candidate], draw: random.Random) -> list[str]:
    members = [candidate for candidate in candidates if candidate.member is not None]
    if word in ROLE_WORDS and word != "all" and not members:
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
        case "learners":
            found = [member for member in members if member.learner]
        case "majority":
            found = _majority(members)
        case "minority":
            majority = _majority(members)
            found = [m for m in members if _votes(m) and m not in majority]
        case "random":
            running = [member for member in members if member.running and not member.outsider]
            found = [draw.choice(running)] if running else []
        case _:
            word = composed(word)
            wanted = id_meant(word)
            found = [
                candidate
                for candidate in candidates
                if word in (candidate.process, composed(candidate.member or ""))
                or (wanted and candidate.id == wanted)
            ]
    if not found and word == "followers" and any(_is_late(member) for member in members):
        raise NotYet(_NOBODY[word], hint="etcd-sandbox status shows the members")
    if not found and word in _NOBODY:
        raise SandboxError(_NOBODY[word], hint="etcd-sandbox status shows the members")
    if not found:
        raise InputError(
            f"no process, member or member ID is called {word!r}", hint=_known(candidates)
        )
    return [candidate.process for candidate in found]


_NOBODY = {
    "followers": "'followers' matches nothing: no follower answers",
    "learners": "'learners' matches nothing: every member has a vote",
    "minority": "'minority' matches nothing: the majority is every voter",
    "random": "'random' matches nothing: no member runs",
}


def _is_late(member: Candidate) -> bool:
    """It runs, and has not said what it is."""
    return member.running and member.role is None and not member.outsider


def _majority(members: Sequence[Candidate]) -> list[Candidate]:
    """The leader, else the first voter by name, and the next by name up to the quorum's size."""
    voters = sorted(
        (member for member in members if _votes(member)), key=lambda voter: _by_name(voter)
    )
    leader = claimed_leader(voters)
    first = [leader] if leader is not None else []
    rest = [voter for voter in voters if voter is not leader]
    return (first + rest)[: len(voters) // 2 + 1]


def _votes(member: Candidate) -> bool:
    return not member.learner and not member.outsider


def _by_name(member: Candidate) -> list[tuple[int, str]]:
    """infra2 comes before infra10."""
    parts = re.split(r"([0-9]{1,18})", member.member or "")
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def _known(candidates: Sequence[Candidate]) -> str:
    names = [
        candidate.process
        if candidate.member in (None, candidate.process)
        else f"{candidate.member} ({candidate.process})"
        for candidate in candidates
    ]
    has_members = any(candidate.member is not None for candidate in candidates)
    words = ROLE_WORDS if has_members else ("all",)
    return f"this cluster has {', '.join(names)}; or use {', '.join(words)}"
