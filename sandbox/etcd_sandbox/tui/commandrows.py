"""A command line as rows that a shell takes as they are, one flag a row. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from etcd_sandbox.plan.words import split

_GOES_ON = " \\"


def rows(argv: Sequence[str]) -> list[str]:
    """The words quoted for sh, a row for each flag with its value; all but the last row go on.

    The script of `sh -c` is unfolded as well where it is one simple command: a row's end there is
    one that the inner shell passes over.
    """
    groups: list[list[str]] = []
    for word in argv:
        if not groups or word.startswith("-"):
            groups.append([])
        groups[-1].append(word)
    if len(argv) == 3 and argv[1] == "-c":
        groups[-1] = ["-c", _unfolded(argv[2])]
    return f"{_GOES_ON}\n".join(shlex.join(group) for group in groups).split("\n")


def _unfolded(script: str) -> str:
    line = split(script)
    if line is None or not line.plain:
        return script
    text, at = "", 0
    for word in line.words[1:]:
        if word.text.startswith("-"):
            text += script[at : word.start].rstrip() + _GOES_ON + "\n"
            at = word.start
    return text + script[at:]
