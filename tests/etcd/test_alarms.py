"""Alarms on real etcd: they are named, they are no lost quorum, and members become ready under them."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.verdict import sentence

from tests.conftest import until
from tests.etcd.client import ask
from tests.etcd.conftest import ClusterMaker


def alarm(endpoint: str, action: str, kind: str, member_id: str) -> None:
    """Raise or disarm an alarm of that member."""
    ask(endpoint, "maintenance/alarm", action=action, alarm=kind, memberID=str(int(member_id, 16)))


@pytest.mark.parametrize("kind", ["NOSPACE", "CORRUPT"])
@pytest.mark.parametrize("etcd_binary", ["3.5", "3.7"], indirect=True)
def test_an_alarm_is_named_and_is_no_lost_quorum(
    cluster_of: ClusterMaker, quick: Path, kind: str
) -> None:
    cluster = cluster_of(profile=quick)

    def told(event: Kind) -> bool:
        return event in [each.kind for each in cluster.events()]

    first = cluster.status().members[0]
    assert first.id is not None
    alarm(first.client_url, "ACTIVATE", kind, first.id)
    until(lambda: [up.alarm for up in cluster.status().alarms] == [kind])
    status = cluster.status()
    assert (status.quorum.ok, status.quorum.healthy) == (True, 3)
    assert [member.alarms for member in status.members] == [(kind,), (), ()]
    assert status.alarms[0].member == first.name
    restarted = cluster.restart(first.name)
    assert restarted.settled, sentence(restarted)
    assert cluster.status().members[0].state == "running"
    until(lambda: told(Kind.ALARM_RAISED))
    alarm(first.client_url, "DEACTIVATE", kind, first.id)
    assert cluster.wait_healthy().alarms == ()
    until(lambda: told(Kind.ALARM_CLEARED))
    assert not told(Kind.QUORUM_LOST)
