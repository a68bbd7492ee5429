"""`partition`, `cut`, `slow`, `heal`, `move-leader`: what is done between members."""

from __future__ import annotations

from typing import Any

import click

from etcd_sandbox.cli.ordering import measured, order
from etcd_sandbox.cli.params import SPAN, selector, selectors
from etcd_sandbox.cli.settings import common
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.verb import Verb

VERSUS = "vs"
"""The word between the two sides."""


@click.command("partition")
@selectors(required=True, metavar="SEL... [vs SEL...]")
@measured
@common(data=True)
def partition(select: tuple[str, ...], **how: Any) -> None:
    """Cut all peer traffic between two sides, both ways; clients still reach every member.

    The other side is everyone else, if it is not given.
    """
    side, versus = sides(select)
    order(Verb.PARTITION, side, versus=versus, **how)


@click.command("cut")
@selector("one", metavar="A")
@selector("other", metavar="B")
@measured
@common(data=True)
def cut(one: str, other: str, **how: Any) -> None:
    """Cut the one link between two members, both ways."""
    order(Verb.CUT, (one,), versus=(other,), **how)


@click.command("slow")
@selectors(required=True, metavar="SEL... [vs SEL...]")
@click.option(
    "--delay", "delay_s", type=SPAN, required=True, metavar="SPAN", help="Added to each way."
)
@click.option(
    "--jitter",
    "jitter_s",
    type=SPAN,
    default="0s",
    metavar="SPAN",
    help="The delay varies by up to this.",
)
@measured
@common(data=True)
def slow(select: tuple[str, ...], delay_s: float, jitter_s: float, **how: Any) -> None:
    """Delay peer traffic: on all links of the selected members, or only on those to the other side.

    A cut beats a delay; a later delay replaces an earlier one.
    """
    if delay_s <= 0:
        raise InputError("the delay must be longer than nothing", hint="--delay 200ms, say")
    if jitter_s > delay_s:
        raise InputError(
            f"the jitter ({jitter_s:g} s) is longer than the delay ({delay_s:g} s)",
            hint="nothing can arrive before it was sent",
        )
    side, versus = sides(select)
    order(Verb.SLOW, side, versus=versus, delay_s=delay_s, jitter_s=jitter_s, **how)


@click.command("heal")
@measured
@common(data=True)
def heal(**how: Any) -> None:
    """Undo every fault, whichever command made it: links that are cut or slow, pauses."""
    order(Verb.HEAL, (), **how)


@click.command("move-leader")
@selector("select", metavar="SEL")
@measured
@common(data=True)
def move_leader(select: str, **how: Any) -> None:
    """Have the leader hand leadership over to another member."""
    order(Verb.MOVE_LEADER, (select,), **how)


def sides(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
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
