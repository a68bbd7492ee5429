"""What is measured of many members: the questions leave the machine the time for the answers."""

from __future__ import annotations

import pytest
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.service import How

from tests.etcd.conftest import ClusterMaker

SETTLES_WITHIN_S = 30.0


@pytest.mark.parametrize(
    "members",
    [9, pytest.param(15, marks=pytest.mark.soak), pytest.param(25, marks=pytest.mark.soak)],
)
@pytest.mark.parametrize("etcd_binary", ["3.5"], indirect=True)
@pytest.mark.timeout(180)
def test_who_leads_after_a_crash_is_found_out_of_many(
    cluster_of: ClusterMaker, members: int
) -> None:
    cluster = cluster_of(members=members)

    killed = cluster.kill("leader", timeout_s=SETTLES_WITHIN_S)

    assert killed.settled
    assert killed.leader_after not in (None, *killed.targets)
    elected = {
        event.fields["term"]: event.member
        for event in cluster.events()
        if event.kind is Kind.LEADER_ELECTED
    }
    assert elected[killed.term_after] == killed.leader_after
    assert killed.quorum is not None
    assert killed.quorum.ok
    assert killed.reads is not None
    assert killed.reads.how is How.FAILED
