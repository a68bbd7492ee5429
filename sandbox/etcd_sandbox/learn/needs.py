"""What a step needs: a state of the cluster from which it starts, and what the machine must be able to do. Pure."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.learn.condition import MEMBER_NAME, RUNS_IN, WAYS
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import Runtime


class Ability(StrEnum):
    """`dns`: members can find each other by SRV records. `podman`: they can be its containers, of an
    image that is built from the etcd of this machine. `dig` is the program.
    """

    DNS = "dns"
    PODMAN = "podman"
    DIG = "dig"


def parse_abilities(text: str) -> tuple[Ability, ...]:
    """The abilities that these words mean, between semicolons. Raises ValueError."""
    found = []
    for part in text.split(";"):
        word = part.strip()
        if word not in list(Ability):
            raise ValueError(f"unknown ability {word!r}")
        found.append(Ability(word))
    return tuple(found)


class Needs(Struct, frozen=True, kw_only=True):
    """What must be so when a step begins.

    `fresh`: a new cluster without any data. `healthy`: every member runs and is healthy, no fault
    is there. `leader` leads. `keys` have these values; a key whose value is None is not there.
    `members`: just these are members, each with a vote, and etcd would take another. `upgraded`: just
    these run the last of the lesson's series, the others that with which it begins; None: that does
    not matter. `bootstrap` is how the members found each other, `contained` whether they are containers;
    None: in whatever way.
    """

    fresh: bool = False
    healthy: bool = False
    members: tuple[str, ...] = ()
    upgraded: tuple[str, ...] | None = None
    leader: str = ""
    keys: tuple[tuple[str, str | None], ...] = ()
    bootstrap: Bootstrap | None = None
    contained: bool | None = None

    def is_way(self, way: Bootstrap, runtime: Runtime) -> bool:
        """A cluster that was brought up so will do."""
        contained = runtime is not Runtime.PROCESS
        return self.bootstrap in (None, way) and self.contained in (None, contained)


VOCABULARY = (
    "fresh",
    "healthy",
    "members MEMBER…",
    "upgraded [MEMBER…]",
    "leader MEMBER",
    "key K is V",
    "key K gone",
    f"bootstrapped {WAYS}",
    f"runs in {RUNS_IN}",
)

_MEMBERS = rf"({MEMBER_NAME}(?: {MEMBER_NAME})*)"


def parse_needs(text: str) -> Needs:
    """The needs that these words mean, between semicolons. Raises ValueError."""
    fresh = healthy = False
    leader = ""
    members: tuple[str, ...] = ()
    upgraded: tuple[str, ...] | None = None
    bootstrap: Bootstrap | None = None
    contained: bool | None = None
    keys: list[tuple[str, str | None]] = []
    for part in text.split(";"):
        words = " ".join(part.split())
        if words == "fresh":
            fresh = healthy = True
        elif words == "healthy":
            healthy = True
        elif found := re.fullmatch(rf"members {_MEMBERS}", words):
            members, healthy = tuple(found[1].split()), True
        elif found := re.fullmatch(rf"upgraded(?: {_MEMBERS})?", words):
            upgraded, healthy = tuple((found[1] or "").split()), True
        elif found := re.fullmatch(rf"leader ({MEMBER_NAME})", words):
            leader, healthy = found[1], True
        elif found := re.fullmatch(r"key (\S+) is (.+)", words):
            keys.append((found[1], found[2]))
        elif found := re.fullmatch(r"key (\S+) gone", words):
            keys.append((found[1], None))
        elif found := re.fullmatch(rf"bootstrapped ({WAYS})", words):
            bootstrap, healthy = Bootstrap(found[1]), True
        elif found := re.fullmatch(rf"runs in ({RUNS_IN})", words):
            contained, healthy = found[1] == "containers", True
        else:
            raise ValueError(f"unknown need {words!r}")
    return Needs(
        fresh=fresh,
        healthy=healthy,
        members=members,
        upgraded=upgraded,
        leader=leader,
        keys=tuple(keys),
        bootstrap=bootstrap,
        contained=contained,
    )
