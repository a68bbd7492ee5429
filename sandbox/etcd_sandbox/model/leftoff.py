"""How far a cluster had come when it was last stopped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOff:
    """The highest term and the highest revision that the members told of just before they were stopped."""

    term: int
    revision: int
