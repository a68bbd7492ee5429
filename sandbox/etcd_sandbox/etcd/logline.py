"""One line of etcd's log in whichever form: zap's JSON, 3.4's capnslog in its two shapes, or Go's own text.

And the last of them: why an etcd ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, field

_CAPNSLOG = re.compile(
    rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}) ([A-Z]) \| ([\w/.-]+): (.*)\Z", re.DOTALL
)
_RAFT_LOGGER = re.compile(rb"raft\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ([A-Z]+): (.*)\Z", re.DOTALL)
_JSON_LEVEL = re.compile(rb'\{"level":"([a-z]+)"')

_LEVELS = {
    spelled.encode(): level
    for level, spellings in {
        "debug": "T D DEBUG debug",
        "info": "I N INFO info",
        "warn": "W WARN WARNING warn",
        "error": "E ERROR error",
        "panic": "PANIC dpanic panic",
        "fatal": "C FATAL fatal",
    }.items()
    for spelled in spellings.split()
}
"""How each form spells its levels. capnslog ends the process after C (critical)."""


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


class LogLine(Struct, frozen=True):
    """A line in its parts: `package` is capnslog's, `fields` are the JSON object's other keys.

    `time_us` is when it was written, in microseconds since the epoch. 3.4's Raft tells only the second:
    that is none.
    """

    level: str | None
    message: str
    package: str = ""
    fields: dict[str, object] = field(default_factory=dict)
    time_us: int | None = None

    def text(self, key: str) -> str:
        """The field `key` if it is text, else empty."""
        value = self.fields.get(key)
        return value if isinstance(value, str) else ""


def read_line(line: bytes) -> LogLine | None:
    """The line in full; None when it is neither JSON with a message nor a capnslog line."""
    line = line.rstrip(b"\r\n")
    if line.startswith(b"{"):
        return _read_json(line)
    if found := _CAPNSLOG.match(line):
        return LogLine(
            _LEVELS.get(found[2]),
            _decode(found[4]),
            _decode(found[3]),
            time_us=_microseconds(_decode(found[1])),
        )
    if found := _RAFT_LOGGER.match(line):
        return LogLine(_LEVELS.get(found[1]), _decode(found[2]), "raft")
    return None


GRAVITY = {"debug": 0, "info": 1, "warn": 2, "error": 3, "panic": 4, "fatal": 4}
"""How grave a line of each level is; etcd ends after a panic or a fatal one."""


def level_of(line: bytes) -> str | None:
    """debug, info, warn, error, panic or fatal; None for a line that has no level."""
    if line.startswith(b"{"):
        if found := _JSON_LEVEL.match(line):
            return _LEVELS.get(found[1])
        read = read_line(line)
        return read.level if read is not None else None
    if found := _CAPNSLOG.match(line):
        return _LEVELS.get(found[2])
    return _LEVELS.get(found[1]) if (found := _RAFT_LOGGER.match(line)) else None


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
                return _decode(raw.rstrip(b"\r\n"))
    return None


def cause_of(line: LogLine) -> str:
    """The cause that a fatal or panic line names."""
    error = line.text("error")
    message = line.message.removeprefix(_VERIFYING).removesuffix(_SEE_HELP)
    if error and message in _SAYS_NOTHING:
        return error
    about = error or line.text("environment-variable")
    return f"{message}: {about}" if about else message


def _is_fatal(line: LogLine) -> bool:
    return (
        line.level in ("fatal", "panic")
        or line.message == "failed to verify flags"
        or (line.package == "etcdmain" and line.message.startswith(_VERIFYING))
    )


def _read_json(line: bytes) -> LogLine | None:
    try:
        read = json.loads(_decode(line))
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not isinstance(read.get("msg"), str):
        return None
    level = read.get("level")
    spelled = level.encode("utf-8", "replace") if isinstance(level, str) else b""
    written = read.get("ts")
    time_us = _microseconds(written) if isinstance(written, str) else None
    return LogLine(_LEVELS.get(spelled), read["msg"], fields=read, time_us=time_us)


def _microseconds(written: str) -> int | None:
    """Since the epoch; capnslog writes local time."""
    try:
        return round(datetime.fromisoformat(written).timestamp() * 1_000_000)
    except (ValueError, OverflowError, OSError):
        return None


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")
