"""What a request asks, as values: its body and its parameters. What cannot be meant is an InputError. Pure."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from etcd_sandbox.errors import InputError
from etcd_sandbox.model.access import as_value
from etcd_sandbox.model.order import Order, Seconds, Words, check_options, signal_number
from etcd_sandbox.verbs import Option, Type, Verb

MOST = 2**63 - 1

_T = TypeVar("_T")


class ActBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a verb is done to, and how: the fields of an Order; the signal is a name."""

    select: Words = ()
    versus: Words = ()
    signal: str | None = None
    delay_s: float = 0.0
    jitter_s: float = 0.0
    seed: int | None = None
    name: str | None = None
    learner: bool = False
    force: bool = False
    wait: bool = True
    timeout_s: Seconds = 30.0


@cache
def act_body(verb: Verb) -> type[ActBody]:
    """The body of a request for that verb: with what it declares beyond the fields of all verbs."""
    more = [
        (option.parameter, *_field(option))
        for option in verb.takes
        if option.parameter not in ActBody.__struct_fields__
    ]
    if not more:
        return ActBody
    made = msgspec.defstruct("ActBody", more, bases=(ActBody,), forbid_unknown_fields=True)
    assert issubclass(made, ActBody)
    return made


def _field(option: Option) -> tuple[Any, object]:
    """The type and the default of an option in a body."""
    match option.type:
        case Type.SPAN | Type.SHARE | Type.RATE:
            return (float, 0.0) if option.default is not None else (float | None, None)
        case Type.CHOICE:
            return str, option.default
        case Type.COUNT:
            return int | None, None
        case Type.SIGNAL | Type.TEXT:
            return str | None, None
        case Type.SWITCH:
            return bool, False


def order_of(verb: Verb, body: ActBody) -> Order:
    """The order that the body is; what it has beyond the fields of all verbs, only its verb has."""
    fields = structs.asdict(body)
    more = {name: fields.pop(name) for name in fields.keys() - set(ActBody.__struct_fields__)}
    check_options(verb, {**fields, **more}, lambda option: option.parameter)
    more = {name: value for name, value in more.items() if value is not None}
    fields["signal"] = signal_number(body.signal or "SIGKILL")
    return Order(verb=verb, more=more, **fields)


class ShutdownBody(msgspec.Struct, forbid_unknown_fields=True):
    """How everything is ended."""

    kill: bool = False
    purge: bool = False


def body_of(content: bytes, kind: type[_T], path: str) -> _T:
    """The body of the request for that path. A null stands for what is left out."""
    try:
        found = msgspec.json.decode(content or b"{}")
        return msgspec.convert(_without_nulls(found), kind, dec_hook=as_value)
    except msgspec.MsgspecError as error:
        raise InputError(f"the request cannot be used: {error}", path) from None
    except RecursionError:
        raise InputError("the request cannot be used: its JSON is nested too deep", path) from None


def flag(text: str | None) -> bool:
    """Whether a parameter that is on or off is on."""
    return text not in (None, "0", "", "false")


def number(
    name: str, text: str | None, default: float, *, least: float = -1, most: float = MOST
) -> float:
    """A parameter that is a number, `least` to `most`."""
    try:
        found = default if text is None else float(text)
    except ValueError:
        found = math.nan
    if not least <= found <= most:  # neither is anything that is no number
        bounds = f"{least:g} to {most:.15g}"
        raise InputError(f"{name} must be a number from {bounds}, not {_shortened(text)}")
    return found


def _without_nulls(found: object, *, deep: bool = True) -> object:
    """The object without its nulls, and without those of the objects in it; a plan's own lie deeper."""
    if not isinstance(found, dict):
        return found
    kept = {name: value for name, value in found.items() if value is not None}
    if deep:
        kept = {name: _without_nulls(value, deep=False) for name, value in kept.items()}
    return kept


def _shortened(text: str | None) -> str:
    shown = repr(text)
    return shown if len(shown) <= 40 else f"{shown[:36]}…'"
