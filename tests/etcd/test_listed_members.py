"""The quorum follows from etcd's own list of members, whoever put them there."""

from __future__ import annotations

from pathlib import Path
from urllib.error import HTTPError

import pytest
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.verdict import sentence

from tests.conftest import SandboxCommand, until
from tests.etcd.client import ask
from tests.etcd.conftest import ClusterMaker


@pytest.mark.parametrize("etcd_binary", ["3.6"], indirect=True)
def test_a_member_that_was_never_started_counts_for_the_quorum(
    cluster_of: ClusterMaker, sandbox_command: SandboxCommand, quick: Path
) -> None:
    cluster = cluster_of(profile=quick)

    def added() -> bool:
        # Etcd takes one only when its voters have been connected for five seconds.
        try:
            ask(cluster.endpoints[0], "cluster/member/add", peerURLs=["http://127.0.0.1:1"])
        except HTTPError as refused:
            # An earlier question whose answer came too late may have done it.
            return "already exist" in refused.read().decode()
        except OSError:
            return False
        return True

    until(added)
    status = cluster.status()
    (entry,) = status.elsewhere
    assert (entry.started, entry.answers, entry.peer_urls) == (
        False,
        False,
        ("http://127.0.0.1:1",),
    )
    quorum = status.quorum
    assert (quorum.voters, quorum.needed, quorum.healthy, quorum.ok) == (4, 3, 3, True)
    victim = next(each.name for each in status.members if each.name != status.leader)
    killed = cluster.kill(victim)
    assert "quorum lost: 2 of 4 up, 3 needed" in sentence(killed)
    until(lambda: Kind.QUORUM_LOST in [event.kind for event in cluster.events()])
    assert not cluster.status().quorum.ok
    assert cluster.start(victim).leader_after is not None
    said = sandbox_command("-c", cluster.name, "status").stdout
    assert "on etcd's member list, never started" in said
    sandbox_command("-c", cluster.name, "remove", entry.id)
    quorum = cluster.status().quorum
    assert (quorum.voters, quorum.needed, quorum.ok) == (3, 2, True)
