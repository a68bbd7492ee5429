"""What real etcd makes of damaged data, as `corrupt` says beforehand; and that `replace` mends it."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox import Cluster, InputError, SandboxError

from tests.etcd.client import get, put
from tests.etcd.conftest import ClusterMaker
from tests.etcd.traffic import url
from tests.etcd.views import leader_and_followers


def test_damaged_data_does_what_is_told_and_a_new_member_mends_it(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(profile=quick)
    leader, (follower, other) = leader_and_followers(cluster)
    put(url(cluster, leader), "color", "red")
    put(url(cluster, leader), "color", "blue")
    put(url(cluster, leader), "size", "9")
    with pytest.raises(SandboxError, match="runs: only the data of a stopped member"):
        cluster.corrupt(follower, key="color")
    with pytest.raises(InputError, match="takes one of --key, --wal-tail, --db"):
        cluster.corrupt(follower)

    # Another value: nobody notices but who compares.
    cluster.stop(follower)
    with pytest.raises(InputError, match="there is no such key among its 2"):
        cluster.corrupt(follower, key="colour")
    (note,) = cluster.corrupt(follower, key="color").notes
    assert "etcd starts and serves it" in note
    cluster.start(follower)
    assert get(url(cluster, follower), "color", serializable=True) == "blud"
    assert get(url(cluster, leader), "color", serializable=True) == "blue"
    cluster.replace(follower)
    assert get(url(cluster, follower), "color", serializable=True) == "blue"

    # A page of the database, and the end of the log: the member ends at its start.
    for of_db, fatal in ((True, "panic"), (False, "tocommit")):
        cluster.stop(other)
        (note,) = cluster.corrupt(other, db=of_db, wal_tail=not of_db).notes
        with pytest.raises(SandboxError, match="ended at its start"):
            cluster.start(other)
        assert fatal in tail(cluster, other)
        assert fatal in note
        cluster.replace(other)
    assert get(url(cluster, other), "size", serializable=True) == "9"
    told = [event.fields["fault"] for event in cluster.events() if event.kind == "fault.passed"]
    assert told == ["corrupt"] * 3


def tail(cluster: Cluster, name: str) -> str:
    """The last lines of the member."""
    return "\n".join(line.text for line in cluster.logs(name, tail=400))
