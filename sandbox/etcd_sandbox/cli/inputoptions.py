"""The options that say what a cluster is to be made of, as they are declared, for the commands that take them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcd_sandbox.cli.params import BASE_PORT, WHOLE, WholeRange
from etcd_sandbox.inputs.options import DECLARED, Kind, Option, Options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem
    from click.types import OptionHelpExtra

    from etcd_sandbox.inputs.caller import Caller

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_SOURCES = ("members", "procfile", "profile")
_OF_SNAPSHOTS = ("members", "profile", "etcd", "base_port", "links")


class _Typed(click.Option):
    """An option whose value is None where it is not given; `--help` tells what stands for that."""

    def __init__(self, words: Sequence[str], *, stands_for: str, **more: Any) -> None:
        super().__init__(words, **more)
        self._stands_for = stands_for

    def get_help_extra(self, ctx: click.Context) -> OptionHelpExtra:
        extra = super().get_help_extra(ctx)
        if self._stands_for:
            extra["default"] = self._stands_for
        return extra


def _profiles(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from etcd_sandbox.cli import completion

    return completion.profiles(context, param, incomplete)


def _decorator(option: Option) -> Callable[[Decorated], Decorated]:
    more: dict[str, Any] = {"default": None}
    match option.kind:
        case Kind.SWITCH:
            more["is_flag"] = True
        case Kind.FILES:
            more = {"multiple": True}
        case Kind.PORT_OR_AUTO:
            more["type"] = BASE_PORT
        case Kind.WHOLE:
            bounded = option.least is not None
            more["type"] = WholeRange(option.least, option.most) if bounded else WHOLE
    if option.words:
        more["type"] = click.Choice([str(word) for word in option.words])
    if option.name == "profile":
        more["shell_complete"] = _profiles
    flags = f"{option.flag}/{option.off}" if option.off else option.flag
    stands_for = "" if option.default is None else str(option.default)
    if option.default is True:
        stands_for = option.flag.removeprefix("--")
    return click.option(
        *filter(None, (option.short, flags)),
        option.name,
        cls=_Typed,
        metavar=option.metavar or None,
        help=option.help,
        stands_for=stands_for,
        **more,
    )


def _options(wanted: Collection[str]) -> Callable[[Decorated], Decorated]:
    def decorate(command: Decorated) -> Decorated:
        for name in reversed(list(DECLARED)):
            if name in wanted and DECLARED[name].flag:
                command = _decorator(DECLARED[name])(command)
        return command

    return decorate


def input_options(*, with_sources: bool = True) -> Callable[[Decorated], Decorated]:
    """Adds the options; without `-n`, `-f`, `-p` where the source is an argument."""
    return _options(DECLARED.keys() - (() if with_sources else _SOURCES))


def restore_options() -> Callable[[Decorated], Decorated]:
    """Adds those that say what a cluster from a snapshot is to be: its members know each other."""
    return _options(_OF_SNAPSHOTS)


def collect(**given: Any) -> Options:
    """The options of a command that has these, of whatever it has."""
    if not given.get("env_files"):
        given["env_files"] = None
    return Options(**given)


def here() -> Caller:
    """The caller of this command."""
    from etcd_sandbox.inputs.caller import Caller
    from etcd_sandbox.paths import working_directory

    return Caller(cwd=working_directory(), env=dict(os.environ))
