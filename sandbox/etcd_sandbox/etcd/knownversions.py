"""The versions of programs of etcd that were asked once, in a file: asking takes 20 ms and more each.

A program is known by path, size and times; the time of its last change of state as well, since
`chmod` changes no other. A file that is damaged or cannot be written is no obstacle.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from etcd_sandbox.paths import cache_home

MOST = 100
"""How many are remembered; the newest stay."""


def recall(program: Path, stat: os.stat_result) -> str | None:
    """The version that this program said it is, or None where it was not asked yet."""
    match _read().get(str(program)):
        case [*sign, str(version)] if sign == _sign(stat) and os.access(program, os.X_OK):
            return version
        case _:
            return None


def remember(program: Path, stat: os.stat_result, version: str) -> None:
    """Keep what the program said, for later commands."""
    known = _read()
    known.pop(str(program), None)
    known[str(program)] = [*_sign(stat), version]
    file = _file()
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    with contextlib.suppress(OSError, UnicodeError):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_text(json.dumps(dict(list(known.items())[-MOST:])))
            draft.replace(file)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


def _sign(stat: os.stat_result) -> list[object]:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _file() -> Path:
    return cache_home() / "versions.json"


def _read() -> dict[str, object]:
    try:
        content = json.loads(_file().read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
