"""What an engine says of a container that it could not run, or that was left."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.cluster.runtimes import leftcontainers
from etcd_sandbox.cluster.runtimes.containerchild import explain
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.host.enginecommand import said
from etcd_sandbox.model.spec import ContainerSpec, Runtime

ROOT = Path("/state/c")


def container(member: str = "infra1", network: str = "") -> ContainerSpec:
    return ContainerSpec(
        runtime=Runtime.PODMAN,
        engine="/usr/bin/podman",
        name=f"etcd-sandbox-c-{member}",
        image="i:1",
        program="/usr/local/bin/etcd",
        data_dir=f"/state/c/data/{member}",
        network=network,
    )


class FakePodman:
    """Knows containers by name with their label, and forgets those that are removed."""

    def __init__(self, containers: dict[str, str], fails: int = 0) -> None:
        self.containers = containers
        self.networks: list[str] = []
        self.fails = fails
        self.soon_gone: list[str] = []
        """What podman's own clean-up removes as soon as it was listed."""

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        _, verb, *words = command
        out, code = "", 0
        match verb, words:
            case "ps", _:
                (wanted,) = (w.rpartition("=")[2] for w in words if w.startswith("--filter"))
                out = "\n".join(name for name, root in self.containers.items() if root == wanted)
                for name in self.soon_gone:
                    self.containers.pop(name, None)
            case "container", ["inspect", _, *names]:
                known = [name for name in names if name in self.containers]
                out = "\n".join(f"/{name} {self.containers[name]}" for name in known)
                code = 0 if len(known) == len(names) else 125
            case "rm", _ if self.fails:
                self.fails -= 1
                code = 2
            case "rm", _:
                names = [word for word in words if not word.startswith("-")]
                # podman 4.3.1 removes none when one of them is not there, and does not complain.
                if all(name in self.containers for name in names):
                    self.forget(names)
            case "network", ["ls", *_]:
                out = "\n".join(self.networks)
            case "network", ["rm", name]:
                self.networks.remove(name)
            case "network", ["inspect", name]:
                code = 0 if name in self.networks else 125
            case "network", ["create", _, name]:
                self.networks.append(name)
        return subprocess.CompletedProcess(command, code, out.encode(), b"Error: no")

    def forget(self, names: Sequence[str]) -> None:
        for name in names:
            del self.containers[name]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> FakePodman:
    podman = FakePodman({})
    monkeypatch.setattr("subprocess.run", podman.run)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return podman


def test_a_container_of_ours_that_was_left_makes_room(known: FakePodman) -> None:
    known.containers = {"etcd-sandbox-c-infra1": str(ROOT), "other": "<no value>"}
    leftcontainers.make_room([container("infra1"), container("infra2")], ROOT)
    assert known.containers == {"other": "<no value>"}


@pytest.mark.parametrize(
    ("owner", "whose"),
    [
        ("/other/c", "it belongs to another cluster, /other/c"),
        ("<no value>", "it is not one of etcd-sandbox"),
        ("", "it is not one of etcd-sandbox"),
    ],
)
def test_a_container_of_somebody_elses_is_named_and_left_alone(
    known: FakePodman, owner: str, whose: str
) -> None:
    ours = {"etcd-sandbox-c-infra2": str(ROOT)}
    known.containers = {"etcd-sandbox-c-infra1": owner, **ours}
    with pytest.raises(InputError, match=whose) as caught:
        leftcontainers.make_room([container("infra1"), container("infra2")], ROOT)
    assert "podman rm --force etcd-sandbox-c-infra1" in caught.value.hint
    assert len(known.containers) == 2


def test_a_network_is_made_once_and_goes_with_the_cluster(known: FakePodman) -> None:
    apart = [container("infra1", "etcd-sandbox-c"), container("infra2", "etcd-sandbox-c")]
    leftcontainers.make_room(apart, ROOT)
    leftcontainers.make_room(apart, ROOT)
    assert known.networks == ["etcd-sandbox-c"]
    leftcontainers.clear("/usr/bin/podman", ROOT)
    assert known.networks == []


def test_what_is_left_is_cleared_by_its_label_alone(known: FakePodman) -> None:
    known.containers = {"b": str(ROOT), "a": str(ROOT), "etcd-sandbox-c-x": "/other/c"}
    assert leftcontainers.clear("/usr/bin/podman", ROOT) == ["a", "b"]
    assert known.containers == {"etcd-sandbox-c-x": "/other/c"}


def test_a_removal_that_fails_at_first_is_tried_again(known: FakePodman) -> None:
    known.containers, known.fails = {"a": str(ROOT)}, 2
    assert leftcontainers.clear("/usr/bin/podman", ROOT) == ["a"]
    assert known.containers == {}


def test_what_is_still_listed_after_one_of_several_had_gone_by_itself_is_removed_as_well(
    known: FakePodman,
) -> None:
    known.containers = dict.fromkeys("abc", str(ROOT))
    known.soon_gone = ["c"]
    assert leftcontainers.clear("/usr/bin/podman", ROOT) == ["a", "b", "c"]
    assert known.containers == {}


@pytest.mark.parametrize(("fails", "reason"), [(10**6, "no"), (0, "podman lists it after all")])
def test_what_is_listed_in_the_end_is_an_error_that_names_it(
    known: FakePodman, monkeypatch: pytest.MonkeyPatch, fails: int, reason: str
) -> None:
    monkeypatch.setattr(leftcontainers, "REMOVED_WITHIN_S", 0.05)
    known.containers, known.fails = {"a": str(ROOT)}, fails
    monkeypatch.setattr(known, "forget", lambda names: None)
    with pytest.raises(SandboxError, match=f"podman cannot remove a: {reason}") as caught:
        leftcontainers.clear("/usr/bin/podman", ROOT)
    assert caught.value.hint == "podman rm --force --volumes --time=0 a tries it once more"


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        ("Error: i:1: image not known\n", "the image i:1 is no longer on this machine"),
        (
            'time="x" level=warning msg="old"\nError: creating container storage: the container name '
            '"etcd-sandbox-c-infra1" is already in use by 0123. You have to remove that container\n',
            "another container is called etcd-sandbox-c-infra1",
        ),
        (
            "Error: netavark: No such file or directory (os error 2)\n",
            "install your system's package iptables",
        ),
        ("Error: crun: no space left on device\n", "podman says: crun: no space left on device"),
        ("", "podman says: exit status 125"),
    ],
)
def test_why_an_engine_could_not_run_a_container(complaint: str, reason: str) -> None:
    assert reason in explain(container(), complaint, 125)


@pytest.mark.parametrize(
    ("complaint", "line"),
    [
        ("Error: nosuch:1: image not known\n", "nosuch:1: image not known"),
        (
            "docker: Error response from daemon: No such image: x\n\nRun 'docker run --help'\n",
            "No such image: x",
        ),
        ("warning: a\nsomething else.\n", "something else"),
        ("", ""),
    ],
)
def test_the_telling_line_of_a_complaint(complaint: str, line: str) -> None:
    assert said(complaint) == line
