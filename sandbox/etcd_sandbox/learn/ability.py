"""What a step asks of the machine, beyond running etcd: the words for it. Pure."""

from __future__ import annotations

from enum import StrEnum


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
