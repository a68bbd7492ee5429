"""The pytest plugin: a real etcd cluster for a test, and what became of it when the test fails.

    def test_survives_a_crash(etcd_cluster):
        etcd_cluster.kill("leader")

`etcd_cluster` is fresh for each test, on free ports, so that tests may run in parallel
(pytest-xdist); `@pytest.mark.etcd_cluster(members=5)` takes Cluster's arguments and shapes it.
`etcd_cluster_factory` makes as many as a test calls it for. Every pytest session loads this
module: it imports nothing until a cluster is asked for.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from typing import Unpack

    from sandbox.api.arguments import ClusterArguments
    from sandbox.api.cluster import Cluster

PROFILE_OPTION = "etcd_cluster_profile"
EVENTS_SHOWN = 60
LINES_SHOWN = 20
"""Of each member's log, in the report of a failed test."""

_CLUSTERS: pytest.StashKey[list[Cluster]] = pytest.StashKey()


class EtcdClusterFactory:
    """Makes clusters that live as long as the test."""

    def __init__(self, profile: str, clusters: list[Cluster], stack: ExitStack) -> None:
        self._profile = profile
        self._clusters = clusters
        self._stack = stack

    def __call__(self, **wishes: Unpack[ClusterArguments]) -> Cluster:
        """A cluster that is up: `Cluster(**wishes)` on free ports, closed at the end of the test."""
        from sandbox.api.cluster import Cluster

        given: dict[str, Any] = dict(wishes)
        if given.get("procfile") is None:
            given.setdefault("base_port", "auto")
            if self._profile and not {"profile", "members"} & given.keys():
                given["profile"] = self._profile
        cluster = Cluster(**given)
        self._stack.callback(cluster.close)
        self._clusters.append(cluster)
        return cluster.up()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option of the configuration file."""
    parser.addini(
        PROFILE_OPTION,
        "The profile of the etcd clusters of tests, by name or path, where a test names none",
        default="",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line(
        "markers",
        "etcd_cluster(**arguments): what the fixture etcd_cluster is to be; the arguments of "
        'sandbox.Cluster, for example members=5, etcd="3.5", profile="fast"',
    )


@pytest.fixture
def etcd_cluster_factory(request: pytest.FixtureRequest) -> Iterator[EtcdClusterFactory]:
    """Call it with Cluster's arguments, several times if need be; all are closed after the test."""
    clusters: list[Cluster] = request.node.stash.setdefault(_CLUSTERS, [])
    with ExitStack() as stack:
        yield EtcdClusterFactory(request.config.getini(PROFILE_OPTION), clusters, stack)


@pytest.fixture
def etcd_cluster(
    request: pytest.FixtureRequest, etcd_cluster_factory: EtcdClusterFactory
) -> Cluster:
    """A cluster that is up: three members on free ports, or what the marker etcd_cluster says."""
    marker = request.node.get_closest_marker("etcd_cluster")
    return etcd_cluster_factory(**(marker.kwargs if marker is not None else {}))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to the report of a failed test what happened in its clusters, while they are there."""
    report = yield
    if report.failed and call.when != "teardown":
        for cluster in item.stash.get(_CLUSTERS, []):
            if cluster.is_up:
                report.sections.append((f"etcd cluster {cluster.name}", _story_of(cluster)))
    return report


def _story_of(cluster: Cluster) -> str:
    """Its events, and the last log lines of each member: the files are deleted with the cluster."""
    from sandbox import story
    from sandbox.errors import SandboxError

    told = [f"endpoints: {','.join(cluster.endpoints)}"]
    try:
        told.extend(
            f"{story.clock(event.ts)} {story.sentence(event.to_wire())}"
            for event in cluster.events(tail=EVENTS_SHOWN)
        )
        for member in cluster.members:
            told.append(f"the last lines of {member}:")
            told.extend(f"  {line.text}" for line in cluster.logs(member, tail=LINES_SHOWN))
    except SandboxError as error:
        told.append(f"no more is known: {error}")
    return "\n".join(told)
