"""What is found out of an engine before it is used, and what is said of one that cannot be."""

from __future__ import annotations

import json
import os
import platform
import sys
from typing import Any

import pytest
from etcd_sandbox.containers import find_engine
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.spec import ContainerNetwork, Runtime

from tests.unit.containers.conftest import FakeEngine


def podman(version: str, **more: Any) -> tuple[int, str, str]:
    return 0, json.dumps({"Client": {"Version": version}, **more}), ""


def docker(**more: Any) -> tuple[int, str, str]:
    here = {"KernelVersion": platform.release(), "SecurityOptions": ["name=seccomp"]}
    return 0, json.dumps(here | more), ""


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")


def refusal(runtime: Runtime, network: ContainerNetwork | None = None) -> tuple[str, str]:
    with pytest.raises(InputError) as caught:
        find_engine(runtime, network)
    return str(caught.value), caught.value.hint


def test_podman_of_this_machine_shares_its_network_and_tells_pids(fake: FakeEngine) -> None:
    fake.answers["version"] = podman("4.3.1")
    engine = find_engine(Runtime.PODMAN)
    assert engine.program == "/usr/bin/podman"
    assert engine.network is ContainerNetwork.HOST
    assert engine.tells_pid
    assert {"--user=0:0", "--log-driver=passthrough"} <= set(engine.options)


def test_an_old_podman_gives_its_output_by_its_client(fake: FakeEngine) -> None:
    fake.answers["version"] = podman("3.4.4")
    assert "--log-driver=none" in find_engine(Runtime.PODMAN).options


def test_podman_in_a_virtual_machine_publishes_ports(fake: FakeEngine) -> None:
    fake.answers["version"] = podman("5.0.0", Server={"Version": "5.0.0"})
    engine = find_engine(Runtime.PODMAN)
    assert (engine.network, engine.tells_pid) == (ContainerNetwork.PUBLISHED, False)
    what, hint = refusal(Runtime.PODMAN, ContainerNetwork.HOST)
    assert "its network is not this machine's" in what
    assert "--container-network published" in hint


@pytest.mark.parametrize(
    ("capabilities", "limited"), [("000001ffffffffff", False), ("000001fffeffffff", True)]
)
def test_root_without_privileges_asks_podman_for_no_higher_limits_than_its_own(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, capabilities: str, limited: bool
) -> None:
    fake.answers["version"] = podman("4.3.1")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("pathlib.Path.read_text", lambda _: f"Name: x\nCapEff:\t{capabilities}\n")
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 20_000))
    options = find_engine(Runtime.PODMAN).options
    limits = [option for option in options if option.startswith("--ulimit")]
    assert limits == (["--ulimit=nofile=20000:20000", "--ulimit=nproc=20000:20000"] * limited)


@pytest.mark.parametrize(
    ("told", "user", "network"),
    [
        (docker(), f"{os.geteuid()}:{os.getegid()}", ContainerNetwork.HOST),
        (docker(SecurityOptions=["name=rootless"]), "0:0", ContainerNetwork.HOST),
        (docker(SecurityOptions=None, KernelVersion="6-vm"), "0:0", ContainerNetwork.PUBLISHED),
    ],
)
def test_files_in_dockers_containers_belong_to_whom_they_belong_outside(
    fake: FakeEngine, told: tuple[int, str, str], user: str, network: ContainerNetwork
) -> None:
    fake.answers["info"] = told
    engine = find_engine(Runtime.DOCKER)
    assert f"--user={user}" in engine.options
    assert (engine.network, engine.tells_pid) == (network, False)


def test_a_network_that_is_asked_for_is_taken(fake: FakeEngine) -> None:
    fake.answers["version"] = podman("4.3.1")
    assert find_engine(Runtime.PODMAN, ContainerNetwork.PUBLISHED).is_apart


@pytest.mark.parametrize(
    ("code", "complaint", "what", "hint"),
    [
        (
            1,
            "ERROR: Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
            "docker cannot be used: ERROR: Cannot connect to the Docker daemon",
            "systemctl start docker",
        ),
        (
            1,
            "permission denied while trying to connect to the Docker daemon socket",
            "docker cannot be used: permission denied",
            "the group 'docker'",
        ),
        (125, "Error: the storage is broken", "the storage is broken", "docker info"),
    ],
)
def test_an_engine_that_cannot_be_used_is_named_with_its_reason_and_the_mend(
    fake: FakeEngine, code: int, complaint: str, what: str, hint: str
) -> None:
    fake.answers["info"] = (code, "", complaint)
    said = refusal(Runtime.DOCKER)
    assert what in said[0]
    assert hint in said[1]


def test_podman_needs_no_group_that_it_does_not_have(fake: FakeEngine) -> None:
    fake.answers["version"] = (125, "", "Error: mkdir /x/containers: permission denied")
    what, hint = refusal(Runtime.PODMAN)
    assert "podman cannot be used: mkdir /x/containers: permission denied" in what
    assert hint.startswith("see what it says itself: podman info")


def test_dockers_server_may_complain_while_its_client_is_content(fake: FakeEngine) -> None:
    fake.answers["info"] = docker(ServerErrors=["Cannot connect to the Docker daemon"])
    assert "docker cannot be used: Cannot connect" in refusal(Runtime.DOCKER)[0]


def test_an_engine_that_is_not_there_names_the_other_one_that_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "shutil.which", lambda name: "/usr/bin/docker" if name == "docker" else None
    )
    what, hint = refusal(Runtime.PODMAN)
    assert what == "podman is not installed"
    assert "--runtime docker is there" in hint
