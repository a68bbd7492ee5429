"""Reads an input file whole, or says plainly why it cannot be read."""

from __future__ import annotations

import stat
from pathlib import Path

from etcd_sandbox.errors import InputError

SIZE_LIMIT_BYTES = 10 * 1024 * 1024


def read_input(path: Path, what: str) -> bytes:
    """The content of `path`; `what` is its kind in a reader's words ("Procfile", "profile").

    Raises InputError when it is missing, not a regular file or pipe, unreadable, or larger
    than SIZE_LIMIT_BYTES.
    """
    where = str(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(
                f"this is a directory, not a {what}", where, f"name the {what} inside it"
            )
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise InputError(f"this is not a file that can be a {what}", where)
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"there is no {what} here", where, "check the path") from None
    except PermissionError:
        raise InputError(
            f"the {what} cannot be read (permission denied)", where, f"chmod u+r {where}"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"the {what} cannot be read ({reason})", where) from error
    if len(data) > SIZE_LIMIT_BYTES:
        raise InputError(
            f"the {what} is larger than {SIZE_LIMIT_BYTES // 1024 // 1024} MiB",
            where,
            "check that this is the file you mean",
        )
    return data


def is_readable_once(path: Path) -> bool:
    """Whether the file is a pipe, or one that only this process has open: `/dev/stdin`, `<(…)`."""
    if path.is_relative_to("/dev") or path.is_relative_to("/proc"):
        return True
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def decode_input(data: bytes, where: str, what: str) -> str:
    """The text of an input file, without a UTF-8 byte order mark.

    Raises InputError for a binary file and, naming the line, for invalid UTF-8.
    """
    if (nul := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise InputError(
            f"this is a binary file, not a {what} (it holds a NUL byte)", f"{where}:{line}"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # error.start counts from behind a byte order mark, which holds no line end.
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            "this line is not valid UTF-8", f"{where}:{line}", "save the file as UTF-8"
        ) from None
