"""A member that comes to a cluster: its name and ports, and its command beside those of the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.spec import (
    After,
    ClusterSpec,
    ContainerNetwork,
    MemberProcess,
    MemberSpec,
)
from etcd_sandbox.plan.joining import common_flags, joining, newcomer
from etcd_sandbox.plan.membership import without_member
from msgspec.structs import replace

from tests.unit.export.plans import DISCOVERY, DNS, contained, from_procfile, from_profile

ROOT = Path("/state/data")


def came(
    spec: ClusterSpec,
    name: str | None = None,
    *,
    learner: bool = False,
    is_free: Callable[[int], bool] = lambda port: True,
) -> MemberProcess:
    return newcomer(spec, spec.processes, name, ROOT, is_free, learner=learner)


def member(process: MemberProcess) -> MemberSpec:
    return process.member


def port(process: MemberProcess) -> int:
    return int(member(process).client_url.rpartition(":")[2])


def test_it_is_the_next_of_its_cluster_and_finds_it_there() -> None:
    spec = from_profile("[etcd]\nheartbeat-interval = 50\nelection-timeout = 500\n")
    process = came(spec)
    assert process.name == "etcd4"
    assert process.argv == (
        "/usr/bin/etcd",
        "--name=infra4",
        "--data-dir=/state/data/infra4",
        "--listen-client-urls=http://127.0.0.1:42379",
        "--advertise-client-urls=http://127.0.0.1:42379",
        "--listen-peer-urls=http://127.0.0.1:42382",
        "--initial-advertise-peer-urls=http://127.0.0.1:42380",
        "--listen-metrics-urls=http://127.0.0.1:42381",
        "--initial-cluster=infra1=http://127.0.0.1:12380,infra2=http://127.0.0.1:22380,"
        "infra3=http://127.0.0.1:32380,infra4=http://127.0.0.1:42380",
        "--initial-cluster-state=existing",
        "--initial-cluster-token=etcd-cluster-1",
        "--logger=zap",
        "--log-outputs=stderr",
        "--heartbeat-interval=50",
        "--election-timeout=500",
    )
    own = member(process)
    assert (own.id, own.joined, own.learner, own.election_timeout_s) == (None, True, False, 0.5)
    assert own.link is not None
    assert (own.link.listen_url, own.link.target_url) == (
        "http://127.0.0.1:42380",
        "http://127.0.0.1:42382",
    )
    assert own.listen_urls == (
        "http://127.0.0.1:42379",
        "http://127.0.0.1:42382",
        "http://127.0.0.1:42381",
    )
    assert process.env_drop == spec.processes[0].env_drop
    assert member(came(spec, learner=True)).learner


@pytest.mark.parametrize(
    ("count", "gone", "name", "called", "client"),
    [
        (1, (), None, "infra2", 22379),
        (5, (), None, "infra6", 62379),
        (3, (), "more", "more", 42379),
        # The number says which ports, also where somebody between has gone.
        (3, ("etcd2",), "infra2", "infra2", 22379),
        (3, ("etcd1",), "infra1", "infra1", 12379),
        (3, ("etcd2",), None, "infra4", 42379),
        (6, (), None, "infra7", 18379),
    ],
)
def test_its_name_and_ports_follow_those_of_the_others(
    count: int, gone: tuple[str, ...], name: str | None, called: str, client: int
) -> None:
    spec = from_profile(members=count)
    for left in gone:
        spec = without_member(spec, left)
    process = came(spec, name)
    assert (member(process).name, port(process)) == (called, client)


def test_where_the_step_passes_the_last_port_it_is_put_between_the_others() -> None:
    spec = from_profile(members=5)
    process = came(spec)
    spec = replace(spec, processes=(*spec.processes, process))
    assert port(came(spec)) == 13379


def test_ports_that_were_chosen_for_the_cluster_are_chosen_for_it_too() -> None:
    spec = from_profile(members=3, base_port=20000, port_step=10)
    assert port(came(spec, is_free=lambda port: port > 20050)) == 20030
    found = replace(spec, port_lock="/tmp/ports-20000.lock")
    assert port(came(found, is_free=lambda port: port > 20050)) == 20060


def test_it_has_what_most_others_have_and_not_what_one_has_for_itself() -> None:
    spec = from_profile(
        "[etcd]\nsnapshot-count = 5\n[[member]]\nname = 'infra1'\n"
        "flags = { snapshot-count = 1, pre-vote = false }\n[cluster]\nmembers = 3\n"
    )
    assert common_flags(spec.members)["snapshot-count"] == "5"
    assert "pre-vote" not in common_flags(spec.members)
    assert "--snapshot-count=5" in came(spec).argv


def test_beside_members_that_were_introduced_it_gets_a_list() -> None:
    discovered = came(from_profile(inputs=DISCOVERY))
    assert not [word for word in discovered.argv if "discovery" in word]
    assert "--initial-cluster-state=existing" in discovered.argv
    named = came(from_profile(inputs=DNS))
    assert member(named).peer_url == "http://127.0.0.1:42380"
    assert member(named).initial_cluster["infra1"] == ("http://infra1.etcd-sandbox.test:12380",)
    assert not [word for word in named.argv if word.startswith("--discovery-srv")]
    assert named.env == {"GODEBUG": "netdns=go"}


def test_a_container_of_its_own_has_its_own_name_data_and_ports() -> None:
    spec = contained("quay.io/etcd:3.6")
    process, like = came(spec), spec.members[0]
    assert process.container is not None
    assert like.container is not None
    assert process.container.name == like.container.name.replace("infra1", "infra4")
    assert f"--name={process.container.name}" in process.argv
    assert "--volume=/state/data/infra4:/state/data/infra4" in process.argv
    assert process.container.data_dir == "/state/data/infra4"
    assert not [word for word in process.argv if "infra1" in word and "initial" not in word]
    at = process.argv.index("quay.io/etcd:3.6")
    assert process.argv[at + 1] == "--name=infra4"
    apart = came(contained("quay.io/etcd:3.6", ContainerNetwork.PUBLISHED))
    assert apart.container is not None
    assert member(apart).peer_url == f"http://{apart.container.name}:42380"
    assert "--publish=127.0.0.1:42379:42379" in apart.argv
    assert "--listen-peer-urls=http://0.0.0.0:42380" in apart.argv


PROCFILE = "".join(
    f"etcd{n}: etcd --name infra{n} --listen-client-urls http://127.0.0.1:{n}2379 "
    f"--advertise-client-urls http://127.0.0.1:{n}2379 --listen-peer-urls http://127.0.0.1:{n}2380 "
    f"--initial-advertise-peer-urls http://127.0.0.1:{n}2380 --heartbeat-interval 50 "
    "--initial-cluster infra1=http://127.0.0.1:12380,infra2=http://127.0.0.1:22380\n"
    for n in (1, 2)
)


def test_beside_a_procfile_it_is_composed_and_its_data_is_ours() -> None:
    process = came(from_procfile(PROCFILE))
    assert process.argv[:3] == ("/usr/bin/etcd", "--name=infra3", "--data-dir=/state/data/infra3")
    assert "--heartbeat-interval=50" in process.argv
    assert "--initial-cluster-state=existing" in process.argv
    assert member(process).data_owned
    assert port(process) == 32379
    assert "ETCD_*" in process.env_drop


def test_commands_that_cannot_be_taken_apart_are_no_pattern() -> None:
    spec = from_procfile("etcd1: etcd --config-file=x.yml\n", read_file=lambda path: "name: infra1")
    with pytest.raises(InputError, match="no member whose command could be taken as a pattern"):
        came(spec)


def test_a_name_that_no_command_could_mean_is_refused() -> None:
    for name in ("leader", "", "a b"):
        with pytest.raises(InputError):
            came(from_profile(), name)


def test_a_member_that_joins_anew_keeps_its_own_flags() -> None:
    spec = from_profile(
        "[[member]]\nname = 'infra2'\nflags = { snapshot-count = 9 }\n[cluster]\nmembers = 3\n"
    )
    (_, process, _) = spec.members
    again = joining(process, replace(member(process), id="abc", joined=True))
    assert again.name == "etcd2"
    assert "--snapshot-count=9" in again.argv
    assert "--initial-cluster-state=existing" in again.argv
    assert set(process.argv) - set(again.argv) == {"--initial-cluster-state=new"}


def test_a_learner_of_a_profile_comes_when_the_others_are_there() -> None:
    spec = from_profile("[cluster]\nmembers = 4\n[[member]]\nname = 'infra4'\nlearner = true\n")
    *voters, learner = spec.members
    assert [process.is_to_join for process in spec.members] == [False, False, False, True]
    assert not learner.is_surplus
    assert (learner.after, member(learner).id, member(learner).learner) == (After.READY, None, True)
    assert "--initial-cluster-state=existing" in learner.argv
    assert all("infra4" not in word for process in voters for word in process.argv)
    assert len(member(learner).initial_cluster) == 4
    # Clients are not served by it.
    assert len(spec.client_urls) == 3
    found = from_profile(
        "[cluster]\nmembers = 4\nbootstrap = 'discovery'\n"
        "[[member]]\nname = 'infra4'\nlearner = true\n",
        inputs=DISCOVERY,
    )
    assert found.discovery is not None
    assert found.discovery.size == 3


def test_a_proxy_is_no_pattern_for_a_member_and_on_no_list() -> None:
    spec = from_procfile(
        "p: etcd --name p --proxy on --listen-client-urls http://127.0.0.1:9 "
        "--initial-cluster a=http://127.0.0.1:12380\n"
        "a: etcd --name a --listen-client-urls http://127.0.0.1:12379 --advertise-client-urls "
        "http://127.0.0.1:12379 --listen-peer-urls http://127.0.0.1:12380 "
        "--initial-advertise-peer-urls http://127.0.0.1:12380 --initial-cluster a=http://127.0.0.1:12380\n"
    )
    new = member(came(spec, "b"))
    assert (new.proxy, new.peer_url) == (False, "http://127.0.0.1:22380")
    assert new.initial_cluster == {
        "a": ("http://127.0.0.1:12380",),
        "b": ("http://127.0.0.1:22380",),
    }
