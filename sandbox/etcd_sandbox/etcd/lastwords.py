"""Why an etcd ended, from its own last words."""

from __future__ import annotations

from collections.abc import Sequence

from etcd_sandbox.etcd.logline import LogLine, read_line

GO_DEATHS = (b"panic: ", b"fatal error: ")
"""How the first line of what Go's runtime prints begins."""

_SAYS_NOTHING = ("discovery failed", "failed to verify flags")
"""Messages that etcd prints whatever the matter was: the cause is in the field `error`."""

_VERIFYING = "error verifying flags, "
_SEE_HELP = " See 'etcd --help'."
_USAGE_ERRORS = (
    b"flag provided but not defined",
    b"invalid value ",
    b"invalid boolean value ",
    b"flag needs an argument",
    b"bad flag syntax",
)


def fatal_cause(lines: Sequence[bytes]) -> str | None:
    """Why etcd ended, from the last lines of one run; None when they hold no cause.

    The last fatal or panic line of the log, else the first line of a Go panic, else what the
    parser of flags complained about.
    """
    for raw in reversed(lines):
        line = read_line(raw)
        if line is not None and _is_fatal(line):
            return cause_of(line)
    for openings in (GO_DEATHS, _USAGE_ERRORS):
        for raw in lines:
            if raw.startswith(openings):
                return _text(raw)
    return None


def _is_fatal(line: LogLine) -> bool:
    return (
        line.level in ("fatal", "panic")
        or line.message == "failed to verify flags"
        or (line.package == "etcdmain" and line.message.startswith(_VERIFYING))
    )


def cause_of(line: LogLine) -> str:
    """The cause that a fatal or panic line names."""
    error = line.text("error")
    message = line.message.removeprefix(_VERIFYING).removesuffix(_SEE_HELP)
    if error and message in _SAYS_NOTHING:
        return error
    about = error or line.text("environment-variable")
    return f"{message}: {about}" if about else message


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\r\n").decode("utf-8", "replace")
