"""The figures of the details screen move when real members are written to."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import pytest
from etcd_sandbox.api.cluster import Cluster
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.access import as_value
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.model.state import Detail
from etcd_sandbox.paths import cluster_paths
from etcd_sandbox.tui.figures import Figure, History, latest

from tests import etcd_versions
from tests.etcd.client import put
from tests.etcd.views import leader_of

MakeCluster = Callable[..., Cluster]
PUTS = 20


class Watch:
    """A process that is asked about now and then."""

    def __init__(self, cluster: Cluster, process: str) -> None:
        self._client = ControlClient(cluster_paths(cluster.name))
        self._process = process
        self.history = History()

    def look(self) -> Detail:
        detail = msgspec.convert(self._client.detail(self._process), Detail, dec_hook=as_value)
        self.history.take(detail, time.monotonic())
        return detail

    def latest(self, figure: Figure) -> float | None:
        return latest(self.history.of(figure))


def write(cluster: Cluster, name: str) -> None:
    for number in range(PUTS):
        put(cluster.endpoints[cluster.members.index(name)], "key", str(number))


@pytest.mark.also_on(*etcd_versions.SERIES)
def test_puts_move_the_figures(cluster_of: MakeCluster, etcd_binary: EtcdBinary) -> None:
    cluster = cluster_of(profile="fast")
    leader = leader_of(cluster)
    watch = Watch(cluster, leader)
    began = time.monotonic()
    watch.look()
    write(cluster, leader)
    watch.look()
    passed_s = time.monotonic() - began
    for figure in (Figure.PUTS, Figure.PROPOSALS):
        per_s = watch.latest(figure)
        assert per_s is not None
        assert per_s >= PUTS / passed_s
    fsync_s = watch.latest(Figure.FSYNC)
    assert fsync_s is not None
    assert 0 < fsync_s < passed_s
    assert watch.latest(Figure.PENDING) is not None
    version = parse(etcd_binary.version)
    apply_s, put_s = watch.latest(Figure.PUT_APPLY), watch.latest(Figure.PUT)
    assert (apply_s is not None) == (version >= (3, 5))
    assert (put_s is not None) == (version >= (3, 7))
    if put_s is not None:
        assert apply_s is not None
        assert 0 < apply_s < put_s < passed_s / PUTS


def test_a_restart_between_two_looks_is_a_gap(cluster_of: MakeCluster) -> None:
    cluster = cluster_of(profile="fast")
    leader = leader_of(cluster)
    watch = Watch(cluster, leader)
    watch.look()
    write(cluster, leader)
    watch.look()
    cluster.restart(leader)
    watch.look()
    points = list(watch.history.of(Figure.PUTS))
    assert points[0] is None
    assert points[1]
    assert points[2] is None
