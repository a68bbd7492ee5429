"""Reads a profile: TOML in, a checked Profile out, or an error with file and line."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from etcd_sandbox.config.inputfile import decode_input
from etcd_sandbox.config.profileshape import (
    ClusterTable,
    Document,
    MemberTable,
    ProcessTable,
    Profile,
    SuperviseTable,
    check_profile,
)
from etcd_sandbox.config.tomlplace import Key, place_in, spell
from etcd_sandbox.errors import InputError, did_you_mean
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.selector import composed
from etcd_sandbox.model.spec import After, Restart, Runtime, Stdin

__all__ = ["Profile", "builtin_profiles", "find_profile", "parse_profile"]

Table = TypeVar("Table", MemberTable, ProcessTable)

_DEPTH_LIMIT = 16
_INTEGER_LIMIT = 2**63
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_TYPE = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_WORD = re.compile(r"Invalid enum value '(.*)'", re.DOTALL)
_PATH_PART = re.compile(r"\.(\w+)|\[(\d+)\]")
_TABLES: dict[str, type[msgspec.Struct]] = {
    "": Document,
    "cluster": ClusterTable,
    "member": MemberTable,
    "process": ProcessTable,
    "supervise": SuperviseTable,
}
_PLAIN_TYPES = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "a table",
    "datetime": "a date and time",
    "date": "a date",
    "time": "a time",
}
_WORDS = {
    name: tuple(word.value for word in words)
    for name, words in (
        ("after", After),
        ("bootstrap", Bootstrap),
        ("restart", Restart),
        ("runtime", Runtime),
        ("stdin", Stdin),
    )
}


def parse_profile(data: bytes, where: str) -> Profile:
    """The profile whose content is `data`; `where` is the file as a reader knows it.

    Raises InputError with `where:LINE` for bad TOML, unknown keys, wrong types, values out
    of range, and names or ports that are used twice.
    """
    text = decode_input(data, where, "profile")
    raw = _load(text, where)
    _check_values(raw, text, where)
    try:
        document = msgspec.convert(raw, Document)
    except msgspec.ValidationError as error:
        raise _in_plain_words(str(error), text, where) from None
    profile = Profile(
        where=where,
        text=text,
        description=document.description,
        cluster=document.cluster,
        etcd=document.etcd,
        members=tuple(_composed(table) for table in document.member),
        processes=tuple(_composed(table) for table in document.process),
        supervise=document.supervise,
    )
    check_profile(profile)
    return profile


def _composed(table: Table) -> Table:
    return msgspec.structs.replace(table, name=composed(table.name))


def builtin_profiles() -> dict[str, Path]:
    """The profiles that ship with the package, by name."""
    package = Path(__file__).parents[1]
    directory = package / "profiles"
    if not directory.is_dir():
        directory = package.parents[1] / "profiles"  # in a checkout
    return {path.stem: path for path in sorted(directory.glob("*.toml"))}


def find_profile(name_or_path: str) -> Path:
    """The file of a built-in profile's name, or of a path (with a slash, or ending in .toml).

    Raises InputError for a name that is not built in.
    """
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return Path(name_or_path)
    builtin = builtin_profiles()
    if found := builtin.get(name_or_path):
        return found
    raise InputError(
        f"there is no built-in profile {name_or_path!r}",
        hint=f"built in are {', '.join(builtin)}; a path has a '/' or ends in .toml",
    )


def _load(text: str, where: str) -> dict[str, Any]:
    import tomli

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise InputError(
            f"this is not TOML: {error.msg} (column {error.colno})", f"{where}:{error.lineno}"
        ) from None
    except RecursionError:
        raise InputError("the profile is nested too deeply", where) from None
    except ValueError as error:
        raise InputError(f"this is not TOML: {error}", where) from None


def _check_values(raw: dict[str, Any], text: str, where: str) -> None:
    """Refuses what TOML allows but no profile can mean, in any table."""
    waiting: list[tuple[Key, Any]] = [((), raw)]
    while waiting:
        key, value = waiting.pop()
        if len(key) > _DEPTH_LIMIT:
            raise InputError("the profile is nested too deeply", where)
        if isinstance(value, dict):
            if _holds_flags(key):
                _check_flags(key, value, text, where)
            waiting += [((*key, name), inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [((*key, index), inner) for index, inner in enumerate(value)]
        elif problem := _value_problem(value):
            raise InputError(f"{spell(key)!r} {problem}", place_in(text, where, key))


def _value_problem(value: object) -> str:
    if isinstance(value, str) and "\0" in value:
        return "holds a NUL character"
    if isinstance(value, int) and not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        return "does not fit into 64 bits"
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    return ""


def _holds_flags(key: Key) -> bool:
    return key == ("etcd",) or (len(key) == 3 and key[0] == "member" and key[2] == "flags")


def _check_flags(key: Key, flags: dict[str, Any], text: str, where: str) -> None:
    for name, value in flags.items():
        if not isinstance(value, str | int | float | bool):
            raise InputError(
                f"the etcd flag {name!r} must be a string, a number, true or false",
                place_in(text, where, (*key, name)),
            )
        if "\0" in name:
            raise InputError("an etcd flag's name holds a NUL character", where)


def _in_plain_words(message: str, text: str, where: str) -> InputError:
    """msgspec's complaint as a reader of the profile would put it."""
    problem, _, path = message.rpartition(" - at `$")
    if not problem:
        problem, path = message, ""
    key: Key = tuple(
        int(index) if index else name for name, index in _PATH_PART.findall(path.rstrip("`"))
    )
    if unknown := _UNKNOWN.fullmatch(problem):
        table = _TABLES[str(key[0]) if key else ""]
        spelled = f" in [{key[0]}]" if key else ""
        return InputError(
            f"unknown key {unknown[1]!r}{spelled}",
            place_in(text, where, (*key, unknown[1])),
            did_you_mean(unknown[1], table.__struct_fields__),
        )
    place = place_in(text, where, key)
    if missing := _MISSING.fullmatch(problem):
        return InputError(
            f"this [[{key[0]}]] has no {missing[1]!r}", place, f"add {missing[1]} = …"
        )
    shown = repr(str(key[-1]) if key and isinstance(key[-1], str) else spell(key))
    if wrong := _TYPE.fullmatch(problem):
        asked = wrong[1].removesuffix(" | null")
        return InputError(f"{shown} must be {_plain(asked)}, not {_found(wrong[2])}", place)
    if (word := _WORD.fullmatch(problem)) and key and (known := _WORDS.get(str(key[-1]))):
        return InputError(
            f"{shown} cannot be {word[1]!r}", place, did_you_mean(word[1], known, "choose one of")
        )
    return InputError(f"{shown}: {problem}", place)


def _found(type_name: str) -> str:
    return "a decimal number" if type_name == "float" else _plain(type_name)


def _plain(type_name: str) -> str:
    return _PLAIN_TYPES.get(type_name, f"of type {type_name}")
