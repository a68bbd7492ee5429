"""`failover`: lose the leader again and again; how long each election and each outage took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.output import padded
from etcd_sandbox.cli.params import WholeRange, timeout
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import InputError
from etcd_sandbox.verbs import LOSE_A_LEADER, named
from etcd_sandbox.words.shown import exactly

if TYPE_CHECKING:
    from etcd_sandbox.api.failover import Round
    from etcd_sandbox.model.verdict import Verdict

_HEAD = ("ROUND", "LEADER", "TERM", "NO LEADER", "NO READS", "MENDED")
_WIDTHS = (5, 22, 9, 10, 10, 10)
_BAR = 40
_FIGURES = ("leader_before", "leader_after", "term_before", "term_after", "leader_gap_s")
_COLUMNS = ("round", *_FIGURES, "read_gap_s", "mended_s")


@click.command("failover")
@click.option(
    "-r",
    "--rounds",
    "count",
    type=WholeRange(1, 10_000),
    default=5,
    show_default=True,
    metavar="N",
    help="How often.",
)
@click.option(
    "--how",
    type=click.Choice([verb.name for verb in LOSE_A_LEADER]),
    default=LOSE_A_LEADER[0].name,
    show_default=True,
    help="A crash, a graceful stop, a hang, or a cut from the others.",
)
@click.option("--csv", is_flag=True, help="A line per round, for a spreadsheet.")
@timeout("How long each step of a round may take.")
@common(data=True)
def failover(count: int, how: str, csv: bool, timeout_s: float) -> int:
    """Lose the leader again and again, and report how long each election and each outage took.

    The cluster is whole again after each round; Ctrl-C mends what is broken before it ends.
    """
    from etcd_sandbox.api.failover import rounds
    from etcd_sandbox.cli.choice import running
    from etcd_sandbox.cli.waiting import Interrupted, interruptible

    if csv and settings().json:
        raise InputError("--csv and --json contradict each other", hint="leave out one of them")
    client = running()
    done: list[Round] = []
    plain = not (csv or settings().json)
    code = 0
    with interruptible():
        going = rounds(client, named(how), count, timeout_s=timeout_s)
        try:
            for each in going:
                if plain and not done:
                    output.line(_row(_HEAD))
                done.append(each)
                if plain:
                    output.line(_row(_cells(each)))
                    output.flush()
        except Interrupted:
            code = 130
    if csv:
        _csv(done)
    elif settings().json:
        output.document(_document(done, how))
    elif done:
        _summary(done)
    return code


def _cells(each: Round) -> tuple[str, ...]:
    verdict = each.verdict
    return (
        str(each.number),
        f"{verdict.leader_before} → {verdict.leader_after}",
        f"{verdict.term_before} → {verdict.term_after}",
        exactly(verdict.leader_gap_s),
        exactly(_unread_s(verdict)),
        exactly(each.mended_s),
    )


def _row(cells: Sequence[str]) -> str:
    texts = [
        padded(cell, width) if place in (1, 2) else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    ]
    return "  ".join(texts).rstrip()


def _summary(done: Sequence[Round]) -> None:
    from etcd_sandbox.api.failover import histogram, spread

    for what, gaps in _gaps(done):
        found = spread(gaps)
        if found is None:
            continue
        output.line()
        output.line(f"{what}: median {found.median:.2f} s, {found.least:.2f} to {found.most:.2f} s")
        classes = histogram(gaps)
        most = max(count for _, _, count in classes)
        for low, high, count in classes:
            length = count if most <= _BAR else round(_BAR * count / most)
            line = f"  {low:5.2f} to {high:5.2f} s  {'█' * length} {count or ''}"
            output.line(line.rstrip())
    output.next_step("status")


def _gaps(done: Sequence[Round]) -> list[tuple[str, list[float]]]:
    verdicts = [each.verdict for each in done]
    return [
        ("without a leader", [v.leader_gap_s for v in verdicts if v.leader_gap_s is not None]),
        ("without reads", [s for v in verdicts if (s := _unread_s(v)) is not None]),
    ]


def _document(done: Sequence[Round], how: str) -> dict[str, Any]:
    from msgspec import to_builtins

    from etcd_sandbox.api.failover import spread

    (_, leaderless), (_, unread) = _gaps(done)
    return {
        "how": how,
        "rounds": [dict(zip(_COLUMNS, _figures(each), strict=True)) for each in done],
        "leader_gap_s": to_builtins(spread(leaderless)),
        "read_gap_s": to_builtins(spread(unread)),
    }


def _csv(done: Sequence[Round]) -> None:
    output.line(",".join(_COLUMNS))
    for each in done:
        output.line(",".join("" if cell is None else str(cell) for cell in _figures(each)))


def _unread_s(verdict: Verdict) -> float | None:
    """For how long reads failed: what the verdict says of it, 0 where they went on or waited."""
    return verdict.reads.outage_s if verdict.reads is not None else None


def _figures(each: Round) -> list[Any]:
    """What _COLUMNS have of a round."""
    figures = (getattr(each.verdict, name) for name in _FIGURES)
    return [each.number, *figures, _unread_s(each.verdict), each.mended_s]
