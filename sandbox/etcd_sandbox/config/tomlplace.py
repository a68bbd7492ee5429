"""Finds the line of a key in a TOML document, which its parser does not tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from msgspec import Struct

Key = tuple[str | int, ...]
"""The way to a value: `("member", 1, "name")`; array elements count from 0."""

_TOKEN = re.compile(
    r'''(?P<string>"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')'''
    r"|(?P<skip>[ \t\r]+|\#[^\n]*)|(?P<mark>[\[\]{}=,.\n])|(?P<bare>[^\s\[\]{}=,.\#\"']+)|(?P<odd>.)",
    re.DOTALL,
)


class _Token(Struct, frozen=True):
    kind: str
    text: str
    line: int


def spell(key: Key) -> str:
    """A key's way as a reader writes it: `member[1].name`."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return words.removeprefix(".")


def places(text: str) -> dict[Key, int]:
    """The line, from 1, of each key of a document that its parser accepted."""
    return _Scan(list(_tokens(text))).run()


def place_in(text: str, where: str, key: Key) -> str:
    """`FILE:LINE` of a key in a valid TOML document; `FILE: KEY` where no line is known."""
    if not where:
        return ""
    lines = places(text)
    for length in range(len(key), 0, -1):
        if line := lines.get(key[:length]):
            return f"{where}:{line}"
    return f"{where}: {spell(key)}" if key else where


@cache
def _unquote(text: str) -> str:
    import tomli

    return str(tomli.loads(f"k = {text}")["k"])


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "skip":
            yield _Token(str(match.lastgroup), match[0], line)
        line += match[0].count("\n")


class _Scan:
    """One pass over the tokens; trusts that the document is valid."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._lines: dict[Key, int] = {}
        self._counts: Counter[Key] = Counter()

    def run(self) -> dict[Key, int]:
        table: Key = ()
        while self._at < len(self._tokens):
            if self._peek() == "\n":
                self._at += 1
            elif self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    def _peek(self) -> str:
        """The mark at hand, empty for anything else and at the end."""
        if self._at >= len(self._tokens):
            return ""
        token = self._tokens[self._at]
        return token.text if token.kind == "mark" else ""

    def _header(self) -> Key:
        line = self._tokens[self._at].line
        self._at += 1
        listed = self._peek() == "["
        self._at += listed
        written = self._key()
        table: Key = ()
        for index, part in enumerate(written):
            table = (*table, part)
            if listed and index == len(written) - 1:
                table = (*table, self._counts[table])
                self._counts[table[:-1]] += 1
            elif self._counts[table]:
                table = (*table, self._counts[table] - 1)
        while self._at < len(self._tokens) and self._peek() != "\n":
            self._at += 1
        self._note(table, line)
        return table

    def _key(self) -> tuple[str, ...]:
        """A key's parts; stops before `=` or `]`."""
        parts: list[str] = []
        while self._at < len(self._tokens) and self._peek() in ("", "."):
            token = self._tokens[self._at]
            if token.kind == "string":
                parts.append(_unquote(token.text))
            elif token.kind != "mark":
                parts.append(token.text)
            self._at += 1
        return tuple(parts)

    def _pair(self, table: Key) -> None:
        start = self._at
        key = (*table, *self._key())
        if self._at < len(self._tokens):
            self._note(key, self._tokens[start].line)
            self._at += 1
            self._value(key)

    def _value(self, key: Key) -> None:
        mark = self._peek()
        if mark == "[":
            self._at += 1
            index = 0
            while (mark := self._peek()) != "]" and self._at < len(self._tokens):
                if mark in (",", "\n"):
                    self._at += 1
                else:
                    element = (*key, index)
                    self._note(element, self._tokens[self._at].line)
                    self._value(element)
                    index += 1
            self._at += 1
        elif mark == "{":
            self._at += 1
            while (mark := self._peek()) != "}" and self._at < len(self._tokens):
                if mark in (",", "\n"):
                    self._at += 1
                else:
                    self._pair(key)
            self._at += 1
        else:
            self._at += 1
            while self._at < len(self._tokens) and self._peek() in ("", "."):
                self._at += 1

    def _note(self, key: Key, line: int) -> None:
        self._lines.setdefault(key, line)
