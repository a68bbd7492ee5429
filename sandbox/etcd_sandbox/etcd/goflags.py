"""Command-line flags as Go's `flag` package reads them, and `ETCD_*` variables as etcd does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from etcd_sandbox.etcd.flagtable import flag_table, takes_value

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class Options(Struct):
    """Options by their names without dashes, and what etcd would complain about."""

    values: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_argv(argv: Sequence[str]) -> Options:
    """The options of `argv` (without the program); of a repeated one the last counts.

    One or two dashes, `--name value` or `--name=value`; a boolean takes no separate value. The
    first word that is no flag ends the flags: etcd refuses to start then.
    """
    options = Options()
    words = iter(argv)
    for word in words:
        if len(word) < 2 or not word.startswith("-"):
            options.problems.append(f"{word!r} is not a flag: etcd refuses it")
            break
        if word == "--":
            if (rest := next(words, None)) is not None:
                options.problems.append(f"{rest!r} is not a flag: etcd refuses it")
            break
        name, given, value = word.removeprefix("-").removeprefix("-").partition("=")
        if not name or name.startswith("-"):
            options.problems.append(f"{word!r} is not how a flag is written")
            break
        if not given:
            if not takes_value(name):
                value = "true"
            elif (following := next(words, None)) is not None:
                value = following
            else:
                options.problems.append(f"--{name} needs a value")
                break
        options.values[name] = value
    return options


def read_environment(env: Mapping[str, str], given: Mapping[str, str]) -> Options:
    """The options of `ETCD_*` variables, without those that are empty.

    A variable for an option that is also `given` as a flag is a problem, even when it is empty:
    etcd ends at once.
    """
    options = Options()
    for name in flag_table():
        variable = variable_of(name)
        if variable not in env or name == "version":
            continue
        if name in given:
            options.problems.append(
                f"--{name} is also set by the variable {variable}: etcd refuses to start with both"
            )
        elif env[variable]:
            options.values[name] = env[variable]
    return options


def variable_of(flag: str) -> str:
    """`data-dir` → `ETCD_DATA_DIR`."""
    return "ETCD_" + flag.upper().replace("-", "_")


def read_bool(text: str) -> bool | None:
    """A boolean as Go's `strconv.ParseBool` reads it; None when it does not."""
    if text in _TRUE:
        return True
    return False if text in _FALSE else None


def read_uint(text: str) -> int | None:
    """A number as Go's `strconv.ParseUint` reads it with base 0; None when it does not."""
    if not text.isascii() or text[:1] in ("+", "-") or len(text) > 70 or text != text.strip():
        return None
    base = 8 if len(text) > 1 and text[0] == "0" and text[1:2].isdigit() else 0
    try:
        number = int(text, base)
    except ValueError:
        return None
    return number if number < 2**64 else None
