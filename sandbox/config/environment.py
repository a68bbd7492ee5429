"""Reads `.env` files: the variables that they add to the caller's environment."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from sandbox.errors import InputError


def load_env(texts: Sequence[tuple[str, str]], caller: Mapping[str, str]) -> dict[str, str]:
    """The variables that the files add to `caller`; each text is a pair of place and content.

    As godotenv's Load does for goreman: the caller's environment always wins, then the first
    file that sets a variable. `${NAME}` means what the processes will see. Raises InputError
    with `FILE:LINE` for a line that sets nothing.
    """
    from dotenv.variables import parse_variables

    added: dict[str, str] = {}
    for where, text in texts:
        values: dict[str, str] = {}
        for name, value in _bindings(where, text):
            seen = {**values, **added, **caller}
            values[name] = "".join(atom.resolve(seen) for atom in parse_variables(value))
        for name, value in values.items():
            if name not in caller:
                added.setdefault(name, value)
    return added


def _bindings(where: str, text: str) -> list[tuple[str, str]]:
    from dotenv.parser import parse_stream

    found: list[tuple[str, str]] = []
    for binding in parse_stream(io.StringIO(text.removeprefix("\ufeff"))):
        if binding.key is None and not binding.error:
            continue
        source = binding.original.string
        blank = source[: len(source) - len(source.lstrip())]
        place = f"{where}:{binding.original.line + blank.count(chr(10))}"
        if binding.error or not binding.key or binding.value is None:
            if source.split()[:1] == ["export"] and not binding.error:
                continue
            raise InputError("this line does not set a variable", place, "write NAME=value")
        if "\0" in source:
            raise InputError("this line holds a NUL character", place)
        found.append((binding.key, binding.value))
    return found
