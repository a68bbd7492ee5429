"""The options that every command has, wherever on the line they were typed; the names the shell completes; the commands used most, without click."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from etcd_sandbox.model.access import USER_VARIABLE, Credentials

if TYPE_CHECKING:
    import click

_PASSING_ON = ("ctl", "run")
"""Commands without --json; what stands behind them may be another program's."""
_WITH_NAME = ("-c", "--cluster")

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


_FLAGS = {
    "json": (("--json",), "Print data as JSON, and an error as one JSON object."),
    "no_color": (("--no-color",), "No colours (or set $NO_COLOR)."),
    "quiet": (("-q", "--quiet"), "Only data and errors: no notes, no next step."),
    "verbose": (("-v", "--verbose"), "Say more about what is done."),
}
_WORDS = {word: name for name, (words, _) in _FLAGS.items() for word in words}


class Settings:
    """What the global options say. `cluster` is None unless `-c` was given."""

    def __init__(self) -> None:
        self.cluster: str | None = None
        self.json = False
        self.no_color = False
        self.quiet = False
        self.verbose = False


_current = Settings()


def settings() -> Settings:
    """The settings of the command line being run; the defaults outside of one."""
    return _current


def forget() -> None:
    """The command line has been run."""
    global _current
    _current = Settings()


def asks_for_json(args: Sequence[str]) -> bool:
    """Whether `--json` was typed as an option of ours: known also where the rest cannot be understood."""
    before = ""
    for word in args:
        if word == "--json":
            return True
        if word == "--" or (word in _PASSING_ON and before not in _WITH_NAME):
            return False
        before = word
    return False


def _note(_: click.Context, param: click.Parameter, value: Any) -> Any:
    # An option that is absent here may have been given before the command: it must not reset it.
    if value and param.name is not None:
        setattr(settings(), param.name, value)
    return value


def _become(context: click.Context, _: click.Parameter, value: str | None) -> None:
    # Whatever asks the supervisor from here on, other programs of ours too, asks as this user.
    if value and not context.resilient_parsing:
        os.environ[USER_VARIABLE] = str(Credentials.parse(value, "--user"))


def completed_by(names: Callable[[click.Context], Iterable[str]]) -> Callable[..., list[str]]:
    """What the shell may complete of a parameter: those of `names` that begin so. Never an error."""

    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        with contextlib.suppress(Exception):
            return [name for name in names(context) if name.startswith(incomplete)]
        return []

    return complete


def _clusters(_: click.Context) -> list[str]:
    from etcd_sandbox.paths import known_clusters

    return [paths.name for paths in known_clusters()]


def _selectors(_: click.Context) -> Iterable[str]:
    """The names in the plan of the cluster that is meant, and the words for roles."""
    import json

    from etcd_sandbox.model.selector import ROLE_WORDS
    from etcd_sandbox.paths import cluster_paths, is_there, known_clusters

    if name := settings().cluster or os.environ.get("ETCD_SANDBOX_CLUSTER"):
        paths = cluster_paths(name)
    else:
        known = known_clusters()
        paths = next((each for each in known if is_there(each.supervisor)), known[0])
    # Read from the file, since a supervisor may be slow to answer.
    processes = json.loads(paths.plan.read_bytes()).get("processes", ())
    names = [named["name"] for each in processes for named in (each, each.get("member")) if named]
    return dict.fromkeys([*names, *ROLE_WORDS])


complete_selectors = completed_by(_selectors)


def common(*, data: bool = False) -> Callable[[Decorated], Decorated]:
    """Adds the global options to a command; `--json` only where there is data."""

    def decorate(command: Decorated) -> Decorated:
        for option in reversed(_options(data)):
            command = option(command)
        return command

    return decorate


def _options(data: bool) -> list[Callable[[Any], Any]]:
    import click

    def option(*names: str, callback: Callable[..., Any] = _note, **more: Any) -> Any:
        return click.option(*names, expose_value=False, is_eager=True, callback=callback, **more)

    flags = {name: flag for name, flag in _FLAGS.items() if data or name != "json"}
    return [
        option(
            "-c",
            "--cluster",
            metavar="NAME",
            shell_complete=completed_by(_clusters),
            help="The cluster that is meant (or $ETCD_SANDBOX_CLUSTER).",
        ),
        option(
            "--user",
            metavar="NAME:PASSWORD",
            callback=_become,
            help="The user of etcd to ask members as, where authentication is on "
            "(or $ETCD_SANDBOX_USER).",
        ),
        *(option(*words, is_flag=True, help=text) for words, text in flags.values()),
    ]


class Lean(NamedTuple):
    """The function of a command, and its flags by what they set; all of them are off by default."""

    place: str
    flags: Mapping[str, str]
    has_json: bool = True


LEAN = {
    "status": Lean("status:show", {"-w": "watch", "--watch": "watch", "--hash": "with_hash"}),
    "dashboard": Lean("dashboard:look", {"--owned": "owned"}, has_json=False),
}


def understood(args: Sequence[str]) -> Callable[[], object] | None:
    """What runs this command line; None where click is to read it, whose import takes longer than all the rest.

    Only a line that is understood whole goes this way. Help, mistakes and all that is unusual are
    left to click, whose declarations say what there is; a test holds the two ways to each other.
    """
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
        elif word in _WORDS:
            common[_WORDS[word]] = True
        elif command is None and word in LEAN:
            command = LEAN[word]
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
        return getattr(importlib.import_module(f"etcd_sandbox.cli.{module}"), function)(**options)

    return run
