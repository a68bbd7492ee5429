"""The entry point of the command `etcd-sandbox`."""

from __future__ import annotations

import os
import sys

from etcd_sandbox.host import standby

TYPE_CHECKING = False  # as in `typing`, whose import would take longer than all of this
if TYPE_CHECKING:
    from typing import NoReturn

COMPLETE_VARIABLE = "_ETCD_SANDBOX_COMPLETE"
"""Set by the shell's completion script: which shell, and what it wants."""


def main() -> NoReturn:
    """Run the command line of this process and end with its exit code."""
    if os.name == "nt":
        sys.stderr.write("etcd-sandbox runs on Linux and macOS; on Windows, run it inside WSL.\n")
        sys.exit(1)
    _open_missing_streams()
    # All that this module imports is what comes before this line.
    standby.begin(sys.argv[1:])
    import signal

    try:
        from etcd_sandbox.cli import output

        output.own_stdout()
        code = run(sys.argv[1:])
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # All is said: a further Ctrl-C ends this program without a traceback.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        standby.end()
    sys.exit(code)


def run(args: list[str]) -> int:
    """Run one command line; its exit code. Errors have been shown when this returns."""
    from etcd_sandbox.cli.diagnostics import guarded
    from etcd_sandbox.cli.settings import asks_for_json, forget

    try:
        return guarded(lambda: _run(args), as_json=asks_for_json(args))
    finally:
        forget()


def _run(args: list[str]) -> int:
    import signal

    from etcd_sandbox.cli import settings

    instruction = os.environ.get(COMPLETE_VARIABLE)
    command = None if instruction else settings.understood(args)
    if command is None:
        from etcd_sandbox.cli.root import PROGRAM, root
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        # What an interrupt would find half imported is there now (see `etcd_sandbox.__main__`).
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if command is not None:
        return _code_of(command())
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(root, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
    with root.make_context(PROGRAM, list(args)) as context:
        return _code_of(root.invoke(context))


def _code_of(returned: object) -> int:
    return returned if isinstance(returned, int) else 0


def _open_missing_streams() -> None:
    """Give a standard stream that was closed to us the empty device.

    A socket or a log would get the number of the stream otherwise, and what is said would go there.
    """
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(fd, mode, closefd=False))
