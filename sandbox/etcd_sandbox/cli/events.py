"""`events`: what happened, one sentence or one JSON object a line."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.output import BAD, GOOD, Painted
from etcd_sandbox.cli.params import WholeRange
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.words import story


@click.command("events")
@click.option("-f", "--follow", is_flag=True, help="Go on with new events until Ctrl-C.")
@click.option(
    "-n", "--lines", "tail", type=WholeRange(min=0), metavar="N", help="Only the last N events."
)
@common(data=True)
def events(follow: bool, tail: int | None) -> None:
    """Show what happened: starts, exits, elections, faults. With --json the lines of events.jsonl.

    Where a member asks again and again whether it could win, its further requests are one line with their number.
    """
    from etcd_sandbox.cli.choice import running

    if settings().json:
        for event in running().events(follow=follow, tail=tail):
            output.record(event)
        return
    told: Iterable[story.Event]
    if follow or tail is None:
        told = story.condensed(running().events(follow=follow, tail=tail))
    else:
        told = deque(story.condensed(running().events(follow=False)), maxlen=tail)
    for event in told:
        output.line(line(event))
        output.flush()


def line(event: story.Event) -> Painted:
    """One event for a reader: local time and a sentence."""
    kind = event["kind"]
    sgr = BAD if kind in story.BAD else GOOD if kind in story.GOOD else ""
    return Painted(f"{story.clock(event['ts'])} {story.sentence(event)}", sgr)
