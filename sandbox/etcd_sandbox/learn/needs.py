"""What a step needs: a state of the cluster from which it starts, and what the machine must be able to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any

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
    not matter. `bootstrap` is how the members found each other, `runs_in` the kind of their runtime;
    None and empty: in whatever way.
    """

    fresh: bool = False
    healthy: bool = False
    members: tuple[str, ...] = ()
    upgraded: tuple[str, ...] | None = None
    leader: str = ""
    keys: tuple[tuple[str, str | None], ...] = ()
    bootstrap: Bootstrap | None = None
    runs_in: str = ""

    def is_way(self, way: Bootstrap, runtime: Runtime) -> bool:
        """A cluster that was brought up so will do."""
        return self.bootstrap in (None, way) and self.runs_in in ("", runtime.kind)


_MEMBERS = rf"({MEMBER_NAME}(?: {MEMBER_NAME})*)"


def _whole(**needs: Any) -> dict[str, Any]:
    return {"healthy": True, **needs}


def _key(key: str, value: str | None = None) -> dict[str, Any]:
    return {"keys": ((key, value),)}


_FORMS: tuple[tuple[str, str, Callable[..., dict[str, Any]]], ...] = (
    ("fresh", "fresh", lambda: _whole(fresh=True)),
    ("healthy", "healthy", _whole),
    ("members MEMBER…", rf"members {_MEMBERS}", lambda of: _whole(members=tuple(of.split()))),
    (
        "upgraded [MEMBER…]",
        rf"upgraded(?: {_MEMBERS})?",
        lambda of: _whole(upgraded=tuple((of or "").split())),
    ),
    ("leader MEMBER", rf"leader ({MEMBER_NAME})", lambda name: _whole(leader=name)),
    ("key K is V", r"key (\S+) is (.+)", _key),
    ("key K gone", r"key (\S+) gone", _key),
    (
        f"bootstrapped {WAYS}",
        rf"bootstrapped ({WAYS})",
        lambda way: _whole(bootstrap=Bootstrap(way)),
    ),
    (
        f"runs in {RUNS_IN}",
        rf"runs in ({RUNS_IN})",
        lambda what: _whole(runs_in=what),
    ),
)
"""How each need is written, as a reader and as an expression, and what its groups mean."""

VOCABULARY = tuple(shown for shown, _, _ in _FORMS)


def parse_needs(text: str) -> Needs:
    """The needs that these words mean, between semicolons. Raises ValueError."""
    needs: dict[str, Any] = {"keys": ()}
    for part in text.split(";"):
        words = " ".join(part.split())
        for _, pattern, mean in _FORMS:
            if found := re.fullmatch(pattern, words):
                meant = mean(*found.groups())
                needs |= meant | {"keys": needs["keys"] + meant.get("keys", ())}
                break
        else:
            raise ValueError(f"unknown need {words!r}")
    return Needs(**needs)
