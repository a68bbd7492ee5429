"""The cluster in one line."""

from __future__ import annotations

import pytest
from etcd_sandbox.model.bootstrap import Bootstrap, DiscoveryProtocol
from etcd_sandbox.model.spec import Runtime
from etcd_sandbox.model.state import BootstrapStatus, ProcessState, Registration
from etcd_sandbox.tui.memberrows import headline
from etcd_sandbox.tui.store import Store
from msgspec.structs import replace

from tests.tui.samples import cluster, process, status

REGISTERED = Registration(member="infra1", id="1", peer_urls="http://127.0.0.1:12380")
WAITING = BootstrapStatus(
    way=Bootstrap.DISCOVERY,
    protocol=DiscoveryProtocol.V2,
    token="t0",
    size=3,
    registered=(REGISTERED,),
)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (BootstrapStatus(), ""),
        (BootstrapStatus(way=Bootstrap.DNS), " · by dns"),
        (BootstrapStatus(runtime=Runtime.PODMAN), " · podman containers"),
        (WAITING, " · discovery: 1 of 3 registered"),
        (replace(WAITING, registered=(REGISTERED,) * 3), " · by discovery"),
        (
            BootstrapStatus(way=Bootstrap.DNS, lack="the DNS server is stopped"),
            " · the DNS server is stopped",
        ),
    ],
)
def test_the_headline_says_how_the_members_were_told_of_each_other(
    told: BootstrapStatus, words: str
) -> None:
    store = Store(cluster="default", connected=True)
    store.take_status(replace(cluster(3, "healthy"), bootstrap=told))
    assert headline(store) == f"default · ★ infra1 (term 2) · quorum: 3 of 3 healthy{words}"


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ((ProcessState.RUNNING,), "1 of 1 process running"),
        ((ProcessState.RUNNING, ProcessState.EXITED), "1 of 2 processes running"),
    ],
)
def test_without_members_the_headline_counts_the_processes(
    states: tuple[ProcessState, ...], words: str
) -> None:
    store = Store(cluster="default")
    store.take_status(status(processes=tuple(process(state=state) for state in states)))
    assert headline(store) == f"default · {words}"
