"""Members as containers of a real engine: everything works as with processes, and nothing is left behind."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from etcd_sandbox.cluster.runtimes import leftcontainers
from etcd_sandbox.host.enginecommand import Answer, ask_engine
from etcd_sandbox.model.spec import EtcdBinary

from tests import etcd_versions
from tests.conftest import SandboxCommand, until
from tests.etcd.engines import Contained, UsedEngine, images_of_tests, lives, usable_podman
from tests.etcd_versions import lacking

EXIT_SEEN_WITHIN_S = 20.0


@pytest.fixture(scope="session")
def podman() -> Iterator[UsedEngine]:
    """podman, without the images that the tests have built when they end."""
    engine = usable_podman()
    with images_of_tests(engine):
        yield engine


@pytest.fixture
def contained(
    sandbox_command: SandboxCommand, podman: UsedEngine, quick: Path
) -> Iterator[Contained]:
    """A cluster to be of podman containers, of the etcd that a user of this machine would get."""
    yield from of_engine(sandbox_command, podman)


def of_engine(command: SandboxCommand, engine: UsedEngine) -> Iterator[Contained]:
    command.env["ETCD_SANDBOX_ETCD"] = etcd_versions.need("3.5", "3.4").path
    cluster = Contained(command, engine)
    yield cluster
    cluster("down", "--kill", code=None)
    left = engine.containers(cluster.prefix)
    if left:
        engine("rm", "--force", *left)
    assert left == []


def assert_all_serve(cluster: Contained, members: int = 3) -> None:
    """What every way of bootstrap has to show."""
    listed = cluster("ctl", "member", "list").splitlines()
    assert sorted(line.split(", ")[1:3] for line in listed) == [
        ["started", f"infra{number}"] for number in range(1, members + 1)
    ]
    health = cluster("ctl", "endpoint", "health").splitlines()
    assert sum("is healthy" in line for line in health) == members


def rss_error_bytes(cluster: Contained, name: str) -> int:
    """How far what is shown is from what the system says now: a member that starts grows."""
    member = cluster.member(name)
    rss = psutil.Process(member["pid"]).memory_info().rss
    return abs(int(member["rss_bytes"]) - rss)


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; none of one that has just ended."""
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def has_ended(cluster: Contained, name: str) -> bool:
    return str(cluster.member(name)["state"]) == "exited"


def test_members_in_containers_do_what_processes_do(
    contained: Contained, etcd_binary: EtcdBinary, quick: Path
) -> None:
    said = contained.up("-p", str(quick), "--etcd", etcd_binary.path, "--image-from-binary")
    assert f"etcd {etcd_binary.version} (image localhost/etcd-sandbox:" in said
    assert_all_serve(contained)
    names = [f"{contained.prefix}infra{number}" for number in (1, 2, 3)]
    assert contained.engine.containers(contained.prefix) == names
    before = contained.status()
    for member in before["members"]:
        process = psutil.Process(member["pid"])
        assert process.name() == "etcd"
        assert f"--name={member['name']}" in process.cmdline()
        assert member["cpu_percent"] is not None
        until(lambda of=member["name"]: rss_error_bytes(contained, of) < 20_000_000, 20)  # type: ignore[misc]
        assert member["version"] == etcd_binary.version
    contained("ctl", "put", "before", "1")

    killed = json.loads(contained.command("-c", contained.name, "kill", "leader", "--json").stdout)

    assert killed["targets"] == [before["leader"]]
    assert killed["leader_after"] not in (None, before["leader"])
    assert contained.member(before["leader"])["exit"]["signal"] == "SIGKILL"
    assert len(contained.engine.containers(contained.prefix)) == 2
    contained("start", before["leader"])
    contained.note()
    until(lambda: contained.member(before["leader"])["healthy"], 20)
    back = contained.member(before["leader"])
    assert (back["state"], back["restarts"]) == ("running", 1)
    assert contained("ctl", "--on", before["leader"], "get", "before").split() == ["before", "1"]
    contained("down")
    contained.assert_nothing_left()
    assert list((contained.root / "containers").iterdir()) == []
    again = contained("up", "-d")
    assert "as recorded for this cluster" in again
    assert contained("ctl", "get", "before").split() == ["before", "1"]


def test_each_verb_reaches_the_etcd_in_the_container(contained: Contained, quick: Path) -> None:
    contained.up("-p", str(quick), "--image-from-binary")
    pid = contained.member("infra1")["pid"]

    contained("pause", "infra1")
    assert psutil.Process(pid).status() == psutil.STATUS_STOPPED
    assert contained.member("infra1")["state"] == "paused"
    contained("resume", "infra1")
    until(lambda: contained.member("infra1")["healthy"])
    assert psutil.Process(pid).status() != psutil.STATUS_STOPPED

    contained("stop", "infra1")
    stopped = contained.member("infra1")
    assert (stopped["state"], stopped["exit"]["code"]) == ("stopped", 0)
    assert f"{contained.prefix}infra1" not in contained.engine.containers(contained.prefix)
    assert "received signal; shutting down" in contained("logs", "infra1")
    contained("start", "infra1")
    contained("restart", "infra1")
    assert contained.member("infra1")["pid"] not in (pid, None)
    contained.note()

    port = int(contained.member("infra2")["client_url"].rpartition(":")[2]) + 2
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert b"etcd_server_has_leader 1" in answer.read()
    contained("ctl", "put", "k", "1")
    old = contained.status()["leader"]
    said = contained("partition", "leader")
    # Whose connections they are, the links know from the containers' own pids.
    assert f"cut {old} off" in said
    assert f"{old} has no leader" in said
    led = str(contained.status()["leader"])
    assert led not in ("None", old)
    contained("ctl", "--on", led, "put", "k", "2")
    contained("heal")
    until(lambda: contained("ctl", "--on", old, "get", "k").split() == ["k", "2"])
    refused = contained("slow-disk", "infra1", "--delay", "1s", code=1)
    assert "runs in a container: the calls of its disk cannot be stopped there" in refused


def test_a_container_that_ends_in_whatever_way_has_exited_and_can_be_started_again(
    contained: Contained, quick: Path
) -> None:
    contained.up("-p", str(quick), "--image-from-binary")
    (client,) = (
        process
        for process in contained.clients()
        if f"--name={contained.prefix}infra1" in words_of(process)
    )

    contained.engine("rm", "--force", "--time=0", f"{contained.prefix}infra2")
    until(lambda: has_ended(contained, "infra2"), EXIT_SEEN_WITHIN_S)
    assert contained.member("infra2")["exit"]["signal"] == "SIGKILL"
    contained("start", "infra2")

    os.kill(contained.member("infra3")["pid"], signal.SIGKILL)
    until(lambda: has_ended(contained, "infra3"), EXIT_SEEN_WITHIN_S)
    assert contained.member("infra3")["exit"]["signal"] == "SIGKILL"
    contained("start", "infra3")

    client.kill()
    until(lambda: has_ended(contained, "infra1"))
    assert f"{contained.prefix}infra1" not in contained.engine.containers(contained.prefix)
    contained("start", "infra1")
    until(lambda: all(member["healthy"] for member in contained.status()["members"]), 20)


def test_when_the_supervisor_is_killed_the_guard_removes_the_containers(
    contained: Contained,
) -> None:
    contained.up("--image-from-binary")

    os.kill(contained.pid_of_supervisor(), signal.SIGKILL)

    until(lambda: not contained.engine.containers(contained.prefix), 20)
    until(lambda: not contained.command.ours(), 20)
    contained.assert_nothing_left()


def test_what_guard_and_supervisor_leave_when_both_are_killed_the_next_command_clears(
    contained: Contained,
) -> None:
    contained.up("--image-from-binary")
    supervisor = psutil.Process(contained.pid_of_supervisor())
    guard = psutil.Process(supervisor.ppid())
    # Nobody of podman's may clear up either: its records then tell of containers that run.
    victims = [
        *contained.clients(),
        *(psutil.Process(member["pid"]) for member in contained.status()["members"]),
    ]
    # The supervisor last: a member that can no longer write to it ends, and podman's may be quick.
    supervisor.suspend()
    for process in (*victims, guard, supervisor):
        with contextlib.suppress(psutil.NoSuchProcess):  # some go when those before them went
            process.kill()
    assert len(contained.engine.containers(contained.prefix)) == 3

    said = contained("status", code=3)

    assert (
        f"the supervisor of cluster '{contained.name}' had died: ended etcd1, etcd2, etcd3" in said
    )
    assert contained.engine.containers(contained.prefix) == []
    contained.assert_nothing_left()
    contained("up", "-d")
    assert_all_serve(contained)


def test_a_container_that_goes_by_itself_meanwhile_keeps_none_of_the_others(
    contained: Contained, monkeypatch: pytest.MonkeyPatch
) -> None:
    contained.up("--image-from-binary")
    goes = f"{contained.prefix}infra3"

    def asked(program: str, *arguments: str) -> Answer:
        answer = ask_engine(program, *arguments)
        if arguments[0] == "ps" and goes in answer.out:
            contained.engine("rm", "--force", "--time=0", goes)
        return answer

    monkeypatch.setattr(leftcontainers, "ask_engine", asked)

    removed = leftcontainers.clear(contained.engine.program, contained.root)

    assert removed == [f"{contained.prefix}infra{number}" for number in (1, 2, 3)]
    assert contained.engine.containers(contained.prefix) == []


def test_two_clusters_of_containers_stand_side_by_side(
    contained: Contained, podman: UsedEngine
) -> None:
    other = Contained(contained.command, podman)
    contained.up("--image-from-binary", members=1)
    other.up("--image-from-binary", members=1)

    contained("down")

    assert_all_serve(other, members=1)
    contained.assert_nothing_left()
    other("down", "--purge")
    assert podman.containers(other.prefix) == []


def test_a_container_of_that_name_is_left_alone_unless_it_is_ours(
    contained: Contained, podman: UsedEngine, tmp_path: Path
) -> None:
    contained.up("--image-from-binary", members=1)
    (image,) = {
        process["member"]["etcd"]["image"]
        for process in json.loads((contained.root / "cluster.json").read_bytes())["processes"]
    }
    elsewhere = str(tmp_path / "elsewhere")
    options = (
        "up",
        "-n",
        "1",
        "-d",
        "--base-port",
        "auto",
        "--runtime",
        "podman",
        "--image",
        image,
    )

    done = contained.command("-c", contained.name, *options, code=2, ETCD_SANDBOX_HOME=elsewhere)

    assert f"it belongs to another cluster, {contained.root}" in done.stderr
    contained("down")
    name = f"{contained.prefix}infra1"
    podman("create", f"--name={name}", image)
    said = contained("up", "-d", code=2)
    assert f"a container of podman is called {name} already" in said
    assert "it is not one of etcd-sandbox" in said
    assert podman.containers(contained.prefix) == [name]
    podman("rm", name)
    # Ours that was left, by whatever accident, makes room.
    label = f"--label=etcd-sandbox.cluster={contained.root}"
    podman("create", f"--name={name}", label, image)
    contained("up", "-d")
    assert_all_serve(contained, members=1)


def test_published_ports_serve_where_containers_have_a_network_of_their_own(
    contained: Contained, quick: Path
) -> None:
    if not Path("/usr/lib/podman/netavark").exists() and shutil.which("netavark") is None:
        lacking("podman's networks need netavark and aardvark-dns: install the system's packages")
    published = ("--image-from-binary", "--container-network", "published")
    contained.up("-p", str(quick), *published)
    assert_all_serve(contained)
    peers = [urlsplit(member["peer_url"]).hostname for member in contained.status()["members"]]
    assert peers == [f"{contained.prefix}infra{number}" for number in (1, 2, 3)]
    contained("kill", "leader")
    contained("start", "all")
    assert "the containers have a network of their own" in contained(
        "cut", "infra1", "infra2", code=1
    )
    contained.note()
    contained("down")
    contained.assert_nothing_left()


@pytest.mark.parametrize("way", ["discovery", "dns"])
def test_containers_find_each_other_by_every_way_of_bootstrap(
    contained: Contained, way: str
) -> None:
    contained.up("--image-from-binary", "--bootstrap", way)
    assert_all_serve(contained)
    assert contained.status()["bootstrap"]["way"] == way
    contained("restart", "infra1")
    contained.note()
    contained("down")
    contained.assert_nothing_left()


# Mistakes: each ends before anything has started, and says what to do.


@pytest.fixture
def without_etcd(podman: UsedEngine) -> Iterator[str]:
    """An image that has a file, and no etcd."""
    image = f"localhost/etcd-sandbox-tests-{secrets.token_hex(3)}:latest"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    podman("import", "-", image, content=buffer.getvalue())
    yield image
    podman("image", "rm", image)


def assert_nothing_begun(cluster: Contained) -> None:
    assert cluster.engine.containers(cluster.prefix) == []
    assert not (cluster.root / "data").exists()


def test_an_engine_that_is_not_installed_is_said_with_the_package(contained: Contained) -> None:
    contained.command.env["PATH"] = str(contained.command.cwd)
    said = contained.up("--image-from-binary", code=2)
    assert "podman is not installed" in said
    assert "install your system's package (podman)" in said
    assert_nothing_begun(contained)


def test_a_daemon_that_does_not_run_is_said_with_how_to_start_it(contained: Contained) -> None:
    if shutil.which("docker") is None:
        lacking("there is no docker on this machine")
    nowhere = contained.command.cwd / "docker.sock"
    contained.command.env["DOCKER_HOST"] = f"unix://{nowhere}"
    said = contained("up", "-n", "3", "-d", "--runtime", "docker", code=2)
    assert "docker cannot be used: Cannot connect to the Docker daemon" in said
    assert "systemctl start docker" in said
    assert_nothing_begun(contained)


def test_an_image_that_cannot_be_had_names_the_way_without_one(contained: Contained) -> None:
    # Nobody answers at that registry, and nobody beyond this machine is asked.
    image = "127.0.0.1:1/etcd:v3.5.1"
    said = contained.up("--image", image, code=2)
    assert "podman cannot pull it: " in said
    assert image in said
    assert "--image-from-binary builds one from the etcd on this machine" in said
    assert_nothing_begun(contained)


def test_an_image_without_etcd_is_refused(contained: Contained, without_etcd: str) -> None:
    said = contained.up("--image", without_etcd, code=2)
    assert "there is no etcd in the image, neither as /usr/local/bin/etcd nor on its PATH" in said
    assert without_etcd in said
    assert_nothing_begun(contained)


def test_another_version_than_the_image_has_is_refused(contained: Contained) -> None:
    contained.up("--image-from-binary", members=1)
    image = contained.engine("ps", f"--filter=name={contained.prefix}infra1", "--format={{.Image}}")
    contained("down")
    said = contained.up("--image", image.strip(), "--etcd", "3.3", "--fresh", code=2)
    assert "etcd 3.3 is asked for, and the image has etcd 3." in said
    both = contained.up("--image", image.strip(), "--image-from-binary", code=2)
    assert "--image and --image-from-binary contradict each other" in both


def test_an_image_needs_a_runtime(contained: Contained) -> None:
    said = contained("up", "-n", "3", "--image", "localhost/etcd:1", code=2)
    assert "--image is for containers, and the members are processes" in said
    assert_nothing_begun(contained)


def test_a_taken_port_names_who_has_it(contained: Contained) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        options = ("--runtime", "podman", "--image-from-binary", "--base-port", str(port))
        said = contained("up", "-n", "1", "-d", *options, code=None)
    assert f"port {port} of infra1 is taken" in said
    assert f"(pid {os.getpid()})" in said
    assert_nothing_begun(contained)


def test_a_program_that_is_not_for_linux_cannot_become_an_image(
    contained: Contained, tmp_path: Path
) -> None:
    script = tmp_path / "etcd"
    script.write_text("#!/bin/sh\necho etcd Version: 3.5.1\n")
    script.chmod(0o755)
    said = contained.up("--image-from-binary", "--etcd", str(script), code=2)
    assert "an image can be built only from a program for Linux, which this is not" in said
    assert_nothing_begun(contained)


def test_an_image_that_vanished_makes_the_member_fail_with_the_reason(contained: Contained) -> None:
    contained.up("--image-from-binary", members=1)
    built = contained.engine("ps", f"--filter=name={contained.prefix}", "--format={{.Image}}")
    image = built.split()[0]
    own = f"localhost/etcd-sandbox-tests-{contained.name}:latest"
    contained("down")
    contained.engine("tag", image, own)
    contained.up("--image", own, "--fresh", members=1)
    contained("stop", "infra1")
    contained.engine("image", "rm", own)

    contained("start", "infra1", code=None)

    failed = contained.member("infra1")
    assert failed["state"] == "failed"
    assert f"the image {own} is no longer on this machine" in failed["exit"]["error"]


# docker, where its daemon can be run.


@pytest.fixture(scope="module")
def docker() -> Iterator[UsedEngine]:
    """docker with a daemon of its own, which ends with the tests of this module."""
    daemon = shutil.which("dockerd")
    program = shutil.which("docker")
    if daemon is None or program is None or os.geteuid() != 0:
        lacking("docker's tests start a daemon of their own: they need docker.io and root")
    with tempfile.TemporaryDirectory(prefix="sbx-docker-") as place:
        address = f"unix://{place}/docker.sock"
        engine = UsedEngine(program, {"DOCKER_HOST": address})
        log = Path(place) / "log"
        command = [daemon, "--iptables=false", "--ip6tables=false", "--bridge=none"]
        command += [
            "--storage-driver=vfs",
            f"--data-root={place}/data",
            f"--exec-root={place}/exec",
        ]
        command += [f"--pidfile={place}/pid", f"--host={address}"]
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

        def answers() -> bool:
            if process.poll() is not None:
                lacking(f"dockerd does not run here: {log.read_text()[-500:]}")
            return bool(engine("version", "--format={{.Server.Version}}", check=False).strip())

        try:
            until(answers, 30, log.read_text)
            yield engine
        finally:
            process.terminate()
            process.wait(30)
            # dockerd leaves this one mounted.
            subprocess.run(["umount", f"{place}/exec/netns/default"], check=False)


@pytest.fixture
def of_docker(sandbox_command: SandboxCommand, docker: UsedEngine) -> Iterator[Contained]:
    """A cluster to be of docker containers."""
    yield from of_engine(sandbox_command, docker)


def test_docker_does_the_same(of_docker: Contained, quick: Path) -> None:
    of_docker.up("-p", str(quick), "--image-from-binary")
    assert_all_serve(of_docker)
    leader = of_docker.status()["leader"]
    assert psutil.Process(of_docker.member(leader)["pid"]).name() == "etcd"
    of_docker("kill", "leader")
    assert of_docker.member(leader)["exit"]["signal"] == "SIGKILL"
    of_docker("start", leader)
    of_docker("pause", "infra1")
    of_docker("resume", "infra1")
    of_docker("partition", "infra2")
    of_docker("heal")
    of_docker("stop", "infra3")
    assert of_docker.member("infra3")["exit"]["code"] == 0
    of_docker("down")
    of_docker.assert_nothing_left()


def test_docker_is_cleared_by_the_next_command_when_guard_and_supervisor_are_killed(
    of_docker: Contained,
) -> None:
    of_docker.up("--image-from-binary")
    supervisor = psutil.Process(of_docker.pid_of_supervisor())
    guard = psutil.Process(supervisor.ppid())
    supervisor.suspend()
    for process in (guard, supervisor):
        process.kill()
    until(lambda: not lives(supervisor.pid))

    said = of_docker("status", code=3)

    assert f"the supervisor of cluster '{of_docker.name}' had died" in said
    assert of_docker.engine.containers(of_docker.prefix) == []
    until(lambda: not of_docker.clients(), 20, of_docker.clients)
