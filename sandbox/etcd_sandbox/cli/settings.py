"""The options that every command has, wherever on the line they were typed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcd_sandbox.model.credentials import USER_VARIABLE, Credentials

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_KEY = "etcd_sandbox.cli.settings"

_PASSING_ON = ("ctl", "run")
"""Commands without --json; what stands behind them may be another program's."""
_WITH_NAME = ("-c", "--cluster")

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Settings:
    """What the global options say. `cluster` is None unless `-c` was given."""

    def __init__(self) -> None:
        self.cluster: str | None = None
        self.json = False
        self.no_color = False
        self.quiet = False
        self.verbose = False


def settings() -> Settings:
    """The settings of the command line being run; the defaults outside of one."""
    context = click.get_current_context(silent=True)
    return Settings() if context is None else _of(context)


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


def _of(context: click.Context) -> Settings:
    found = context.meta.setdefault(_KEY, Settings())
    assert isinstance(found, Settings)
    return found


def _note(context: click.Context, param: click.Parameter, value: Any) -> Any:
    # An option that is absent here may have been given before the command: it must not reset it.
    if value and param.name is not None:
        setattr(_of(context), param.name, value)
    return value


def _become(context: click.Context, _: click.Parameter, value: str | None) -> None:
    # Whatever asks the supervisor from here on, other programs of ours too, asks as this user.
    if value and not context.resilient_parsing:
        os.environ[USER_VARIABLE] = str(Credentials.parse(value, "--user"))


def common(*, data: bool = False) -> Callable[[Decorated], Decorated]:
    """Adds the global options to a command; `--json` only where there is data."""

    def decorate(command: Decorated) -> Decorated:
        for option in reversed(_options(data)):
            command = option(command)
        return command

    return decorate


def _options(data: bool) -> list[Callable[[Any], Any]]:
    def flag(*names: str, help: str) -> Callable[[Any], Any]:  # noqa: A002 - click's own word
        return click.option(
            *names, is_flag=True, expose_value=False, callback=_note, is_eager=True, help=help
        )

    def complete(
        context: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from etcd_sandbox.paths import known_clusters

        with contextlib.suppress(Exception):  # what completes is never an error
            names = [paths.name for paths in known_clusters()]
            return [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return []

    options = [
        click.option(
            "-c",
            "--cluster",
            metavar="NAME",
            expose_value=False,
            is_eager=True,
            callback=_note,
            shell_complete=complete,
            help="The cluster that is meant (or $ETCD_SANDBOX_CLUSTER).",
        ),
        click.option(
            "--user",
            metavar="NAME:PASSWORD",
            expose_value=False,
            is_eager=True,
            callback=_become,
            help="The user of etcd to ask members as, where authentication is on "
            "(or $ETCD_SANDBOX_USER).",
        ),
    ]
    if data:
        options.append(flag("--json", help="Print data as JSON, and an error as one JSON object."))
    return [
        *options,
        flag("--no-color", help="No colours (or set $NO_COLOR)."),
        flag("-q", "--quiet", help="Only data and errors: no notes, no next step."),
        flag("-v", "--verbose", help="Say more about what is done."),
    ]
