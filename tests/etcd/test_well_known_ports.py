"""Clusters at the ports that everybody knows: 12379, 22379, 32379. Their tests have them in turn."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

import pytest
from etcd_sandbox.model.spec import EtcdBinary

from tests import etcd_versions
from tests.conftest import SandboxCommand, until

WELL_KNOWN = {
    "infra1": ("8211f1d0f64f3269", 12379),
    "infra2": ("91bc3c398fb3c146", 22379),
    "infra3": ("fd422379fda50e48", 32379),
}
EXAMPLE = Path(__file__).parents[2] / "Procfile.example"


@pytest.mark.also_on(*etcd_versions.SERIES)
def test_the_well_known_cluster_comes_up(
    on_etcd: SandboxCommand, etcd_binary: EtcdBinary, well_known_ports: None
) -> None:
    on_etcd("up", "-n", "3", "-d")
    look_at_the_well_known_cluster_and_take_it_down(on_etcd, etcd_binary)


def test_the_well_known_cluster_comes_up_from_its_procfile(
    on_etcd: SandboxCommand, etcd_binary: EtcdBinary, well_known_ports: None
) -> None:
    shutil.copy(EXAMPLE, on_etcd.cwd / "Procfile")
    on_etcd("up", "-d")
    look_at_the_well_known_cluster_and_take_it_down(on_etcd, etcd_binary)


def look_at_the_well_known_cluster_and_take_it_down(
    on_etcd: SandboxCommand, etcd_binary: EtcdBinary
) -> None:
    listed = on_etcd("ctl", "member", "list").stdout.splitlines()
    assert sorted(line.split(", ")[:3] for line in listed) == [
        [id_, "started", name] for name, (id_, _) in WELL_KNOWN.items()
    ]
    health = on_etcd("ctl", "endpoint", "health")
    lines = (health.stdout + health.stderr).splitlines()
    assert len([line for line in lines if "is healthy" in line]) == 3
    shown = on_etcd.status()
    assert {entry["name"]: entry["id"] for entry in shown["members"]} == {
        name: id_ for name, (id_, _) in WELL_KNOWN.items()
    }
    assert {entry["version"] for entry in shown["members"]} == {etcd_binary.version}
    on_etcd("down")
    for _, port in WELL_KNOWN.values():
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/version", timeout=5)


def test_a_procfiles_members_are_cut_apart_once_it_is_started_with_links(
    on_etcd: SandboxCommand, well_known_ports: None
) -> None:
    shutil.copy(EXAMPLE, on_etcd.cwd / "Procfile")
    on_etcd("up", "-d")
    refused = on_etcd("partition", "leader", code=1)
    assert "members reach each other directly" in refused.stderr
    assert "up --links" in refused.stderr
    on_etcd("down")

    on_etcd("up", "-d", "--links")
    verdict = json.loads(on_etcd("partition", "leader", "--json").stdout)

    assert verdict["leader_before"] is not None
    assert verdict["leader_after"] not in (None, verdict["leader_before"])
    assert verdict["term_after"] > verdict["term_before"]
    on_etcd("heal")

    def members() -> list[dict[str, object]]:
        return list(on_etcd.status()["members"])

    until(lambda: all(member["healthy"] for member in members()), 20, members)
    assert [member["peer_url"] for member in members()] == [
        f"http://127.0.0.1:{port}" for port in (12380, 22380, 32380)
    ]
