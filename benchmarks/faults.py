"""Loses leaders on several etcds and writes the tables of docs/faults.md.

    python benchmarks/faults.py [--rounds N] [--write-docs] ETCD…

ETCD is a path or a version, as for `up --etcd`. It needs the project to be installed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from etcd_sandbox import Cluster, Verdict
from etcd_sandbox.api.failover import Spread, spread
from etcd_sandbox.model.state import Role
from etcd_sandbox.verbs import LOSE_A_LEADER, Verb

PAGE = Path(__file__).resolve().parent.parent / "docs" / "faults.md"


def main() -> int:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("etcd", nargs="+", metavar="ETCD")
    parser.add_argument("--rounds", type=int, default=10, metavar="N")
    parser.add_argument("--write-docs", action="store_true")
    options = parser.parse_args()
    failovers: list[Sequence[str]] = [("etcd", *(how.name for how in LOSE_A_LEADER))]
    heals: list[Sequence[str]] = [("etcd", "term rises by", "elections", "without a leader")]
    for etcd in options.etcd:
        with Cluster(members=3, etcd=etcd, base_port="auto") as cluster:
            version = str(cluster.status().members[0].version)
            sys.stderr.write(f"etcd {version}\n")
            failovers.append(
                (version, *(_failover(cluster, how, options.rounds) for how in LOSE_A_LEADER))
            )
            heals.append((version, *_heals(cluster, options.rounds)))
    tables = {"failover": _table(failovers), "heal": _table(heals)}
    tables["failover"] = (
        f"Seconds without a leader, median (least to most) of {options.rounds} rounds:\n\n"
        + tables["failover"]
    )
    tables["heal"] = (
        f"A follower is cut off for two election timeouts and healed, {options.rounds} times:\n\n"
        + tables["heal"]
    )
    for name, table in tables.items():
        sys.stdout.write(f"{table}\n\n")
        if options.write_docs:
            _write(name, table)
    return 0


def _failover(cluster: Cluster, how: Verb, rounds: int) -> str:
    gaps = [each.verdict.leader_gap_s for each in cluster.failover(rounds, how=how.name)]
    return _words(spread([gap for gap in gaps if gap is not None]))


def _heals(cluster: Cluster, rounds: int) -> tuple[str, ...]:
    verdicts: list[Verdict] = []
    for _ in range(rounds):
        status = cluster.wait_healthy()
        follower = next(each.name for each in status.members if each.role is Role.FOLLOWER)
        before = status.term or 0
        cluster.partition(follower)
        verdict = cluster.heal()
        verdicts.append(verdict)
        sys.stderr.write(f"  heal: term {before} → {verdict.term_after}\n")
    rises = [(v.term_after or 0) - (v.term_before or 0) for v in verdicts]
    gaps = [v.leader_gap_s for v in verdicts if v.leader_gap_s]
    return (
        f"{statistics.median(rises):g}",
        f"{sum(rise > 0 for rise in rises)} of {rounds}",
        _words(spread(gaps)),
    )


def _words(found: Spread | None) -> str:
    if found is None:
        return "never"
    return f"{found.median:.2f} ({found.least:.2f} to {found.most:.2f})"


def _table(rows: list[Sequence[str]]) -> str:
    head, *body = rows
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in body)])


def _write(name: str, table: str) -> None:
    page = PAGE.read_text()
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, there, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not there or not ended:
        raise ValueError(f"{PAGE.name} has lost its markers {begin} and {end}")
    PAGE.write_text(f"{before}{begin}\n{table}\n{end}{after}")


if __name__ == "__main__":
    sys.exit(main())
