"""The only place that writes to stderr and that decides about exit codes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from etcd_sandbox.cli.output import Unwritable, colour
from etcd_sandbox.cli.settings import settings
from etcd_sandbox.errors import EXIT_INTERRUPTED, InputError, SandboxError
from etcd_sandbox.host.obstacle import obstacle

if TYPE_CHECKING:
    import click

    from etcd_sandbox.model.spec import ClusterSpec

EXIT_BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended: nobody reads the output any more."""


_AGAIN_AFTER_S = 0.01


def guarded(call: Callable[[], int], *, as_json: bool = False) -> int:
    """The exit code of `call`, whatever it raises; what it raises has been shown, `as_json` or for a reader."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            # A name that the terminal's encoding lacks is no reason to fail.
            reconfigure(errors="backslashreplace")
    sys.unraisablehook = _interrupt_again
    code = _code_of(call, as_json)
    try:
        sys.stdout.flush()
    except (BrokenPipeError, Unwritable) as error:
        return _silenced(error, as_json, code)
    return code


def _code_of(call: Callable[[], int], as_json: bool) -> int:
    try:
        return call()
    except SandboxError as error:
        return report(error, as_json=as_json)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (BrokenPipeError, Unwritable) as error:
        return _silenced(error, as_json)
    except Exception as error:  # no traceback reaches a user
        if "click" in sys.modules and (code := _code_by_click(error, as_json)) is not None:
            return code
        return report(obstacle(error) or _unexpected(error), as_json=as_json)


def _code_by_click(error: Exception, as_json: bool) -> int | None:
    import click

    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort():
            return EXIT_INTERRUPTED
        case click.ClickException():
            return report(from_click(error), as_json=as_json)
        case _:
            return None


def report(error: SandboxError, *, as_json: bool = False) -> int:
    """Show an error; the exit code that it means."""
    _write(document(error) if as_json else render(error, colour=colour(sys.stderr)))
    return error.exit_code


def document(error: SandboxError) -> str:
    """An error for a program: one JSON object on one line; `code` is the exit code."""
    return _json(
        {
            "error": str(error),
            "hint": error.hint or None,
            "detail": error.detail.rstrip("\n") or None,
            "code": error.exit_code,
        }
    )


def render(error: SandboxError, *, colour: bool = False) -> str:
    """An error as it is shown: the error, then its evidence, then the hint, blank lines between."""
    mark, hint = (
        ("\x1b[1;31merror:\x1b[0m", "\x1b[1;36mhint:\x1b[0m") if colour else ("error:", "hint:")
    )
    parts = [f"etcd-sandbox: {mark} {error}"]
    if error.detail:
        from etcd_sandbox.cli.streams import harmless

        # Log lines, mostly: what a process wrote must not act on the terminal here either.
        detail = harmless(error.detail.encode(errors="backslashreplace"))
        parts.append(detail.decode().rstrip("\n"))
    if error.hint:
        parts.append(f"{hint} {error.hint}")
    return "\n\n".join(parts) + "\n"


def note(*texts: str) -> None:
    """A line each about what is being done; silent with -q, and with --json, whose reader is a program."""
    if not (settings().quiet or settings().json):
        for text in texts:
            _write(f"etcd-sandbox: {text}\n")


def warn(*texts: str) -> None:
    """A line each about something that is odd but does not stop the work."""
    mark = "\x1b[1;33mwarning:\x1b[0m" if colour(sys.stderr) else "warning:"
    for text in texts:
        as_json = settings().json
        _write(_json({"warning": text}) if as_json else f"etcd-sandbox: {mark} {text}\n")


def risk_notes(spec: ClusterSpec) -> None:
    """A line for each etcd of the plan that is known to lose data."""
    from etcd_sandbox.etcd.version import risk_note

    versions = {
        process.member.etcd.version: None
        for process in spec.members
        if process.member.etcd is not None
    }
    for version in versions:
        if text := risk_note(version):
            note(text)


def raw(data: bytes) -> None:
    """Bytes onto stderr as they are; blocks as long as nobody reads it, raises OSError if nobody can."""
    view = memoryview(data)
    while view:
        view = view[os.write(2, view) :]


def one_line(error: SandboxError) -> str:
    """An error as one line, where something else goes on around it."""
    return f"{error} ({error.hint})" if error.hint else str(error)


def from_click(error: click.ClickException) -> SandboxError:
    """Click's own errors in our form."""
    import click

    if not isinstance(error, click.UsageError):
        return SandboxError(_lowered(error.format_message()))
    from etcd_sandbox.errors import nearest

    path = error.ctx.command_path if error.ctx is not None else "etcd-sandbox"
    if isinstance(error, click.NoSuchOption):
        near = nearest(error.option_name, _options_of(error.ctx))
        hint = f"did you mean {near}?" if near else f"{path} --help"
        return InputError(f"no such option {error.option_name!r}", hint=hint)
    return InputError(_lowered(error.format_message()), hint=f"{path} --help")


def _options_of(context: click.Context | None) -> list[str]:
    """The long options that the command's --help lists."""
    import click

    if context is None:
        return []
    return [
        spelling
        for param in context.command.get_params(context)
        if isinstance(param, click.Option) and not param.hidden
        for spelling in (*param.opts, *param.secondary_opts)
        if spelling.startswith("--")
    ]


def _json(value: dict[str, str | int | None]) -> str:
    import json

    return json.dumps(value, ensure_ascii=False) + "\n"


def _silenced(error: OSError, as_json: bool, code: int = 0) -> int:
    """The exit code where stdout takes nothing (any more): an earlier error's, if there was one."""
    # Python would complain once more when it flushes stdout at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if code != 0:
        return code
    if isinstance(error, BrokenPipeError):
        return EXIT_BROKEN_PIPE
    return report(
        SandboxError(
            f"standard output cannot be written ({error.strerror})",
            hint="what was asked for may be done all the same: etcd-sandbox ls and status show it",
        ),
        as_json=as_json,
    )


def _interrupt_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Have an interrupt that came amid a destructor, and was lost there, come once more.

    An import is full of such places: Python would show a traceback, and go on.
    """
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    import threading

    number = getattr(unraisable.exc_value, "number", signal.SIGINT)
    threading.Timer(_AGAIN_AFTER_S, os.kill, (os.getpid(), number)).start()


def _lowered(text: str) -> str:
    text = " ".join(text.split()).removesuffix(".")
    return text[:1].lower() + text[1:]


def _unexpected(error: Exception) -> SandboxError:
    import traceback

    text = "".join(traceback.format_exception(error))
    kind = type(error).__name__
    place = _keep(text)
    return SandboxError(
        f"unexpected {kind}: {error}"[:300].replace("\n", " "),
        place,
        "this is a mistake in etcd-sandbox: report it with that file, please",
    )


def _keep(text: str) -> str:
    import tempfile

    from etcd_sandbox.paths import state_home

    name = time.strftime(f"crash-%Y%m%d-%H%M%S-{os.getpid()}.txt")
    for directory in (state_home(), Path(tempfile.gettempdir())):
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            (directory / name).write_text(text, errors="backslashreplace")
        except OSError:
            continue
        return str(directory / name)
    return "(its traceback could not be written anywhere)"


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        # Nobody reads stderr any more; the exit code still tells.
        pass
