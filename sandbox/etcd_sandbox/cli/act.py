"""The commands of the verbs, each made from what its verb declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from etcd_sandbox.cli.ordering import measured, order
from etcd_sandbox.cli.params import SIGNAL, SPAN, selector, selectors
from etcd_sandbox.errors import InputError
from etcd_sandbox.verbs import VERBS, Option, Targets, Type, Verb

VERSUS = "vs"
"""The word between the two sides."""

_SIDES = selectors(required=True, metavar=f"SEL... [{VERSUS} SEL...]")
_ARGUMENTS: dict[Targets, tuple[Callable[[Any], Any], ...]] = {
    Targets.PROCESSES: (selectors(required=True),),
    Targets.SIDES: (_SIDES,),
    Targets.LINKS: (_SIDES,),
    Targets.PAIR: (selector("one", metavar="A"), selector("other", metavar="B")),
    Targets.MEMBER: (selector("select", metavar="SEL"),),
    Targets.NEW: (click.argument("name", required=False),),
    Targets.NONE: (),
}
_TYPES = {Type.SPAN: SPAN, Type.SIGNAL: SIGNAL}


def command_of(verb: Verb) -> click.Command:
    """The command that orders the verb."""

    def ordered(**how: Any) -> None:
        select, versus = _meant(verb, how)
        for option in verb.options:
            _check(option, how)
        if versus is not None:
            how["versus"] = versus
        order(verb, select, **how)

    made: Callable[..., Any] = measured(ordered)
    for option in reversed(verb.options):
        made = _option(option)(made)
    for argument in reversed(_ARGUMENTS[verb.targets]):
        made = argument(made)
    return click.command(verb.name, help=verb.help)(made)


def __getattr__(name: str) -> click.Command:
    """The command of the verb that has this name in Python."""
    verb = next((verb for verb in VERBS.values() if verb.identifier == name), None)
    if verb is None:
        raise AttributeError(name)
    return command_of(verb)


def _option(option: Option) -> Callable[[Any], Any]:
    if option.type is Type.SWITCH:
        return click.option(*option.flags, option.parameter, is_flag=True, help=option.help)
    # For click, a default of None would be one, and the option need not be given.
    default = {"required": True} if option.default is None else {"default": option.default}
    return click.option(
        *option.flags,
        option.parameter,
        type=_TYPES[option.type],
        **default,
        show_default=option.show_default,
        metavar=option.metavar,
        help=option.help,
    )


def _meant(verb: Verb, how: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Whom the command line names, and the other side, where the verb has one."""
    match verb.targets:
        case Targets.PAIR:
            return (how.pop("one"),), (how.pop("other"),)
        case Targets.SIDES | Targets.LINKS:
            return _sides(how.pop("select"))
        case Targets.MEMBER:
            return (how.pop("select"),), None
        case Targets.PROCESSES:
            return how.pop("select"), None
        case _:
            return (), None


def _check(option: Option, how: dict[str, Any]) -> None:
    """Raises InputError for a span that makes no sense."""
    value = how[option.parameter]
    if option.type is not Type.SPAN:
        return
    if option.default is None and value <= 0:
        name = option.flags[0].removeprefix("--")
        raise InputError(
            f"the {name} must be longer than nothing", hint=f"{option.flags[0]} 200ms, say"
        )
    if option.parameter == "jitter_s" and value > how["delay_s"]:
        raise InputError(
            f"the jitter ({value:g} s) is longer than the delay ({how['delay_s']:g} s)",
            hint="nothing can arrive before it was sent",
        )


def _sides(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands before `vs` and after it; nothing after it where the word is not there."""
    if VERSUS not in words:
        return words, ()
    at = words.index(VERSUS)
    side, versus = words[:at], words[at + 1 :]
    if not side or not versus or VERSUS in versus:
        raise InputError(
            "'vs' stands once, between the two sides",
            hint="etcd-sandbox partition infra1 infra2 vs infra3 infra4 infra5",
        )
    return side, versus
