"""What runs the members, as a plan has it: the command line of a container, and of an invented runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.config.profile import parse_profile
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import (
    AnyProcess,
    ClusterSpec,
    ContainerNetwork,
    EtcdBinary,
    ProcessSpec,
    Runtime,
    Source,
    SourceKind,
)
from etcd_sandbox.plan.generated import plan_members
from etcd_sandbox.plan.joining import newcomer
from etcd_sandbox.plan.linked import APART
from etcd_sandbox.plan.runtimes import Process
from etcd_sandbox.plan.runtimes.engine import Engine
from etcd_sandbox.plan.upgrades import with_etcd
from etcd_sandbox.plan.ways import BootstrapInputs
from msgspec.structs import replace

PODMAN = Engine(
    runtime=Runtime.PODMAN, program="/usr/bin/podman", options=("--user=0:0",), tells_pid=True
)
DOCKER = Engine(runtime=Runtime.DOCKER, program="/usr/bin/docker")
IN_IMAGE = EtcdBinary(path="/usr/local/bin/etcd", version="3.6.14", origin="image i:1", image="i:1")
PUBLISHED = replace(PODMAN, network=ContainerNetwork.PUBLISHED)


class Nice(Process, frozen=True, kw_only=True):
    """An invented runtime: each etcd lets other programs go first."""

    def run(
        self,
        process: AnyProcess,
        binary: EtcdBinary,
        cluster: str,
        data_root: Path,
        resolver: tuple[str, ...] = (),
    ) -> AnyProcess:
        return Process.run(self, process, binary, cluster, data_root, ("nice", *resolver))


def plan(runtime: Process, profile: str = "", **more: Any) -> ClusterSpec:
    return plan_members(
        "c",
        Source(kind=SourceKind.MEMBERS),
        parse_profile(profile.encode(), "p.toml"),
        choose_etcd=more.pop("choose_etcd", lambda _: IN_IMAGE),
        data_root=more.pop("data_root", Path("/state/c/data")),
        cwd="/project",
        caller_env={},
        runtime=runtime,
        **more,
    )


def first(engine: Engine, **more: Any) -> ProcessSpec:
    return plan(engine, **more).processes[0]


def split(process: ProcessSpec) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the engine is told, and what etcd is."""
    at = process.argv.index("i:1")
    return process.argv[:at], process.argv[at + 1 :]


def test_podman_runs_etcd_on_the_hosts_network_with_its_data_at_the_same_place() -> None:
    engine, etcd = split(first(PODMAN))
    assert engine == (
        "/usr/bin/podman",
        "run",
        "--rm",
        "--pull=never",
        "--name=etcd-sandbox-c-infra1",
        "--label=etcd-sandbox.cluster=/state/c",
        "--network=host",
        "--user=0:0",
        "--pidfile=/state/c/containers/infra1.pid",
        "--volume=/state/c/data/infra1:/state/c/data/infra1",
        "--entrypoint=/usr/local/bin/etcd",
    )
    assert "--data-dir=/state/c/data/infra1" in etcd
    assert "--listen-client-urls=http://127.0.0.1:12379" in etcd


def test_what_runs_in_the_container_is_shown_as_the_command_that_a_reader_knows() -> None:
    process = first(PODMAN)
    assert process.shown.startswith("/usr/local/bin/etcd --name=infra1 ")
    container = process.container
    assert container is not None
    assert (container.name, container.image) == ("etcd-sandbox-c-infra1", "i:1")
    assert (container.program, container.data_dir) == (
        "/usr/local/bin/etcd",
        "/state/c/data/infra1",
    )
    assert container.network == ""


def test_docker_cannot_write_pids() -> None:
    process = first(DOCKER)
    assert not [word for word in process.argv if word.startswith("--pidfile")]
    assert process.container is not None
    assert process.container.pid_file == ""


def test_members_by_dns_see_its_server_in_their_containers() -> None:
    engine, _ = split(first(PODMAN, inputs=BootstrapInputs(bootstrap=Bootstrap.DNS)))
    assert "--volume=/state/c/dns/resolv.conf:/etc/resolv.conf:ro" in engine
    assert "--env=GODEBUG=netdns=go" in engine


def test_the_discovery_service_is_a_container_as_well() -> None:
    spec = plan(PODMAN, inputs=BootstrapInputs(bootstrap=Bootstrap.DISCOVERY, token="t"))
    (service,) = spec.services
    assert service.container is not None
    assert service.container.name == "etcd-sandbox-c-discovery"


def test_published_members_listen_everywhere_and_are_dialled_by_the_names_of_their_containers() -> (
    None
):
    process = first(PUBLISHED)
    engine, etcd = split(process)
    assert "--network=etcd-sandbox-c" in engine
    assert [word for word in engine if word.startswith("--publish")] == [
        "--publish=127.0.0.1:12379:12379",
        "--publish=127.0.0.1:12381:12381",
    ]
    listening = {word for word in etcd if word.startswith("--listen")}
    assert listening == {
        "--listen-client-urls=http://0.0.0.0:12379",
        "--listen-peer-urls=http://0.0.0.0:12380",
        "--listen-metrics-urls=http://0.0.0.0:12381",
    }
    assert "--advertise-client-urls=http://127.0.0.1:12379" in etcd
    assert "--initial-advertise-peer-urls=http://etcd-sandbox-c-infra1:12380" in etcd
    member = process.member
    assert member is not None
    assert (member.link, member.no_link) == (None, APART)
    assert member.client_url == "http://127.0.0.1:12379"


@pytest.mark.parametrize("way", [Bootstrap.DISCOVERY, Bootstrap.DNS])
def test_ways_that_need_this_machines_network_are_refused_to_published_members(
    way: Bootstrap,
) -> None:
    with pytest.raises(InputError, match="need the network of this machine") as caught:
        plan(PUBLISHED, inputs=BootstrapInputs(bootstrap=way, token="t"))
    assert "--bootstrap static" in caught.value.hint


def test_a_name_that_no_engine_takes_is_refused() -> None:
    with pytest.raises(InputError, match="'a@b' cannot name a container"):
        plan(PODMAN, "[[member]]\nname = 'a@b'")


def test_a_directory_that_cannot_be_mounted_is_refused() -> None:
    with pytest.raises(InputError, match="a path with ':' cannot be mounted"):
        plan(PODMAN, data_root=Path("/sta:te/c/data"))


def test_an_invented_runtime_wraps_founders_and_members_that_come_or_are_upgraded() -> None:
    etcd, newer = (
        EtcdBinary(path=f"/{version}/etcd", version=version, origin="x")
        for version in ("3.5.1", "3.6.14")
    )
    spec = plan(Nice(), choose_etcd=lambda _: etcd, members=3)
    root = Path("/state/c/data")
    came = newcomer(spec, spec.processes, None, root, lambda _: True, learner=False)
    for process in (*spec.members, came):
        assert process.argv[:2] == ("nice", "/3.5.1/etcd")
    assert with_etcd(came, newer, has_data=True).argv[:2] == ("nice", "/3.6.14/etcd")
