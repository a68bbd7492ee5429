"""Reads input files: whole and as text, or says plainly why not; and `.env` files as godotenv, goreman's library, does."""

from __future__ import annotations

import re
import stat
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from etcd_sandbox.errors import InputError

SIZE_LIMIT_BYTES = 10 * 1024 * 1024

_SPACE = "\t\v\f\r \x85\xa0"
_EXPORT = re.compile(rf"export[{_SPACE}]+")
_KEY = re.compile(rf"([\w.-]+)[{_SPACE}]*[=:][{_SPACE}]*")
_LINE = re.compile(r"[^\r\n]*")
_BEFORE_COMMENT = re.compile(rf"(.*)[{_SPACE}]#")
"""godotenv ends a value without quotes at the last ` #` of its line."""
_QUOTED = {quote: re.compile(rf"{quote}(.*?)(?<!\\){quote}", re.DOTALL) for quote in "'\""}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_REFERENCE = re.compile(
    r"\\(?P<escaped>\$)|\$\{(?P<name>[A-Z0-9_]+):-(?P<default>[^}]*)\}"
    r"|\$\(?\{?(?P<bare>[A-Z0-9_]+)\}?"
)
_LINE_BREAKS = {"n": "\n", "r": "\r", "$": r"\$"}

Lookup = Callable[[str], str | None]


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


def load_env(texts: Sequence[tuple[str, str]], caller: Mapping[str, str]) -> dict[str, str]:
    """The variables that the files add to `caller`; each text is a pair of place and content.

    As with godotenv's Load, the caller's environment always wins, then the first file that sets
    a variable. `$NAME` is what the same file said before, else what the caller or an earlier file
    says. Raises InputError with `FILE:LINE` for a line that sets nothing.
    """
    added: dict[str, str] = {}
    for where, text in texts:
        values: dict[str, str] = {}
        known = ChainMap(values, dict(caller), added)
        for name, value in _statements(where, text):
            values[name] = value(known.get)
        for name, said in values.items():
            if name not in caller:
                added.setdefault(name, said)
    return added


def _statements(where: str, text: str) -> Iterator[tuple[str, Callable[[Lookup], str]]]:
    """Each name with what makes its value of the variables that are known by then."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    at = 0
    while (at := _skip(text, at)) < len(text):
        begin = at
        place = f"{where}:{text.count(chr(10), 0, begin) + 1}"
        exported = _EXPORT.match(text, at)
        key = _KEY.match(text, exported.end() if exported else at)
        line = _line_at(text, begin)
        if "\0" in line:
            raise InputError("this line holds a NUL character", place)
        if key is None:
            if exported and re.fullmatch(r"[\w.-]*\s*", line[exported.end() - begin :]):
                at = begin + len(line)
                continue
            raise InputError("this line does not set a variable", place, "write NAME=value")
        at = key.end()
        quote = text[at : at + 1]
        if quote in _QUOTED:
            quoted = _QUOTED[quote].match(text, at)
            if quoted is None:
                raise InputError(
                    f"the value of {key[1]} begins with {quote} and has no end",
                    place,
                    f"write {quote} behind the value as well",
                )
            at = quoted.end()
            yield key[1], _literal(quoted[1]) if quote == "'" else _expanded(_unescaped(quoted[1]))
        else:
            value = _line_at(text, at)
            at += len(value)
            commented = _BEFORE_COMMENT.match(value)
            yield key[1], _expanded((commented[1] if commented else value).strip(_SPACE))


def _skip(text: str, at: int) -> int:
    """Where the next statement begins: behind white space, comments, and YAML's `---`."""
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] == "#" or _line_at(text, at) == "---":
            at += len(_line_at(text, at))
        else:
            break
    return at


def _line_at(text: str, at: int) -> str:
    found = _LINE.match(text, at)
    return found[0] if found else ""


def _literal(value: str) -> Callable[[Lookup], str]:
    return lambda _: value


def _unescaped(value: str) -> str:
    r"""`\n` and `\r` are line breaks, `\$` stays for the expansion, any other `\x` is `x`."""
    return _ESCAPE.sub(lambda found: _LINE_BREAKS.get(found[1], found[1]), value)


def _expanded(value: str) -> Callable[[Lookup], str]:
    def expand(look_up: Lookup) -> str:
        def said(found: re.Match[str]) -> str:
            if found["escaped"]:
                return "$"
            if found["name"]:
                return look_up(found["name"]) or found["default"]
            return look_up(found["bare"]) or ""

        return _REFERENCE.sub(said, value)

    return expand
