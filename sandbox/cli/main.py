"""The entry point of the command `etcd-sandbox`."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

COMPLETE_VARIABLE = "_ETCD_SANDBOX_COMPLETE"
"""Set by the shell's completion script: which shell, and what it wants."""


def main() -> NoReturn:
    """Run the command line of this process and end with its exit code."""
    if os.name == "nt":
        sys.stderr.write("etcd-sandbox runs on Linux and macOS; on Windows, run it inside WSL.\n")
        sys.exit(1)
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run one command line; its exit code. Errors have been shown when this returns."""
    from sandbox.cli.diagnostics import guarded

    return guarded(lambda: _run(args))


def _run(args: list[str]) -> int:
    from sandbox.cli.root import PROGRAM, root

    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from click.shell_completion import shell_complete

        return shell_complete(root, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
    with root.make_context(PROGRAM, list(args)) as context:
        code = root.invoke(context)
    return code if isinstance(code, int) else 0
