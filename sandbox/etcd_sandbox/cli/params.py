"""Types of options and arguments: what is typed becomes a value, or a usage error that says why."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcd_sandbox.cli.settings import complete_selectors
from etcd_sandbox.errors import InputError, shortened

if TYPE_CHECKING:
    from datetime import datetime

Value = TypeVar("Value")

_WHOLE = r"[+-]?[0-9]{1,18}"
"""What fits into 64 bits. Python's `int` also takes other scripts' digits and `1_000`, and raises at 4,301 digits."""

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)"
_CLOCK = r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?"

LONGEST_S = 10 * 366 * 86400.0
"""Ten years: what is longer is a slip of the finger, and more than some clocks can count."""


def parse_whole(text: str) -> int:
    """A whole number of at most 18 digits. Raises InputError."""
    digits = text.strip()
    if not re.fullmatch(_WHOLE, digits):
        is_one = re.fullmatch(r"[+-]?[0-9]+", digits)
        what = "too large a number" if is_one else "not a whole number"
        raise InputError(f"{shortened(text)!r} is {what}")
    return int(digits)


def parse_port(text: str) -> int | str:
    """A port, or `auto`. Raises InputError."""
    if text == "auto":
        return text
    if not re.fullmatch(_WHOLE, text) or not 1 <= int(text) <= 65535:
        raise InputError(f"{shortened(text)!r} is neither a port (1 to 65535) nor 'auto'")
    return int(text)


def parse_span(text: str) -> float:
    """Seconds of a span: `200ms`, `10m`, `1h30m`; a number without a unit is in seconds. Raises InputError."""
    compact = text.strip().lower()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", compact):
        seconds = float(compact)
    elif not compact or re.sub(_PART, "", compact):
        raise InputError(
            f"{shortened(text)!r} is not a span of time",
            hint="write it like 30, 200ms, 10m or 1h30m",
        )
    else:
        seconds = sum(float(count) * _UNITS_S[unit] for count, unit in re.findall(_PART, compact))
    if seconds > LONGEST_S:
        raise InputError(f"{shortened(text)!r} is too long a span of time", hint="at most 3660d")
    return seconds


_RATE = r"([0-9]+(?:\.[0-9]+)?)\s*([kmg]?i?)(b|bit)(?:/s|ps)"
_STEPS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "ki": 2.0**10, "mi": 2.0**20, "gi": 2.0**30}


def parse_share(text: str) -> float:
    """A share of one: `20%`. Raises InputError."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%", text.strip())
    if found is None:
        raise InputError(f"{shortened(text)!r} is not a share", hint="write it like 20% or 0.5%")
    return float(found[1]) / 100


def parse_rate(text: str) -> float:
    """Bytes a second: `64KB/s`, `1MiB/s`, `10Mbit/s`. Raises InputError."""
    found = re.fullmatch(_RATE, text.strip().lower())
    if found is None or found[2] == "i":
        lacks = re.fullmatch(r"[0-9.]+", text.strip())
        raise InputError(
            f"{shortened(text)!r} is {'a rate without its unit' if lacks else 'not a rate'}",
            hint="write it like 64KB/s, 1MiB/s or 10Mbit/s",
        )
    return float(found[1]) * _STEPS[found[2]] / (8 if found[3] == "bit" else 1)


def parse_moment(text: str, now: datetime) -> datetime:
    """The moment that `text` names, seen from `now` (which has a time zone).

    A span means so long ago; a time of the day is the last such time in `now`'s zone; an RFC 3339
    moment without a zone is in `now`'s zone. Raises InputError.
    """
    from datetime import datetime, timedelta

    stripped = text.strip()
    if clock := re.fullmatch(_CLOCK, stripped):
        hour, minute, second = (int(part or 0) for part in clock.groups())
        moment = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
        return moment if moment <= now else moment - timedelta(days=1)
    try:
        return now - timedelta(seconds=parse_span(stripped))
    except (InputError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(stripped)
    except ValueError:
        raise InputError(
            f"{shortened(text)!r} is not a moment",
            hint="write it like 10m (ago), 2h, 14:30 or 2026-01-31T14:30:00Z",
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)


def _moment_us(text: str) -> int:
    """Microseconds since the epoch."""
    from datetime import datetime

    return int(parse_moment(text, datetime.now().astimezone()).timestamp() * 1_000_000)


def _signal(text: str) -> str:
    from etcd_sandbox.model.order import signal_name

    return signal_name(text)


class Parsed(click.ParamType[Value]):
    """What `parse` makes of the text; its InputError is a usage error of the parameter."""

    def __init__(self, name: str, parse: Callable[[str], Value]) -> None:
        self.name = name
        self._parse = parse

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Value:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        try:
            return self._parse(value)
        except InputError as error:
            self.fail(f"{error} ({error.hint})" if error.hint else str(error), param, ctx)


WHOLE = Parsed("number", parse_whole)
SPAN = Parsed("span", parse_span)
SHARE = Parsed("share", parse_share)
RATE = Parsed("rate", parse_rate)
MOMENT = Parsed("moment", _moment_us)
SIGNAL = Parsed("signal", _signal)
PORT = Parsed("port", parse_port)


class WholeRange(click.IntRange):
    """A whole number within bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return int(super().convert(WHOLE.convert(value, param, ctx), param, ctx))


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


detach = click.option(
    "-d", "--detach", is_flag=True, help="Return when the cluster is ready; it runs on."
)
plain = click.option(
    "--plain", is_flag=True, help="Merged log lines instead of the dashboard, also on a terminal."
)
ephemeral = click.option("--ephemeral", is_flag=True, help="Keep no data when the cluster stops.")
raw = click.option(
    "--raw",
    is_flag=True,
    help="Log lines with all that processes wrote: also what moves the cursor, clears the screen or "
    "sets a title; without it only colours reach the terminal.",
)


def selectors(*, required: bool, metavar: str = "SEL...") -> Callable[[Any], Any]:
    """The argument that takes selectors, completed with the names of the running cluster."""
    return click.argument(
        "select", metavar=metavar, nargs=-1, required=required, shell_complete=complete_selectors
    )


def selector(name: str, *, metavar: str) -> Callable[[Any], Any]:
    """An argument that takes one selector, completed likewise."""
    return click.argument(name, metavar=metavar, shell_complete=complete_selectors)
