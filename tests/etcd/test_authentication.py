"""Authentication on real etcd: a refusal is an answer, and a user who is given is let in."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.model.access import WANTS_USER
from etcd_sandbox.model.verdict import sentence

from tests.conftest import SandboxCommand
from tests.etcd.client import ask
from tests.etcd.conftest import ClusterMaker

TELLS_NOBODY = ("3.6", "3.7")
"""Where a stranger is told nothing of a member (since 3.4.42, 3.5.28, 3.6.9; 3.5.1 and 3.4.23 are older)."""


def require_users(endpoint: str) -> None:
    """Authentication is on from here on; root's password is pw."""
    ask(endpoint, "auth/user/add", name="root", password="pw")
    ask(endpoint, "auth/role/add", name="root")
    ask(endpoint, "auth/user/grant", user="root", role="root")
    ask(endpoint, "auth/enable")


@pytest.mark.parametrize("etcd_binary", ["3.4", "3.7"], indirect=True)
def test_authentication_hides_neither_leader_nor_quorum_nor_verdict(
    cluster_of: ClusterMaker, sandbox_command: SandboxCommand, quick: Path, tmp_path: Path
) -> None:
    cluster = cluster_of(profile=quick)
    require_users(cluster.endpoints[0])
    status = cluster.status()
    assert status.leader == status.logs.leader
    assert (status.quorum.ok, status.quorum.healthy) == (True, 3)
    version = status.members[0].version or ""
    silent = version.startswith(TELLS_NOBODY)
    assert {member.why for member in status.members} == {WANTS_USER if silent else None}
    killed = cluster.kill("leader")
    assert killed.leader_after not in (None, status.leader), sentence(killed)
    assert killed.read_gap_s is not None
    assert cluster.start("all").leader_after == killed.leader_after
    assert not [e for e in cluster.events() if "quorum" in e.kind]

    # A user is let in: with the option, and from then on whoever asks the supervisor.
    mine = ("-c", cluster.name)
    refused = sandbox_command(*mine, "snapshot", "refused.db", code=1).stderr
    assert "user name is empty" in refused
    assert "--user NAME:PASSWORD" in refused
    said = sandbox_command(*mine, "--user", "root:pw", "status").stdout
    assert "wants a user" not in said
    assert [member.why for member in cluster.status().members] == [None] * 3
    sandbox_command(*mine, "snapshot", "users.db", ETCD_SANDBOX_USER="root:pw")
    sandbox_command(*mine, "ctl", "put", "k", "v", ETCD_SANDBOX_USER="root:pw")
    # The password is in memory only.
    files = [path for path in sandbox_command.home.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix != ".db" and b"root:pw" in path.read_bytes()]

    # The users come back with a snapshot, and its members become ready.
    cluster = cluster_of(restore=sandbox_command.cwd / "users.db", members=3, user="root:pw")
    assert cluster.wait_healthy().quorum.ok
    assert [member.why for member in cluster.status().members] == [None] * 3
