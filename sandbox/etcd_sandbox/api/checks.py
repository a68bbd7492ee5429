"""Whether the arguments of the Python API can be meant: who passes the wrong thing hears of it at once. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from etcd_sandbox.errors import InputError
from etcd_sandbox.inputs.options import DECLARED, Kind
from etcd_sandbox.model.order import signal_name

LONGEST_S = 1e6
"""Eleven days: longer than anything that is waited for, shorter than what a socket takes."""

_PYTHON: dict[Kind, tuple[type, ...]] = {
    Kind.WHOLE: (int,),
    Kind.PORT_OR_AUTO: (int, str),
    Kind.TEXT: (str,),
    Kind.PATH_OR_NAME: (str, Path),
    Kind.SWITCH: (bool,),
}

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    name: (_PYTHON[option.kind], option.python)
    for name, option in DECLARED.items()
    if option.python
} | {
    "name": ((str,), "text"),
    "user": ((str,), "text"),
    "restore": ((str, Path), "a path"),
    "keep_data": ((bool,), "True or False"),
}


def check_arguments(given: Mapping[str, object]) -> None:
    """Raises InputError for a value of a kind that the argument of `Cluster` does not take."""
    for name, (kinds, words) in _KINDS.items():
        value = given.get(name)
        fits = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        if value is not None and not fits:
            raise InputError(f"{name} is {words}, not {value!r}")
    check_seconds("timeout_s", given["timeout_s"])


def check_seconds(name: str, value: object) -> None:
    """Raises InputError for what is no span of time in seconds."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 <= number <= LONGEST_S:
        raise InputError(
            f"{name} is a number of seconds, 0 to {LONGEST_S:,.0f}, not {value!r}",
            hint="0.2 is 200 ms",
        )


def check_count(name: str, value: object, least: int) -> None:
    """Raises InputError for what is no whole number, or too small a one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} is a whole number from {least} on, not {value!r}")


def check_words(method: str, words: Iterable[object]) -> None:
    """Raises InputError where a selector, or a word for etcdctl, is no text."""
    for word in words:
        if not isinstance(word, str):
            hint = f"{method}(*names) takes several" if isinstance(word, Iterable) else ""
            raise InputError(f"{method} takes text, not {word!r}", hint=hint)


def check_order(verb: str, select: Iterable[object], how: Mapping[str, object]) -> None:
    """Raises InputError for selectors and options that no verb takes."""
    check_words(verb, select)
    for name in ("timeout_s", "delay_s", "jitter_s"):
        if name in how:
            check_seconds(name, how[name])
    seed = how.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise InputError(f"seed is a whole number, not {seed!r}")


def check_reading(select: Iterable[object], tail: int | None) -> None:
    """Raises InputError for what no log and no story is read by."""
    check_words("logs", select)
    if tail is not None:
        check_count("tail", tail, 0)


def check_failover(rounds: object, timeout_s: object) -> None:
    """Raises InputError for rounds that cannot be."""
    check_count("rounds", rounds, 1)
    check_seconds("timeout_s", timeout_s)


def check_ctl(args: Iterable[object], timeout_s: object) -> None:
    """Raises InputError for what is no command line of etcdctl."""
    check_words("ctl", args)
    check_seconds("timeout_s", timeout_s)


def signal_meant(signal: str | int) -> str:
    """The name of a signal given by name, by number, or as one of the module `signal`. Raises InputError."""
    return signal_name(str(int(signal)) if isinstance(signal, int) else signal)
