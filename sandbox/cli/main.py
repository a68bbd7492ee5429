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
    from sandbox.cli.settings import asks_for_json

    as_json = asks_for_json(args)
    return guarded(lambda: _run(args, as_json), as_json=as_json)


def _run(args: list[str], as_json: bool) -> int:
    from sandbox.cli.diagnostics import guarded
    from sandbox.cli.root import PROGRAM, root

    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from click.shell_completion import shell_complete

        return shell_complete(root, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
    with root.make_context(PROGRAM, list(args)) as context:
        # Within the context: what --no-color says holds for errors, too.
        return guarded(lambda: _code_of(root.invoke(context)), as_json=as_json)


def _code_of(returned: object) -> int:
    return returned if isinstance(returned, int) else 0
