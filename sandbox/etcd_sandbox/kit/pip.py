"""Runs this Python's pip, and says in one error what went wrong with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

from etcd_sandbox.errors import InputError, SandboxError

_SHOWN = 12
"""Lines of what pip said at most: its last ones have the reason."""


def pip(*words: str, what: str, hint: str) -> None:
    """Run pip. Raises SandboxError with `what` and `hint`, and what pip said, when it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    if "No module named pip" in done.stderr:
        raise InputError("this Python has no pip", sys.executable, f"{sys.executable} -m ensurepip")
    raise SandboxError(what, hint=hint, detail="\n".join(_telling(done.stderr.splitlines())))


def _telling(lines: Iterable[str]) -> list[str]:
    """The errors among the lines, each once, else the last lines."""
    told = [line for line in dict.fromkeys(lines) if line.strip()]
    return [line for line in told if line.lstrip().startswith("ERROR")] or told[-_SHOWN:]
