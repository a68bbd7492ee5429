"""Types of options and arguments: what is typed becomes a value, or a usage error that says why."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcd_sandbox.errors import InputError, shortened

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


Converted = TypeVar("Converted")


_WHOLE = re.compile(r"[+-]?[0-9]{1,18}\Z")
"""What fits into 64 bits. Python's `int` also takes other scripts' digits and `1_000`, and raises at 4,301 digits."""

_DIGITS = re.compile(r"[+-]?[0-9]+\Z")


class Whole(click.ParamType[int]):
    """A whole number."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, str) and not _WHOLE.match(value.strip()):
            is_one = _DIGITS.match(value.strip())
            what = "too large a number" if is_one else "not a whole number"
            self.fail(f"{shortened(value)!r} is {what}", param, ctx)
        return int(value)


class WholeRange(click.IntRange):
    """A whole number within bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return int(super().convert(WHOLE.convert(value, param, ctx), param, ctx))


class Span(click.ParamType[float]):
    """A span of time, in seconds."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, int | float):
            return float(value)
        from etcd_sandbox.cli.times import parse_span

        return _converted(parse_span, value, self, param, ctx)


class Moment(click.ParamType[int]):
    """A moment, in microseconds since the epoch."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        from datetime import datetime

        from etcd_sandbox.cli.times import parse_moment

        now = datetime.now().astimezone()
        moment = _converted(lambda text: parse_moment(text, now), value, self, param, ctx)
        return int(moment.timestamp() * 1_000_000)


class SignalName(click.ParamType[str]):
    """A signal by name, with or without SIG, or by number; its full name."""

    name = "signal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from etcd_sandbox.model.signals import signal_name

        return _converted(signal_name, str(value), self, param, ctx)


class BasePort(click.ParamType["int | str"]):
    """A port, or `auto`."""

    name = "port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        if value == "auto" or isinstance(value, int):
            return value  # type: ignore[no-any-return]
        if not _WHOLE.match(str(value)) or not 1 <= int(value) <= 65535:
            shown = shortened(str(value))
            self.fail(f"{shown!r} is neither a port (1 to 65535) nor 'auto'", param, ctx)
        return int(value)


WHOLE = Whole()
SPAN, MOMENT, SIGNAL, BASE_PORT = Span(), Moment(), SignalName(), BasePort()


def timeout(what: str) -> Callable[[Any], Any]:
    """The option `--timeout`; `what` is its help."""
    return click.option(
        "--timeout",
        "timeout_s",
        type=SPAN,
        default="30s",
        show_default=True,
        metavar="SPAN",
        help=what,
    )


raw = click.option(
    "--raw",
    is_flag=True,
    help="Log lines with all that processes wrote: also what moves the cursor, clears the screen or "
    "sets a title; without it only colours reach the terminal.",
)


def selectors(*, required: bool, metavar: str = "SEL...") -> Callable[[Any], Any]:
    """The argument that takes selectors, completed with the names of the running cluster."""
    return click.argument(
        "select", metavar=metavar, nargs=-1, required=required, shell_complete=_complete
    )


def selector(name: str, *, metavar: str) -> Callable[[Any], Any]:
    """An argument that takes one selector, completed likewise."""
    return click.argument(name, metavar=metavar, shell_complete=_complete)


def _complete(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from etcd_sandbox.cli import completion

    return completion.selectors(context, param, incomplete)


def _converted(
    parse: Callable[[str], Converted],
    text: str,
    kind: click.ParamType[Any],
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> Converted:
    try:
        return parse(text)
    except InputError as error:
        kind.fail(f"{error} ({error.hint})" if error.hint else str(error), param, ctx)
