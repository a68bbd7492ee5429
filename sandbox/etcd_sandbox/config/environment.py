"""Reads `.env` files as godotenv, goreman's library, reads them: the variables that they add to the caller's."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence

from etcd_sandbox.errors import InputError

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
