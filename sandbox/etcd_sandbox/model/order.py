"""One order to a cluster: a verb with all that it takes; and how a signal is typed: `KILL`, `sigkill`, `9`."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from etcd_sandbox.errors import InputError, shortened
from etcd_sandbox.verbs import Option, Type, Verb, figures

LONGEST_TIMEOUT_S = 1e9
"""Thirty years: what waits for longer waits for ever, and what adds to it still counts."""

MOST_WORDS = 1000

Seconds = Annotated[float, Meta(ge=0, le=LONGEST_TIMEOUT_S)]
Words = Annotated[tuple[str, ...], Meta(max_length=MOST_WORDS)]
"""What may be asked for, and waited for."""


class Order(Struct, frozen=True, kw_only=True):
    """One verb with all that it takes; what a verb has no use for is left alone.

    `select` and `versus` are selectors: the targets, and the other side of a fault on links
    (empty: everyone else). `signal` is a number, for `kill`. `seed` is what `random` draws
    from; None: anything. `name` is that of the new member for `add` (None: the next free one), which
    with `learner` gets no vote. `force` has etcd asked for what would break the quorum.
    With `wait` the cluster is given time to settle, and the verdict says
    what happened meanwhile. `timeout_s` is for everything together. `more` are the options that
    the verb declares beyond these.
    """

    verb: Verb
    select: tuple[str, ...] = ()
    versus: tuple[str, ...] = ()
    signal: int = signal.SIGKILL
    delay_s: float = 0.0
    jitter_s: float = 0.0
    seed: int | None = None
    name: str | None = None
    learner: bool = False
    force: bool = False
    wait: bool = True
    timeout_s: float = 30.0
    more: Mapping[str, Any] = {}

    def given(self, option: str) -> Any:
        """The value of an option that the verb takes; None for one that was not given."""
        return self.more[option] if option in self.more else getattr(self, option, None)

    @property
    def for_s(self) -> float | None:
        """After what time the fault heals by itself."""
        return self.more.get("for_s")

    @property
    def after_s(self) -> float | None:
        """After what time it is done."""
        return self.more.get("after_s")

    @property
    def words(self) -> str:
        """The verb and whom it is for, as they are typed: `partition leader vs infra2`."""
        versus = ("vs", *self.versus) if self.versus else ()
        return " ".join((self.verb.name, *self.select, *versus))


def check_options(
    verb: Verb, how: Mapping[str, Any], place: Callable[[Option], str] = lambda option: ""
) -> None:
    """Raises InputError for a value that an option of the verb cannot have; `place` says where that stands."""
    for option in verb.takes:
        value, flag = how.get(option.parameter), option.flags[0]
        if value is None and option.optional:
            continue
        if option.type is Type.CHOICE:
            _check_choice(option, value, place(option))
        if option.type not in _SAID:
            continue
        say, hint = _SAID[option.type], f"{flag} {option.example}"
        number = math.nan if value is None else float(value)
        is_time = option.optional and option.type is Type.SPAN
        what = f"the time of {flag}" if is_time else f"the {flag.removeprefix('--')}"
        if option.type is Type.SPAN and option.default is None and not number > 0:
            raise InputError(f"{what} must be longer than nothing", place(option), f"{hint}, say")
        enough = number > 0 if option.default is None else number >= 0
        if not enough or number > option.most:
            least = f"more than {say(0)}" if option.default is None else f"at least {say(0)}"
            if option.type is Type.COUNT:
                what, least = flag, f"at least {say(1)}"
            told = "" if math.isnan(number) else f", not {say(number)}"
            raise InputError(
                f"{what} is {least} and at most {say(option.most)}{told}",
                place(option),
                f"{hint}, say",
            )
        if option.parameter == "jitter_s" and number > how["delay_s"]:
            raise InputError(
                f"the jitter ({number:g} s) is longer than the delay ({how['delay_s']:g} s)",
                place(option),
                "nothing can arrive before it was sent",
            )
    _check_one_of(verb, how)
    if verb.any_of and not any(how.get(name) for name in verb.any_of):
        options = [option for option in verb.options if option.parameter in verb.any_of]
        flags = " or ".join(option.flags[0] for option in options)
        raise InputError(
            f"{verb} does nothing without {flags}",
            hint=f"etcd-sandbox {verb} leader {options[0].flags[0]} {options[0].example}",
        )


def _check_choice(option: Option, value: Any, place: str) -> None:
    if value not in option.choices:
        raise InputError(
            f"{option.flags[0]} takes {', '.join(option.choices)}, not {shortened(str(value))}",
            place,
            f"{option.flags[0]} {option.choices[0]}, say",
        )


def _check_one_of(verb: Verb, how: Mapping[str, Any]) -> None:
    """Raises InputError where not just one of the verb's ways is given."""
    ways = [option for option in verb.options if option.parameter in verb.one_of]
    given = [option.flags[0] for option in ways if how.get(option.parameter) not in (None, False)]
    if verb.one_of and len(given) != 1:
        flags = ", ".join(option.flags[0] for option in ways)
        raise InputError(
            f"{verb} takes one of {flags}, not {' and '.join(given) or 'none'}",
            hint=f"etcd-sandbox {verb} infra1 {ways[0].flags[0]} {ways[0].example}",
        )


_SAID: dict[Type, Callable[[float], str]] = {
    Type.SPAN: figures.delay,
    Type.SHARE: figures.share,
    Type.RATE: figures.rate,
    Type.COUNT: figures.count,
}


def signal_name(text: str) -> str:
    """The full name (`SIGKILL`) of a signal given by name or number. Raises InputError."""
    word = text.strip().upper()
    if word.isdecimal():
        known = {str(each.value): each.name for each in signal.Signals}
        if word in known:
            return known[word]
        raise InputError(f"there is no signal {shortened(text)}", hint="kill -l lists them")
    from etcd_sandbox.errors import nearest

    name = word if word.startswith("SIG") else f"SIG{word}"
    if name not in signal.Signals.__members__:
        near = nearest(name, signal.Signals.__members__)
        hint = f"did you mean {near}?" if near else "kill -l lists them"
        raise InputError(f"there is no signal {shortened(text)!r}", hint=hint)
    return signal.Signals[name].name


def signal_number(text: str) -> int:
    """The number of a signal given by name or number. Raises InputError."""
    return signal.Signals[signal_name(text)].value
