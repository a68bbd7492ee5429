"""Every error that reaches a user, and the exit code that it means.

SandboxError            1  something failed
├── ProcessFailed   its own  under --exit-on-error: what failed, with that process's exit code
├── InputError          2  a Procfile, profile, option or selector that cannot be used
├── NotRunning          3  no such running cluster
└── TimedOut            4  it did not happen in time
    └── NotSettled         a verb was done, but the cluster has not settled in time (model.verdict)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3
EXIT_TIMED_OUT = 4
EXIT_INTERRUPTED = 130


class SandboxError(Exception):
    """What went wrong, where, and what to do about it.

    `what` names the thing in one clause without a full stop, `where` is a place
    (`Procfile:3`, a path, a port), `hint` is what the reader can do, and `detail`
    is evidence to be shown as it is (log lines, for example).
    """

    exit_code = EXIT_FAILED

    def __init__(self, what: str, where: str = "", hint: str = "", detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.detail = detail
        # For a traceback, which shows notes as well.
        for note in (detail.rstrip("\n"), f"hint: {hint}" if hint else ""):
            if note:
                self.add_note(note)

    def __str__(self) -> str:
        return f"{self.what}, {self.where}" if self.where else self.what

    def told_as(self, what: str, hint: str | None = None) -> SandboxError:
        """The same error in other words: its kind, its place and its evidence stay, and its hint if there is no other."""
        return type(self)(what, self.where, self.hint if hint is None else hint, self.detail)


class ProcessFailed(SandboxError):
    """A process failed, and the cluster was to end with it; `status` is the exit code of the process."""

    def __init__(
        self, what: str, where: str = "", hint: str = "", detail: str = "", *, status: int
    ) -> None:
        super().__init__(what, where, hint, detail)
        self.exit_code = status


class InputError(SandboxError):
    """The input cannot be used: nothing was started or changed."""

    exit_code = EXIT_USAGE


class NotRunning(SandboxError):
    """No running cluster of that name."""

    exit_code = EXIT_NOT_RUNNING


class TimedOut(SandboxError):
    """The work was begun, but did not reach its end in time."""

    exit_code = EXIT_TIMED_OUT


def shortened(text: str, most: int = 60) -> str:
    """What was given, for an error: thousands of letters would hide the sentence."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 4 :]}"


BY_EXIT_CODE: dict[int, type[SandboxError]] = {
    kind.exit_code: kind for kind in (SandboxError, InputError, NotRunning, TimedOut)
}
"""How an error that crossed the control socket becomes an exception again."""


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
