"""Reads leadership out of the members' log files: etcd's own lines, with etcd's own times."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

from tests.witness.observed import LogSign, SignKind

_BECAME = re.compile(r"([0-9a-f]+) became (pre-candidate|candidate|leader|follower) at term (\d+)")
_LOST = re.compile(r"raft\.node: ([0-9a-f]+) lost leader ([0-9a-f]+) at term (\d+)")
_FOUND = re.compile(
    r"raft\.node: ([0-9a-f]+) (?:elected leader|changed leader from [0-9a-f]+ to) ([0-9a-f]+) at term (\d+)"
)
_STEPPED = re.compile(r"([0-9a-f]+) stepped down to follower since quorum is not active")


def sign_in(member: str, line: bytes) -> LogSign | None:
    """What one line of zap's JSON tells of leadership; None for any other line."""
    if b" at term " not in line and b"stepped down" not in line:
        return None
    try:
        read = json.loads(line)
        ts, text = datetime.fromisoformat(read["ts"]).timestamp(), str(read["msg"])
    except (ValueError, KeyError, TypeError):
        return None
    if found := _BECAME.fullmatch(text):
        return LogSign(
            ts=ts, member=member, id=found[1], kind=SignKind(found[2]), term=int(found[3])
        )
    for pattern, kind in ((_LOST, SignKind.LOST_LEADER), (_FOUND, SignKind.FOUND_LEADER)):
        if found := pattern.fullmatch(text):
            return LogSign(
                ts=ts,
                member=member,
                id=found[1],
                kind=kind,
                term=int(found[3]),
                leader=found[2],
            )
    if found := _STEPPED.match(text):
        return LogSign(ts=ts, member=member, id=found[1], kind=SignKind.STEPPED_DOWN)
    return None


class LogFile:
    """The log of one member, read on from where it was left; a line that is not whole waits."""

    def __init__(self, member: str, path: Path) -> None:
        self._member = member
        self._path = path
        self._at = 0
        self._rest = b""

    def news(self) -> list[LogSign]:
        """The signs in what was written since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                content = file.read()
        except OSError:
            return []
        self._at += len(content)
        *lines, self._rest = (self._rest + content).split(b"\n")
        signs = (sign_in(self._member, line) for line in lines)
        return [sign for sign in signs if sign is not None]
