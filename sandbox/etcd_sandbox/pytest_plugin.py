"""The pytest plugin: a real etcd cluster for a test, and what became of it when the test fails.

    def test_survives_a_crash(etcd_cluster):
        etcd_cluster.kill("leader")

`etcd_cluster` is fresh for each test, on free ports, so that tests may run in parallel
(pytest-xdist); `@pytest.mark.etcd_cluster(members=5)` takes Cluster's arguments and shapes it.
`etcd_cluster_module` and `etcd_cluster_session` are shared: `reset()` brings them back to how they
began. `etcd_cluster_factory` makes as many as a test calls it for. Every pytest session loads this
module: it imports nothing until a cluster is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from typing import Unpack

    from etcd_sandbox.api.cluster import Cluster
    from etcd_sandbox.api.facts import ClusterArguments, ClusterFacts

MARKER = "etcd_cluster"
PROFILE_OPTION = "etcd_cluster_profile"
STORY_OPTION = "--etcd-story-dir"


_SHARED = ("etcd_cluster_module", "etcd_cluster_session")

_CLUSTERS: pytest.StashKey[list[Cluster]] = pytest.StashKey()
"""Those that the test's factory made, also when the test forgot them."""
_BEGAN: pytest.StashKey[datetime] = pytest.StashKey()


class EtcdClusterFactory:
    """Makes clusters that live as long as the test."""

    def __init__(self, profile: str, clusters: list[Cluster], stack: ExitStack) -> None:
        self._profile = profile
        self._clusters = clusters
        self._stack = stack

    def __call__(self, **wishes: Unpack[ClusterArguments]) -> Cluster:
        """A cluster that is up: `Cluster(**wishes)` on free ports, closed at the end of the test."""
        from etcd_sandbox.api.cluster import Cluster

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
    """Adds the options of the command line and of the configuration file."""
    parser.addini(
        PROFILE_OPTION,
        "The profile of the etcd clusters of tests, by name or path, where a test names none",
        default="",
    )
    parser.getgroup("etcd-sandbox", "etcd clusters").addoption(
        STORY_OPTION,
        type=Path,
        metavar="DIR",
        help="keep events, logs and status of the clusters of each failed test in this directory",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**arguments): what the fixture etcd_cluster is to be, and on a module (pytestmark) "
        "etcd_cluster_module; the arguments of etcd_sandbox.Cluster, for example members=5, "
        'etcd="3.5", profile="fast"',
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
    return _made(etcd_cluster_factory, _marked(request.node))


@pytest.fixture(scope="module")
def etcd_cluster_module(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster that the tests of a module share; the marker etcd_cluster in `pytestmark` shapes it."""
    with ExitStack() as stack:
        factory = EtcdClusterFactory(request.config.getini(PROFILE_OPTION), [], stack)
        yield _made(factory, _marked(request.node))


@pytest.fixture(scope="session")
def etcd_cluster_session_args() -> dict[str, Any]:
    """The arguments of `etcd_cluster_session`: to be overridden in conftest.py."""
    return {}


@pytest.fixture(scope="session")
def etcd_cluster_session(
    request: pytest.FixtureRequest, etcd_cluster_session_args: dict[str, Any]
) -> Iterator[Cluster]:
    """A cluster that all tests of the session share; of each worker, with pytest-xdist."""
    with ExitStack() as stack:
        factory = EtcdClusterFactory(request.config.getini(PROFILE_OPTION), [], stack)
        yield _made(factory, etcd_cluster_session_args)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Notes when the test began. Fails a test whose marker would be without effect."""
    item.stash[_BEGAN] = datetime.now(UTC)
    names = getattr(item, "fixturenames", ())
    shared = next((name for name in _SHARED if name in names), None)
    own = any(marker.name == MARKER for marker in item.own_markers)
    if own and shared is not None and MARKER not in names:
        pytest.fail(
            f"the marker {MARKER} on a test does not shape {shared}, which others use, too\n"
            "hint: pytestmark = pytest.mark.etcd_cluster(…) shapes that of a module, the fixture "
            "etcd_cluster_session_args that of the session",
            pytrace=False,
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to the report of a failed test what happened in its clusters, while they are there."""
    if call.excinfo is not None and "etcd_sandbox.errors" in sys.modules:
        from etcd_sandbox.api.teststory import hide_our_frames

        if not item.config.getoption("fulltrace"):
            hide_our_frames(call.excinfo.value)
    report = yield
    if report.failed and call.when != "teardown":
        for cluster in _clusters_of(item):
            _tell(item, report, cluster)
    return report


def _tell(item: pytest.Item, report: pytest.TestReport, cluster: ClusterFacts) -> None:
    from etcd_sandbox.api import teststory

    text = teststory.told(cluster, item.stash[_BEGAN])
    directory: Path | None = item.config.getoption(STORY_OPTION)
    if directory is not None:
        try:
            place = teststory.keep(
                cluster, text, item.config.invocation_params.dir / directory, item.nodeid
            )
        except OSError as error:
            text += f"\nits files could not be kept in {directory} ({error.strerror})"
        else:
            text += f"\nits files are kept in {place}"
    title = f"etcd cluster {cluster.name}"
    # As a part of the failure, which is what JUnit XML and every CI shows, too.
    if (add := getattr(report.longrepr, "addsection", None)) is not None:
        add(title, text)
    else:
        report.sections.append((title, text))


def _clusters_of(item: pytest.Item) -> list[ClusterFacts]:
    """The clusters that a test has to do with: those of its factory, and those that are its fixtures."""
    if "etcd_sandbox.api.facts" not in sys.modules:
        return []
    from etcd_sandbox.api.facts import ClusterFacts

    made: list[Any] = [*item.stash.get(_CLUSTERS, []), *getattr(item, "funcargs", {}).values()]
    found = {id(each): each for each in made if isinstance(each, ClusterFacts) and each.is_up}
    return list(found.values())


def _marked(node: pytest.Item | pytest.Collector) -> dict[str, Any]:
    """What the marker says. Fails the test for arguments that no cluster has."""
    marker = node.get_closest_marker(MARKER)
    if marker is None:
        return {}
    if marker.args:
        shown = ", ".join(map(repr, marker.args))
        pytest.fail(
            f"the marker {MARKER} takes named arguments only, not {MARKER}({shown})\n"
            f"hint: {MARKER}(members=5), for example",
            pytrace=False,
        )
    return dict(marker.kwargs)


def _made(factory: EtcdClusterFactory, wishes: dict[str, Any]) -> Cluster:
    """The cluster of a fixture; what is wrong with it is told without the fixture's own lines."""
    from etcd_sandbox.api.facts import ClusterArguments
    from etcd_sandbox.errors import SandboxError, did_you_mean

    known = ClusterArguments.__annotations__
    if (unknown := next((name for name in wishes if name not in known), None)) is not None:
        hint = did_you_mean(unknown, known, "it has")
        pytest.fail(f"a cluster has no argument {unknown!r}\nhint: {hint}", pytrace=False)
    try:
        return factory(**wishes)
    except SandboxError as error:
        pytest.fail("\n".join((str(error), *error.__notes__)), pytrace=False)
