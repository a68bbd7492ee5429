"""`logs` and `events`: what the processes wrote, in order of arrival, and what happened."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import click

from etcd_sandbox.cli import diagnostics, output
from etcd_sandbox.cli.output import BAD, GOOD, Painted
from etcd_sandbox.cli.params import MOMENT, WholeRange, raw, selectors
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.control.wire import EndedFrame, Frame, LinesFrame, LostFrame, NowFrame
from etcd_sandbox.words import shown, story

Keep = Callable[[bytes], bool]
"""Whether a line, without its newline, is to be shown."""

LEVELS = ("debug", "info", "warn", "error", "fatal")


@click.command("logs")
@selectors(required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    "tail",
    type=WholeRange(min=0),
    metavar="N",
    help="Only the last N lines of the past (of those that match).",
)
@click.option(
    "--since",
    "since_us",
    type=MOMENT,
    metavar="T",
    help="Only lines since then: 10m (ago), 2h, 14:30, or RFC 3339.",
)
@click.option(
    "--level",
    type=click.Choice(LEVELS, case_sensitive=False),
    help="Only lines of etcd that are at least so grave; lines that tell no level are left out.",
)
@raw
@click.option("--grep", metavar="RE", help="Only lines in which this regular expression matches.")
@common()
def logs(
    select: tuple[str, ...],
    follow: bool,
    tail: int | None,
    since_us: int | None,
    level: str | None,
    raw: bool,
    grep: str | None,
) -> None:
    """Show log lines, in order of arrival: of the selected processes, else of all.

    Lines of processes that are gone are shown as well, as far as the files reach.
    """
    from etcd_sandbox.cli.choice import running
    from etcd_sandbox.cli.streams import Merger, order

    keep = _keep(level, grep)
    client = running()
    merger = Merger(order(client.plan()["processes"]), colour=output.colour(), tame=not raw)
    frames = client.logs(
        select, follow=follow, tail=tail if keep is None else None, since_us=since_us
    )
    for frame in frames if keep is None else matching(frames, keep, tail):
        if isinstance(frame, EndedFrame):
            diagnostics.warn(f"cluster stopped: {frame.why}")
        elif isinstance(frame, LostFrame):
            diagnostics.warn(shown.log_loss(frame.lines, frame.losing, frame.why))
        for piece in merger.frame(frame):
            output.raw(piece)


def matching(frames: Iterator[Frame], keep: Keep, tail: int | None) -> Iterator[Frame]:
    """The lines that `keep` wants; of the past only the last `tail` of them, if that is given."""
    held: deque[Frame] | None = None if tail is None else deque(maxlen=tail)
    for frame in frames:
        if isinstance(frame, NowFrame):
            yield from held or ()
            held = None
            yield frame
        elif not isinstance(frame, LinesFrame):
            yield frame
        elif held is None:
            if data := b"".join(_kept(frame, keep)):
                yield LinesFrame(frame.seq, frame.time_us, frame.process, data)
        else:
            held.extend(
                LinesFrame(frame.seq, frame.time_us, frame.process, line)
                for line in _kept(frame, keep)
            )
    yield from held or ()


def _kept(frame: LinesFrame, keep: Keep) -> list[bytes]:
    return [line + b"\n" for line in frame.data[:-1].split(b"\n") if keep(line)]


def _keep(level: str | None, grep: str | None) -> Keep | None:
    tests: list[Keep] = []
    if level is not None:
        tests.append(at_least(level))
    if grep is not None:
        try:
            pattern = re.compile(grep.encode())
        except re.error as error:
            raise click.BadParameter(
                f"{grep!r} is not a regular expression: {error}", param_hint="'--grep'"
            ) from None
        tests.append(lambda line: pattern.search(line) is not None)
    return (lambda line: all(test(line) for test in tests)) if tests else None


def at_least(level: str) -> Keep:
    """Whether a line of etcd is at least as grave as `level`."""
    from etcd_sandbox.etcd.logline import GRAVITY, level_of

    floor = GRAVITY[level.lower()]

    def keep(line: bytes) -> bool:
        found = level_of(line)
        return found is not None and GRAVITY[found] >= floor

    return keep


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
