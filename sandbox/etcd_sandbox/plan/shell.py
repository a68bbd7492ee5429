"""How a command of a Procfile is executed, and whether it starts an etcd member.

`shlex` tells neither where a word stands nor which parts of it are quoted: `$PORT` in single quotes is no variable.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from msgspec import Struct

_DOLLAR = r"""
    (?P<variable>\$(?:\{[^}]*\}|\w+)) | (?P<command>`[^`]*`|\$\() | (?P<open>['`]|\$\{)"""
_OUTSIDE_QUOTES = re.compile(
    rf"""(?P<blank>[ \t\r]+) | (?P<end>[\n;&|()]) | (?P<redirection>[<>][<>&|]*)
    | (?P<quote>") | '(?P<literal>[^']*)' | \\(?P<escaped>.)
    | (?P<text>[^ \t\r\n;&|()<>'"\\$`]+|\\|\$(?![({{\w])) | {_DOLLAR}""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_IN_QUOTES = re.compile(
    rf"""(?P<quote>") | \\(?P<escaped>[$`"\\\n]) | (?P<text>[^"$`\\]+|\\|\$(?![({{\w])) | {_DOLLAR}""",
    re.VERBOSE | re.ASCII,
)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})", re.ASCII)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_RESERVED = (
    "! [[ { } case do done elif else esac fi for function if in select then time until while"
)
_POSIX_BUILTINS = """. : [ alias bg break cd command continue echo eval exec exit export false fc fg
    getopts hash jobs kill local printf pwd read readonly return set shift test times trap true
    type ulimit umask unalias unset wait"""
_BASH_BUILTINS = """bind builtin caller compgen complete coproc declare dirs disown enable help history
    let logout mapfile popd pushd readarray shopt source suspend typeset"""
_SHELL_WORDS = frozenset((*_RESERVED.split(), *_POSIX_BUILTINS.split(), *_BASH_BUILTINS.split()))
_NOT_MEMBERS = ("grpc-proxy", "gateway")
_NOT_SERVING = ("version", "help", "h")


class Part(Struct, frozen=True):
    """A piece of a word: text as it is, or a variable such as `$PORT` as it is written."""

    text: str
    variable: bool = False
    quoted: bool = False

    def value(self, env: Mapping[str, str]) -> str:
        """The text that the piece becomes; a variable that sh would work on further stays as it is written."""
        found = _VARIABLE.fullmatch(self.text) if self.variable else None
        return self.text if found is None else env.get(found[1] or found[2], "") or found[3] or ""


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
        return "".join(part.value(env) for part in self.parts)

    def expand(self, env: Mapping[str, str]) -> list[str]:
        """The arguments that the word becomes: none or several where a variable is unquoted."""
        found: list[str] = []
        goes_on = False
        for part in self.parts:
            value = part.value(env)
            divided = part.variable and not part.quoted
            if divided and value[:1].isspace():
                goes_on = False
            pieces = value.split() if divided else [value]
            if goes_on and pieces:
                found[-1] += pieces.pop(0)
            found += pieces
            if value or not divided:
                goes_on = not (divided and value[-1].isspace())
        return found


class Line(Struct, frozen=True):
    """The words of a command line's first simple command.

    `plain`: the line is that command alone, without operators, redirections or substitutions.
    """

    words: tuple[Word, ...]
    plain: bool


def split(command: str) -> Line | None:
    """The first simple command of `command` as sh sees it; None where sh would miss a closing quote."""
    words: list[Word] = []
    parts: list[Part] = []
    at = start = 0
    plain, quoted, skip = True, False, False

    def end_word() -> None:
        nonlocal skip
        if parts:
            if not skip:
                words.append(Word(tuple(parts), start, at))
            skip = False
            parts.clear()

    while at < len(command):
        if command[at] == "#" and not parts:
            at = f"{command}\n".index("\n", at)
            continue
        found = (_IN_QUOTES if quoted else _OUTSIDE_QUOTES).match(command, at)
        if found is None or found.lastgroup is None:
            return None
        kind, text, end = found.lastgroup, found[found.lastgroup], found.end()
        if kind in ("blank", "end", "redirection"):
            plain = plain and kind == "blank"
            if kind == "redirection" and command[start:at].isdigit():
                parts.clear()  # the number of what is redirected
            end_word()
            skip = skip or kind == "redirection"
            if kind == "end" and (text != "\n" or words):
                return Line(tuple(words), plain)
            at = end
            continue
        if not parts:
            start = at
        if kind == "quote":
            quoted = not quoted
            text = ""
        elif kind == "command":
            plain = False
            if text == "$(":
                end = _closing(command, at)
            text = command[at:end]
        if kind == "open" or not end:
            return None
        if (kind, text) != ("escaped", "\n"):
            unquoted = kind in ("text", "variable") and not quoted
            parts.append(Part(text, kind == "variable", not unquoted))
        at = end
    end_word()
    return None if quoted else Line(tuple(words), plain)


def _closing(command: str, at: int) -> int:
    """Where the `$(` that stands at `at` ends; 0 where it does not."""
    depth = 0
    for position in range(at + 1, len(command)):
        depth += {"(": 1, ")": -1}.get(command[position], 0)
        if not depth:
            return position + 1
    return 0


class EtcdInvocation(Struct, frozen=True):
    """A command that starts an etcd member.

    `argv` is what follows the program, variables expanded; `start` and `end` are the place of
    the program's word in the command. `clean` and `unset`: `env -i` and `env -u NAME`.
    """

    program: str
    argv: tuple[str, ...]
    start: int
    end: int
    assignments: tuple[tuple[str, str], ...] = ()
    clean: bool = False
    unset: tuple[str, ...] = ()

    @property
    def bare(self) -> bool:
        """The program is looked up on PATH."""
        return "/" not in self.program

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """etcd's environment when the command runs under `env`."""
        kept = {} if self.clean else {k: v for k, v in env.items() if k not in self.unset}
        return kept | dict(self.assignments)

    def with_program(self, command: str, path: str) -> str:
        """`command` with the program's word replaced by `path`."""
        return f"{command[: self.start]}{shlex.quote(path)}{command[self.end :]}"


def shell_argv(command: str) -> tuple[str, ...]:
    """The argv that executes `command`: under `exec` if it is a simple one, else as written."""
    return ("/bin/sh", "-c", f"exec {command.lstrip()}" if is_simple(command) else command)


def is_simple(command: str) -> bool:
    """Whether `command` is one program with its words: it can be replaced by that program."""
    line = split(command)
    return (
        line is not None
        and line.plain
        and bool(line.words)
        and not line.words[0].varies
        and not _assignment(line.words[0], command)
        and not line.words[0].text.startswith("-")
        and line.words[0].text not in _SHELL_WORDS
        and line.words[0].text != ""
    )


def etcd_invocation(command: str, env: Mapping[str, str] | None = None) -> EtcdInvocation | None:
    """How `command` starts an etcd member; None when it is anything else.

    The program is `etcd` by base name, also behind `exec`, `env` or leading assignments.
    Variables in the words are read from `env`, the environment of the process.
    """
    line = split(command)
    if line is None:
        return None
    prefix = _Prefix(command, line.words, env or {})
    if (at := prefix.skip()) is None:
        return None
    program = line.words[at]
    fields = [field for word in line.words[at:] for field in word.expand(prefix.env)]
    if not fields or fields[0].rpartition("/")[2] != "etcd" or not program.expand(prefix.env):
        return None
    argv = tuple(fields[1:])
    if argv[:1] and argv[0] in _NOT_MEMBERS:
        return None
    if any(word.startswith("-") and word.lstrip("-") in _NOT_SERVING for word in argv):
        return None
    return EtcdInvocation(
        program=fields[0],
        argv=argv,
        start=program.start,
        end=program.end,
        assignments=tuple(prefix.assignments),
        clean=prefix.clean,
        unset=tuple(prefix.unset),
    )


class _Prefix:
    """The words that may stand before the program: assignments, `exec` and `env`."""

    def __init__(self, command: str, words: tuple[Word, ...], env: Mapping[str, str]) -> None:
        self.command = command
        self.words = words
        self.env = env
        self.assignments: list[tuple[str, str]] = []
        self.unset: list[str] = []
        self.clean = False

    def skip(self) -> int | None:
        """The index of the program's word; None where there is none, or an unknown option."""
        at: int | None = 0
        while at is not None and at < len(self.words):
            word = self.words[at]
            if _assignment(word, self.command):
                name, _, value = word.value(self.env).partition("=")
                self.assignments.append((name, value))
                at += 1
            elif word.text == "exec":
                at = self._exec_options(at + 1)
            elif word.text.rpartition("/")[2] == "env":
                at = self._env_options(at + 1)
            else:
                return at
        return None

    def _exec_options(self, at: int) -> int | None:
        while at < len(self.words) and self.words[at].text.startswith("-"):
            at += 2 if self.words[at].text == "-a" else 1
        return at

    def _env_options(self, at: int) -> int | None:
        while at < len(self.words) and (option := self.words[at].text).startswith("-"):
            at += 1
            if option in ("-i", "-", "--ignore-environment"):
                self.clean = True
            elif option == "-u" and at < len(self.words):
                self.unset.append(self.words[at].text)
                at += 1
            elif option.startswith("--unset="):
                self.unset.append(option.removeprefix("--unset="))
            elif option == "--":
                return at
            else:
                return None
        return at


def _assignment(word: Word, command: str) -> bool:
    return _ASSIGNMENT.match(command, word.start, word.end) is not None
