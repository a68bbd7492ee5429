"""How far a cluster had come when it was last stopped."""

from __future__ import annotations

from msgspec import Struct


class LeftOff(Struct, frozen=True, kw_only=True):
    """The highest term and the highest revision that the members told of just before they were stopped."""

    term: int
    revision: int
