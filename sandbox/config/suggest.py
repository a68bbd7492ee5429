"""The hint for a word that is not known: the nearest one that is, else all of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """`did you mean 'x'?`, else `otherwise` and the known words."""
    words = list(known)
    near = difflib.get_close_matches(word[:100], words, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"{otherwise or 'known here'}: {', '.join(words) or 'none'}"
