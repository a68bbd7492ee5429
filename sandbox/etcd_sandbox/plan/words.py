"""Splits a command line into words the way sh does, as far as its first simple command goes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct, field

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})", re.ASCII)
_ESCAPED_IN_QUOTES = '$`"\\'


class Part(Struct, frozen=True):
    """A piece of a word: text as it is, or a variable such as `$PORT` as it is written."""

    text: str
    variable: bool = False
    quoted: bool = False


class Word(Struct, frozen=True):
    """A word without its quotes; `start` and `end` are its place in the command line."""

    parts: tuple[Part, ...]
    start: int
    end: int

    @property
    def text(self) -> str:
        """The word with its variables as they are written."""
        return "".join(part.text for part in self.parts)

    @property
    def varies(self) -> bool:
        """The word holds a variable."""
        return any(part.variable for part in self.parts)

    def value(self, env: Mapping[str, str]) -> str:
        """The one string that the word becomes as the value of an assignment."""
        return "".join(
            _value(part.text, env) if part.variable else part.text for part in self.parts
        )

    def expand(self, env: Mapping[str, str]) -> list[str]:
        """The arguments that the word becomes: none or several where a variable is unquoted."""
        found: list[str] = []
        current: str | None = None
        for part in self.parts:
            value = _value(part.text, env) if part.variable else part.text
            if part.quoted or not part.variable:
                current = (current or "") + value
                continue
            pieces = value.split()
            if pieces and value[0].isspace() and current is not None:
                found.append(current)
                current = None
            for index, piece in enumerate(pieces):
                if index:
                    found.append(current or "")
                    current = None
                current = (current or "") + piece
            if value[-1:].isspace() and current is not None:
                found.append(current)
                current = None
        return found if current is None else [*found, current]


class Line(Struct, frozen=True):
    """The words of a command line's first simple command.

    `plain`: the line is that command alone, without operators, redirections or substitutions.
    """

    words: tuple[Word, ...]
    plain: bool


def split(command: str) -> Line | None:
    """The first simple command of `command`; None where sh would miss a closing quote."""
    try:
        return _Splitter(command).run()
    except _Unclosed:
        return None


class _Unclosed(Exception):
    """A quote, brace or substitution has no end."""


class _Splitter(Struct):
    command: str
    at: int = 0
    start: int = 0
    plain: bool = True
    skip_next: bool = False
    parts: list[Part] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)

    def run(self) -> Line:
        while self.at < len(self.command) and self._step(self.command[self.at]):
            pass
        self._end_word()
        return Line(tuple(self.words), self.plain)

    def _step(self, letter: str) -> bool:
        """Reads on from `letter`; False where the first simple command ends."""
        if letter in " \t\r":
            self._end_word()
            self.at += 1
        elif letter in "\n;&|()":
            self._end_word()
            self.plain = False
            self.at += 1
            return letter == "\n" and not self.words
        elif letter in "<>":
            self._redirection()
        elif letter == "#" and not self.parts:
            end = self.command.find("\n", self.at)
            self.at = end if end >= 0 else len(self.command)
        else:
            if not self.parts:
                self.start = self.at
            self._part(letter)
        return True

    def _part(self, letter: str) -> None:
        if letter == "'":
            end = self._find("'", self.at + 1)
            self._add(self.command[self.at + 1 : end], end + 1, quoted=True)
        elif letter == '"':
            self._double_quoted()
        elif letter == "\\":
            escaped = self.command[self.at + 1 : self.at + 2]
            if escaped == "\n":
                self.at += 2
            else:
                self._add(escaped or "\\", self.at + 2, quoted=True)
        elif letter in "$`":
            self._dollar(quoted=False)
        else:
            end = self.at + 1
            while end < len(self.command) and self.command[end] not in " \t\r\n;&|()<>'\"\\$`":
                end += 1
            self._add(self.command[self.at : end], end)

    def _double_quoted(self) -> None:
        self._add("", self.at + 1, quoted=True)
        while (letter := self.command[self.at : self.at + 1]) != '"':
            if not letter:
                raise _Unclosed
            if letter in "$`":
                self._dollar(quoted=True)
            elif letter == "\\" and (after := self.command[self.at + 1 : self.at + 2]):
                text = after if after in _ESCAPED_IN_QUOTES else letter + after
                self._add("" if after == "\n" else text, self.at + 2, quoted=True)
            else:
                end = self.at + 1
                while end < len(self.command) and self.command[end] not in '"$`\\':
                    end += 1
                self._add(self.command[self.at : end], end, quoted=True)
        self.at += 1

    def _dollar(self, *, quoted: bool) -> None:
        if self.command[self.at] == "`":
            self.plain = False
            end = self._find("`", self.at + 1) + 1
            self._add(self.command[self.at : end], end, quoted=True)
        elif self.command.startswith("$(", self.at):
            self.plain = False
            end = self._closing_parenthesis()
            self._add(self.command[self.at : end], end, quoted=True)
        elif self.command.startswith("${", self.at):
            end = self._find("}", self.at) + 1
            self._add(self.command[self.at : end], end, quoted=quoted, variable=True)
        elif named := _VARIABLE.match(self.command, self.at):
            self._add(named[0], named.end(), quoted=quoted, variable=True)
        else:
            self._add("$", self.at + 1, quoted=quoted)

    def _redirection(self) -> None:
        self.plain = False
        if self.parts and self.command[self.start : self.at].isdigit():
            self.parts.clear()
        self._end_word()
        while self.at < len(self.command) and self.command[self.at] in "<>&|":
            self.at += 1
        self.skip_next = True

    def _end_word(self) -> None:
        if self.parts:
            if not self.skip_next:
                self.words.append(Word(tuple(self.parts), self.start, self.at))
            self.skip_next = False
            self.parts.clear()

    def _add(self, text: str, end: int, *, quoted: bool = False, variable: bool = False) -> None:
        self.parts.append(Part(text, variable, quoted))
        self.at = min(end, len(self.command))

    def _find(self, mark: str, start: int) -> int:
        end = self.command.find(mark, start)
        if end < 0:
            raise _Unclosed
        return end

    def _closing_parenthesis(self) -> int:
        depth = 0
        for position in range(self.at, len(self.command)):
            depth += {"(": 1, ")": -1}.get(self.command[position], 0)
            if depth == 0 and position > self.at:
                return position + 1
        raise _Unclosed


def _value(written: str, env: Mapping[str, str]) -> str:
    found = _VARIABLE.fullmatch(written)
    if found is None:
        return written
    value = env.get(found[1] or found[2], "")
    return value or found[3] or ""
