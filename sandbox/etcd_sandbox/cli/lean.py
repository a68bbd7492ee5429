"""The commands used most, without click, whose import takes longer than all the rest of them.

Only a line that is understood whole goes this way. Help, mistakes and all that is unusual are left to
click, whose declarations say what there is; a test holds the two ways to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

from etcd_sandbox.cli.settings import settings


class Lean(NamedTuple):
    """The function of a command, and its flags by what they set; all of them are off by default."""

    place: str
    flags: Mapping[str, str]
    has_json: bool = True


COMMANDS = {
    "status": Lean("status:show", {"-w": "watch", "--watch": "watch", "--hash": "with_hash"}),
    "dashboard": Lean("dashboard:look", {"--owned": "owned"}, has_json=False),
}

_COMMON = {
    "--json": "json",
    "--no-color": "no_color",
    "-q": "quiet",
    "--quiet": "quiet",
    "-v": "verbose",
    "--verbose": "verbose",
}


def understood(args: Sequence[str]) -> Callable[[], object] | None:
    """What runs this command line; None where click is to read it."""
    words = iter(args)
    command: Lean | None = None
    common: dict[str, str | bool] = {}
    flags: set[str] = set()
    for word in words:
        if word in ("-c", "--cluster"):
            name = next(words, "")
            if not name or name.startswith("-"):
                return None
            common["cluster"] = name
        elif word in _COMMON:
            common[_COMMON[word]] = True
        elif command is None and word in COMMANDS:
            command = COMMANDS[word]
        elif command is not None and word in command.flags:
            flags.add(command.flags[word])
        else:
            return None
    if command is None or ("json" in common and not command.has_json):
        return None
    module, _, function = command.place.partition(":")
    options = {flag: flag in flags for flag in command.flags.values()}

    def run() -> object:
        for option, value in common.items():
            setattr(settings(), option, value)
        return getattr(import_module(f"etcd_sandbox.cli.{module}"), function)(**options)

    return run
