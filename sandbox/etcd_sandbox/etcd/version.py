"""etcd's version numbers as tuples, so that 3.10 sorts after 3.9."""

from __future__ import annotations

import re

Version = tuple[int, ...]

_NUMBER = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,2})(?:[-+].*)?\Z", re.ASCII | re.DOTALL)


def parse(text: str) -> Version:
    """`3.5.1` → (3, 5, 1), `v3.6` → (3, 6); a suffix such as `-rc.1` is passed over.

    Empty when `text` is not a version: it sorts before all others.
    """
    found = _NUMBER.match(text.strip())
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def series(text: str) -> str:
    """`3.5.1` → `3.5`; empty when `text` is not a version."""
    return ".".join(str(part) for part in parse(text)[:2])


def matches(version: str, prefix: str) -> bool:
    """Whether `version` is `prefix` or one of its patch releases: 3.5.1 is a 3.5, 3.50 is not."""
    wanted = parse(prefix)
    return bool(wanted) and parse(version)[: len(wanted)] == wanted


def bears_absence(version: str) -> bool:
    """Whether that etcd takes a new member though a voter is away, if enough of the others are there.

    3.5.30, 3.6.11 and 3.7 were the first (etcd pull request 21641).
    """
    number = parse(version)
    return number >= (3, 6, 11) or (3, 5, 30) <= number < (3, 6)


def risk_note(version: str) -> str | None:
    """One line about a version that is known to lose data, else None (etcd issue 13766)."""
    if (3, 5, 0) <= (*parse(version), 0, 0, 0)[:3] <= (3, 5, 2):
        return (
            f"etcd {version} can lose committed entries when it is killed under load, as all of "
            "3.5.0 to 3.5.2: fine for learning, not for proving"
        )
    return None
