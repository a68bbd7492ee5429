"""A line of etcd's log for people: time, level and message in columns, then the fields."""

from __future__ import annotations

import json
import math
import re

from msgspec import Struct

from etcd_sandbox.etcd.logline import LogLine, read_line

_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ](\d\d:\d\d:\d\d(?:[.,]\d+)?)")
_CAPNSLOG_CLOCK = re.compile(rb"\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d\.\d{3})")
_RAFT_CLOCK = re.compile(rb"raft\d{4}/\d\d/\d\d (\d\d:\d\d:\d\d)")

_IN_COLUMNS = frozenset({"level", "ts", "msg"})


class ZapLine(Struct, frozen=True):
    """What a line says. `clock` is HH:MM:SS.mmm as the line tells it, empty where it tells none."""

    clock: str
    level: str
    message: str
    fields: tuple[tuple[str, str], ...] = ()


def zap_line(line: bytes) -> ZapLine | None:
    """The parts of a line in zap's JSON or in 3.4's two shapes; None for any other text."""
    read = read_line(line)
    if read is None:
        return None
    return ZapLine(_clock(line, read), read.level or "", read.message, _fields(read))


def _clock(line: bytes, read: LogLine) -> str:
    if found := _ISO.match(read.text("ts")):
        return f"{found[1]:.12}"
    if isinstance(seconds := read.fields.get("ts"), float) and math.isfinite(seconds):
        # zap's own default, seconds since the epoch; shown in UTC as etcd's other forms are.
        whole, millis = divmod(int(seconds * 1000) % 86_400_000, 1000)
        return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{millis:03}"
    found_bytes = _CAPNSLOG_CLOCK.match(line) or _RAFT_CLOCK.match(line)
    return found_bytes[1].decode() if found_bytes else ""


def _fields(read: LogLine) -> tuple[tuple[str, str], ...]:
    fields = [
        (key, value_text(value)) for key, value in read.fields.items() if key not in _IN_COLUMNS
    ]
    # Where in etcd's code the line was written matters least: at the edge it is cut first.
    fields.sort(key=lambda field: field[0] == "caller")
    if read.package:
        fields.append(("package", read.package))
    return tuple(fields)


def value_text(value: object) -> str:
    """A field's value: text bare where that is clear, everything else as JSON."""
    if isinstance(value, str) and value and not re.search(r'[\s"=\\]', value):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
