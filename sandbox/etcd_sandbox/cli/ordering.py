"""What all verbs have in common: their options, the order that is sent, the verdict that is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.params import WHOLE, timeout
from etcd_sandbox.cli.settings import settings
from etcd_sandbox.errors import TimedOut
from etcd_sandbox.model.verb import MEMBERSHIP, Verb

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


def measured(command: Decorated) -> Decorated:
    """Adds the options of a verb whose effect is measured."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def order(verb: Verb, select: Sequence[str], *, timeout_s: float, **how: Any) -> None:
    """Have it done and show the verdict. Raises TimedOut when the cluster has not settled."""
    import msgspec

    from etcd_sandbox.cli.choice import running
    from etcd_sandbox.cli.told import following, told
    from etcd_sandbox.model.verdict import Verdict, sentence

    if "random" in (*select, *how.get("versus", ())) and how.get("seed") is None:
        import secrets

        how["seed"] = secrets.randbelow(10**6)
    client = running()
    if verb in MEMBERSHIP:
        from etcd_sandbox.cli.waiting import told_meanwhile

        with told_meanwhile(client, verb):
            answer = client.act(verb, select, timeout_s=timeout_s, **how)
    else:
        answer = client.act(verb, select, timeout_s=timeout_s, **how)
    verdict = msgspec.convert(answer, Verdict)
    if settings().json:
        output.document(answer)
    else:
        for text in told(verdict, how):
            output.line(text)
        if words := sentence(verdict):
            output.line(f"  {words}")
        for note in verdict.notes:
            output.line(f"  {note}")
        for command in verdict.equivalents:
            output.line(f"  same as: {command}")
        output.next_step(following(verdict, how))
    if not verdict.settled:
        raise TimedOut(
            f"the cluster has not settled within {timeout_s:g} s",
            hint="etcd-sandbox status and etcd-sandbox events -f show what goes on",
        )
