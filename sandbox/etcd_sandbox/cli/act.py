"""The commands of the verbs, each made from what its verb declares: options, the order that is sent, what is said of its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.params import (
    RATE,
    SHARE,
    SIGNAL,
    SPAN,
    WHOLE,
    selector,
    selectors,
    timeout,
)
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import InputError, TimedOut
from etcd_sandbox.model.order import check_options
from etcd_sandbox.verbs import VERBS, Option, Targets, Type, Verb, figures, leads, mend, named

if TYPE_CHECKING:
    from etcd_sandbox.model.verdict import Target, Verdict

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
_TYPES = {
    Type.SPAN: SPAN,
    Type.SHARE: SHARE,
    Type.RATE: RATE,
    Type.SIGNAL: SIGNAL,
    Type.COUNT: WHOLE,
    Type.TEXT: click.STRING,
}


def command_of(verb: Verb) -> click.Command:
    """The command that orders the verb."""

    def ordered(**how: Any) -> None:
        select, versus = _meant(verb, how)
        check_options(verb, how)
        if versus is not None:
            how["versus"] = versus
        order(verb, select, **how)

    made: Callable[..., Any] = measured(ordered)
    for option in reversed(verb.takes):
        made = _option(option)(made)
    for argument in reversed(_ARGUMENTS[verb.targets]):
        made = argument(made)
    return click.command(verb.name, help=verb.help)(made)


def __getattr__(name: str) -> click.Command:
    """The command of the verb of this name, spelt as Python spells it."""
    verb = VERBS.get(name.replace("_", "-"))
    if verb is None:
        raise AttributeError(name)
    return command_of(verb)


def _option(option: Option) -> Callable[[Any], Any]:
    if option.type is Type.SWITCH:
        return click.option(*option.flags, option.parameter, is_flag=True, help=option.help)
    # For click, a default of None would be one, and the option need not be given.
    default: dict[str, Any] = {"default": option.default}
    if option.default is None and not option.optional:
        default = {"required": True}
    return click.option(
        *option.flags,
        option.parameter,
        type=_TYPES.get(option.type) or click.Choice(option.choices),
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


Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_OPTIONS = (
    timeout("How long to wait until it is done and the cluster has settled."),
    click.option(
        "--wait/--no-wait",
        default=True,
        show_default=True,
        help="Wait until the cluster has settled, and say what happened meanwhile.",
    ),
    click.option(
        "--seed", type=WHOLE, metavar="N", help="What 'random' draws from: the same member again."
    ),
)

_USUAL = (None, "SIGKILL")


def measured(command: Decorated) -> Decorated:
    """Adds the options of a verb whose effect is measured, and the global ones."""
    command = common(data=True)(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def order(verb: Verb, select: Sequence[str], *, timeout_s: float, **how: Any) -> None:
    """Have it done and show the verdict. Raises TimedOut when the cluster has not settled."""
    import msgspec

    from etcd_sandbox.cli.choice import running
    from etcd_sandbox.cli.waiting import told_meanwhile
    from etcd_sandbox.model.verdict import Verdict, sentence

    if "random" in (*select, *how.get("versus", ())) and how.get("seed") is None:
        import secrets

        how["seed"] = secrets.randbelow(10**6)
    client = running()
    with told_meanwhile(client, verb) if verb.changes_members else nullcontext():
        answer = client.act(verb, select, timeout_s=timeout_s, **how)
    verdict = msgspec.convert(answer, Verdict)
    if settings().json:
        output.document(answer)
    elif verdict.in_s is not None:
        versus = ("vs", *verdict.versus) if verdict.versus else ()
        words = " ".join((verdict.verb, *verdict.targets, *versus))
        output.line(f"in {figures.delay(verdict.in_s)}: {words}")
        output.next_step("events -f")
    else:
        output.lines([_timed(text, how) for text in _told(verdict, how)])
        if words := sentence(verdict):
            output.line(f"  {words}")
        for note in verdict.notes:
            output.line(f"  {note}")
        for command in verdict.equivalents:
            output.line(f"  same as: {command}")
        output.next_step(_following(verdict, how))
    check_settled(verdict, timeout_s)


def check_settled(verdict: Verdict, timeout_s: float) -> None:
    """Raises TimedOut where the cluster has not settled."""
    if not verdict.settled:
        raise TimedOut(
            f"the cluster has not settled within {timeout_s:g} s",
            hint="etcd-sandbox status and etcd-sandbox events -f show what goes on",
        )


def _told(verdict: Verdict, how: Mapping[str, Any]) -> list[str]:
    """What was done, with the seed that was drawn from."""
    lines, draws = _said(verdict, how), named(verdict.verb).draws
    seed = verdict.seed if draws else how.get("seed")
    if seed is not None and lines:
        lines[-1] += f" ({'' if draws else 'random, '}seed {seed})"
    return lines


def _timed(text: str, how: Mapping[str, Any]) -> str:
    """The sentence with the time after which the fault heals by itself."""
    for_s = how.get("for_s")
    if for_s is None:
        return text
    done, semicolon, leader = text.partition("; ")
    return f"{done}, for {figures.delay(for_s)}{semicolon}{leader}"


def _following(verdict: Verdict, how: Mapping[str, Any]) -> str:
    """The command that is most likely wanted next."""
    verb = named(verdict.verb)
    done = " ".join(target.name for target in verdict.processes if target.done)
    for option, name in verb.then.items():
        if how.get(option):
            return f"{name} {done}"
    undo = mend(verb, done) or "status"
    if verb.targets.has_sides:
        return undo
    return undo if undo and done and how.get("signal") in _USUAL else "status"


def _said(verdict: Verdict, how: Mapping[str, Any]) -> list[str]:
    """What was done, whom it hit, or why there was nothing to do; `how` are the verb's options."""
    verb = named(verdict.verb)
    if verb.targets.has_sides and not any(target.done for target in verdict.processes):
        return [f"{', '.join(verdict.targets)}: nothing to do, it is so already"]
    if verb.says is not None:
        return [verb.says(verdict, how)]
    return [_process(verb, target, how.get("signal")) for target in verdict.processes]


def _process(verb: Verb, target: Target, signal: str | None) -> str:
    if not target.done:
        return f"{target.name}: nothing to do, it is {target.state}"
    if signal not in _USUAL:
        text = f"sent {signal} to {target.name} (pid {target.pid})"
    else:
        # The pid is the one before: of a process that is no more.
        tells = "{past} {name}" if target.pid is None else verb.tells
        text = tells.format(past=verb.past, name=target.name, pid=target.pid)
    return f"{text}{leads(target.name if target.was_leader else None, 1)}"
