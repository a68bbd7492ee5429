"""The verbs: what is done to processes, between members, and to the list of members."""

from __future__ import annotations

from typing import Any

import click

from etcd_sandbox.cli.ordering import measured, order
from etcd_sandbox.cli.params import SIGNAL, SPAN, selector, selectors
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.verb import Verb

VERSUS = "vs"
"""The word between the two sides."""


def _of_selected(verb: Verb, text: str) -> click.Command:
    """The command of a verb that takes selectors alone; `text` is its help."""

    @click.command(verb.value, help=text)
    @selectors(required=True)
    @measured
    def command(select: tuple[str, ...], **how: Any) -> None:
        order(verb, select, **how)

    return command


start = _of_selected(Verb.START, "Start processes that do not run, with the data that they had.")
stop = _of_selected(
    Verb.STOP,
    "Stop processes gracefully: SIGTERM, and SIGKILL to those that do not go. Their data stays.",
)
restart = _of_selected(
    Verb.RESTART, "Stop processes gracefully and start them again, with the data that they had."
)
pause = _of_selected(
    Verb.PAUSE, "Let processes hang (SIGSTOP): they keep their ports and answer nobody."
)
resume = _of_selected(Verb.RESUME, "Let paused processes go on (SIGCONT).")
promote = _of_selected(
    Verb.PROMOTE, "Give learners their vote, as soon as they have caught up with the leader."
)
replace = _of_selected(
    Verb.REPLACE,
    """Put new members in the place of these, dead or alive: same name and URLs, new ID, no old data.

    Each is removed first and comes back as a learner, which is promoted when it has caught up: the
    quorum never waits for it. Name all that are down in one command.
    """,
)


@click.command("kill")
@selectors(required=True)
@click.option(
    "-s",
    "--signal",
    type=SIGNAL,
    default="SIGKILL",
    show_default=True,
    metavar="S",
    help="The signal, by name (with or without SIG) or number.",
)
@measured
def kill(select: tuple[str, ...], signal: str, **how: Any) -> None:
    """Crash processes: no goodbye, as when a machine fails."""
    order(Verb.KILL, select, signal=signal, **how)


@click.command("partition")
@selectors(required=True, metavar="SEL... [vs SEL...]")
@measured
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
def heal(**how: Any) -> None:
    """Undo every fault, whichever command made it: links that are cut or slow, pauses."""
    order(Verb.HEAL, (), **how)


@click.command("move-leader")
@selector("select", metavar="SEL")
@measured
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


@click.command("add")
@click.argument("name", required=False)
@click.option("--learner", is_flag=True, help="It gets all data, but no vote until it is promoted.")
@measured
def add(name: str | None, **how: Any) -> None:
    """Add a member while the cluster runs, and start it; by default infraN with the next number.

    It has the ports that come next, and the others' flags. etcd takes a new member only when
    its voters have been connected for 5 s; until then it is waited for. If the new member does not
    come up it is taken out again. A member that is on etcd's list already with its peer URL (etcdctl
    member add), and never started, is started as it is; that one stays on the list in any case.
    """
    order(Verb.ADD, (), name=name, **how)


@click.command("remove")
@selectors(required=True)
@click.option("--force", is_flag=True, help="Ask etcd also for what would break the quorum.")
@measured
def remove(select: tuple[str, ...], **how: Any) -> None:
    """Take members out of the cluster for good, dead or alive, and delete their data.

    A leader hands over first. What would leave too few members up for a quorum is refused. The ID of
    a member on etcd's list that is no process of ours (never started, say) takes it off the list.
    """
    order(Verb.REMOVE, select, **how)
