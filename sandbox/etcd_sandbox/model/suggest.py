"""The hint for a word that is not known: the known word that was most likely meant, else all of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ALIKE = 0.8
"""The share of letters that two words must have in common, as difflib counts it."""
_SHORTEST_BEGINNING = 3
_LONGEST = 100
_DIGITS = re.compile(r"\d+")


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """`did you mean 'x'?`, else `otherwise` and the known words."""
    words = list(known)
    if (near := nearest(word, words)) is not None:
        return f"did you mean {near!r}?"
    return f"{otherwise or 'known here'}: {', '.join(words) or 'none'}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word of which `word` is a slip of the fingers or the beginning, None where none is near.

    A wrong suggestion is worse than none. The first letter is rarely mistyped: `top` is not `stop`.
    Another number is another thing: `infra7` is not `infra1`.
    """
    typed = _plain(word)[:_LONGEST]
    candidates = {
        candidate: _plain(candidate)
        for candidate in known
        if _DIGITS.sub("", _plain(candidate)) != _DIGITS.sub("", typed)
        or _plain(candidate) == typed
    }
    for candidate, plain in candidates.items():
        if sorted(plain) == sorted(typed):  # two letters changed places
            return candidate
    import difflib

    alike = {
        candidate: difflib.SequenceMatcher(None, typed, plain).ratio()
        for candidate, plain in candidates.items()
        if plain[:1] == typed[:1]
    }
    best = max(alike, key=lambda candidate: alike[candidate], default=None)
    if best is not None and alike[best] >= _ALIKE:
        return best
    begun = [candidate for candidate in alike if candidates[candidate].startswith(typed)]
    return begun[0] if len(begun) == 1 and len(typed) >= _SHORTEST_BEGINNING else None


def _plain(word: str) -> str:
    """The word as it is compared: without the dashes of an option, in lower case, `_` as `-`."""
    return word.lstrip("-").lower().replace("_", "-")
