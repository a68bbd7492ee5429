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
