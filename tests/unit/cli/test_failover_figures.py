"""What `failover` prints of a round is what the verdict says of it, in the table, the sum, CSV and JSON."""

from __future__ import annotations

import pytest
from etcd_sandbox.api.failover import Round
from etcd_sandbox.cli import failover
from etcd_sandbox.model.service import How, Service
from etcd_sandbox.model.verdict import Verdict


def one_round(reads: Service | None) -> Round:
    verdict = Verdict(
        verb="kill",
        targets=("infra1",),
        leader_before="infra1",
        leader_after="infra2",
        term_before=2,
        term_after=3,
        leader_gap_s=1.2,
        read_gap_s=reads.gap_s if reads is not None else None,
        reads=reads,
    )
    return Round(number=1, verdict=verdict, mended_s=0.5)


@pytest.mark.parametrize(
    ("reads", "cell", "figure"),
    [
        (Service(how=How.FAILED, gap_s=1.25), "1.25 s", 1.25),
        # They went on, or were slow: for no time did they fail.
        (Service(how=How.WENT_ON, gap_s=0.021), "0.00 s", 0.0),
        (Service(how=How.SLOW, gap_s=0.41, wait_s=0.4), "0.00 s", 0.0),
        (None, "-", None),
    ],
)
def test_reads_failed_for_as_long_as_the_verdict_says(
    reads: Service | None, cell: str, figure: float | None
) -> None:
    done = [one_round(reads)]
    assert failover._cells(done[0])[4] == cell
    (told,) = failover._document(done, "kill")["rounds"]
    assert told["read_gap_s"] == figure
    assert dict(failover._gaps(done))["without reads"] == ([] if figure is None else [figure])
