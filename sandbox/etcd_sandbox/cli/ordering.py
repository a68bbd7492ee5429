"""What all verbs have in common: their options, the order that is sent, and what is said of its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.params import WHOLE, timeout
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import TimedOut
from etcd_sandbox.verbs import Verb, leads, mend, named

if TYPE_CHECKING:
    from etcd_sandbox.model.verdict import Target, Verdict

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
    from etcd_sandbox.model.verdict import Verdict, sentence

    if "random" in (*select, *how.get("versus", ())) and how.get("seed") is None:
        import secrets

        how["seed"] = secrets.randbelow(10**6)
    client = running()
    if verb.changes_members:
        from etcd_sandbox.cli.waiting import told_meanwhile

        with told_meanwhile(client, verb):
            answer = client.act(verb, select, timeout_s=timeout_s, **how)
    else:
        answer = client.act(verb, select, timeout_s=timeout_s, **how)
    verdict = msgspec.convert(answer, Verdict)
    if settings().json:
        output.document(answer)
    else:
        for text in _told(verdict, how):
            output.line(text)
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
    """What was done, whom it hit, or why there was nothing to do; `how` are the verb's options."""
    lines = _said(verdict, how)
    if how.get("seed") is not None and lines:
        lines[-1] += f" (random, seed {how['seed']})"
    return lines


def _following(verdict: Verdict, how: Mapping[str, Any]) -> str:
    """The command that is most likely wanted next."""
    verb = named(verdict.verb)
    done = " ".join(target.name for target in verdict.processes if target.done)
    for option, name in verb.then.items():
        if how.get(option):
            return f"{name} {done}"
    undo = mend(verb, done)
    if verb.targets.has_sides:
        return undo
    return undo if undo and done and how.get("signal") in _USUAL else "status"


def _said(verdict: Verdict, how: Mapping[str, Any]) -> list[str]:
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
