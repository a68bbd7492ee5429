"""When etcd takes a new member: what its leader asks of the voters that there are (`mayAddMember`)."""

from __future__ import annotations

from etcd_sandbox.etcd.version import parse


def bears_absence(version: str) -> bool:
    """Whether that etcd takes a new member though a voter is away, if enough of the others are there.

    3.5.30, 3.6.11 and 3.7 were the first (etcd pull request 21641).
    """
    number = parse(version)
    return number >= (3, 6, 11) or (3, 5, 30) <= number < (3, 6)


def voters_needed(version: str, voters: int) -> int:
    """How many of the voters have to be connected before that etcd takes one more member, learners too.

    Older ones want all; the others a quorum in which the new one counts as a voter that is away. A single
    voter may always have a second.
    """
    if voters <= 1:
        return voters
    return (voters + 1) // 2 + 1 if bears_absence(version) else voters
