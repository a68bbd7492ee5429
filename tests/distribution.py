"""Which tests the workers of pytest-xdist take, and in which order: one queue, what takes longest first.

What has a price per module (a browser, an engine's images) or is over in an instant goes to a worker by the file.
Tests that need the ports 12379… go to one worker: on two, each would stand and wait for the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

AT_WELL_KNOWN_PORTS = (
    "tests/docs/test_backup_docs.py",
    "tests/docs/test_bootstrap_docs.py",
    "tests/docs/test_python_docs.py",
    "tests/docs/test_readme.py",
    "tests/etcd/test_well_known_ports.py",
)
"""The files whose tests use the fixture `well_known_ports`."""

BY_FILE = ("tests/browser/", "tests/etcd/test_containers.py", "tests/tui/", "tests/unit/")

LONGEST_FIRST = (
    "tests/integration/test_kit.py",  # one test of a minute and more
    *AT_WELL_KNOWN_PORTS,
    "tests/learn/",
    "tests/witness/",
    "tests/etcd/test_containers.py",
    "tests/browser/",
    "tests/etcd/",
    "tests/terminal/",
    "tests/docs/",
    "tests/integration/",
    "tests/tui/",
    "tests/unit/",
)


def share(nodeid: str) -> str:
    """What goes to one worker together with this test."""
    if nodeid.startswith(AT_WELL_KNOWN_PORTS):
        return "the well-known ports"
    return nodeid.partition("::")[0] if nodeid.startswith(BY_FILE) else nodeid


def rank(nodeid: str) -> int:
    """The place of this test among the others: a lower one is begun earlier."""
    places = (place for place, start in enumerate(LONGEST_FIRST) if nodeid.startswith(start))
    return next(places, len(LONGEST_FIRST))


def scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """The scheduler of a run on several workers, for pytest-xdist's hook."""
    from xdist.scheduler import LoadScopeScheduling

    class ByShare(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return share(nodeid)

    config.option.loadscopereorder = False  # the order is that of the collected tests
    return ByShare(config, log)
