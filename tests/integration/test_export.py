"""What is exported is given to the tools that read it, with real etcds where they run some."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from etcd_sandbox.inputs.ports import PORT_STEP, free_block
from etcd_sandbox.paths import private_runtime_dir

from tests import etcd_versions
from tests.build_etcd import cache_home
from tests.conftest import SandboxCommand, until

ODD = 'token = "it\'s $HOME #x `y` ${Z}"\n'
"""A cluster token that every format must quote, and that etcd takes as it is: it ends `[cluster]`."""


def tool(name: str) -> str:
    """A program on PATH, of the environment that runs the tests, or compiled for them."""
    places = (Path(sys.executable).parent, os.environ["PATH"], cache_home() / name)
    found = shutil.which(name, path=os.pathsep.join(map(str, places)))
    if found is None:
        etcd_versions.lacking(f"there is no {name} on this machine")
    return found


@pytest.fixture
def of(sandbox_command: SandboxCommand) -> Callable[[str], SandboxCommand]:
    """The command, with the etcd of a series as the one on PATH."""

    def with_etcd(series: str) -> SandboxCommand:
        directory = Path(etcd_versions.need(series).path).parent
        sandbox_command.env["PATH"] = f"{directory}:{os.environ['PATH']}"
        return sandbox_command

    return with_etcd


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """The options, among them the profile p.toml, for ports that nobody else takes during the test.

    `auto` would keep them while `export` runs, and no longer.
    """
    (tmp_path / "p.toml").write_text(f"[cluster]\nport_step = {PORT_STEP}\n")
    block = free_block(3, private_runtime_dir())
    yield ("-p", "p.toml", "--base-port", str(block.base))
    block.release()


def export(command: SandboxCommand, kind: str, *options: str) -> Path:
    """The exported file, in the directory of the test."""
    done = command("export", kind, *options)
    path = command.cwd / f"exported.{kind}"
    path.write_text(done.stdout)
    return path


def endpoints(text: str) -> list[str]:
    found = re.findall(r"--name=infra.*?--advertise-client-urls=(\S+)", text, re.DOTALL)
    assert len(found) == 3, text
    return found


def healthy(command: SandboxCommand, urls: list[str]) -> bool:
    """Whether etcdctl, from beside the etcd, finds a healthy member at each of them."""
    done = subprocess.run(
        ["etcdctl", "endpoint", "health"],
        env=command.env | {"ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": ",".join(urls)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return (done.stdout + done.stderr).count("is healthy") == len(urls)


@contextmanager
def running(command: SandboxCommand, *words: str) -> Iterator[None]:
    """A tool until the block ends; then Ctrl-C, and nothing that it started may be left."""
    out = command.cwd / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            words,
            cwd=command.cwd,
            env=command.env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield
        assert process.poll() is None, out.read_text()
    except BaseException:
        print(out.read_text()[-5000:])  # noqa: T201 - pytest shows it with the failure
        raise
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
    # Not found by their environment, of which the script takes away what begins with ETCD_.
    left = [found for found in psutil.process_iter() if _is_in(command.cwd, found)]
    for found in left:
        found.kill()
    assert left == []


def _is_in(directory: Path, process: psutil.Process) -> bool:
    try:
        return process.cwd() == str(directory)
    except psutil.Error:
        return False


def runs(command: SandboxCommand, file: Path, *words: str) -> None:
    urls = endpoints(file.read_text())
    with running(command, *words):
        until(lambda: healthy(command, urls), evidence=(command.cwd / "out").read_text)


def test_honcho_runs_the_procfile(
    of: Callable[[str], SandboxCommand], ports: tuple[str, ...], tmp_path: Path
) -> None:
    command = of("3.5")
    with (tmp_path / "p.toml").open("a") as profile:
        profile.write(ODD)
    procfile = export(command, "procfile", *ports)
    assert "etcd1: etcd --name=infra1" in procfile.read_text()
    runs(command, procfile, tool("honcho"), "-f", procfile.name, "start")
    assert (tmp_path / "infra1.etcd" / "member").is_dir()


@pytest.mark.parametrize("series", ["3.4", "3.6"])
def test_honcho_runs_a_procfile_whose_members_meet_at_a_discovery_service(
    of: Callable[[str], SandboxCommand], ports: tuple[str, ...], series: str
) -> None:
    command = of(series)
    procfile = export(command, "procfile", "-n", "3", "--bootstrap", "discovery", *ports)
    runs(command, procfile, tool("honcho"), "-f", procfile.name, "start")


def test_goreman_runs_the_procfile(
    of: Callable[[str], SandboxCommand], ports: tuple[str, ...]
) -> None:
    command = of("3.5")
    procfile = export(command, "procfile", "-n", "3", "--bootstrap", "discovery", *ports)
    runs(command, procfile, tool("goreman"), "-f", procfile.name, "start")


def test_up_runs_the_procfile_with_the_same_members(
    of: Callable[[str], SandboxCommand], ports: tuple[str, ...], tmp_path: Path
) -> None:
    command = of("3.5")
    found = export(command, "profile", "-n", "3", *ports)
    profile = found.rename(tmp_path / "p.toml")
    planned = json.loads(command("check", "--json", "-p", profile.name).stdout)
    procfile = export(command, "procfile", "-p", profile.name)
    command("up", "-d", "-f", procfile.name)
    status = json.loads(command("status", "--json").stdout)
    assert [
        (member["process"], member["name"], member["id"], member["client_url"], member["peer_url"])
        for member in status["members"]
    ] == [
        (process["name"], *(process["member"][key] for key in ("name", "id", "client_url", "peer_url")))
        for process in planned["processes"]
    ]  # fmt: skip
    assert all(member["healthy"] for member in status["members"])


@pytest.mark.parametrize("series", ["3.4", "3.5", "3.7"])
def test_sh_runs_the_script_and_its_end_is_the_end_of_all(
    of: Callable[[str], SandboxCommand], ports: tuple[str, ...], series: str, tmp_path: Path
) -> None:
    command = of(series)
    with (tmp_path / "p.toml").open("a") as profile:
        profile.write(ODD)
    script = export(command, "shell", *ports)
    for shell in ("sh", "bash"):
        subprocess.run([tool(shell), "-n", script], check=True, timeout=20)
    command.env["ETCD_NAME"] = "with this in its environment, etcd would refuse the flag"
    runs(command, script, "sh", script.name)


def test_sh_runs_the_script_of_members_that_meet_at_a_discovery_service(
    of: Callable[[str], SandboxCommand], ports: tuple[str, ...]
) -> None:
    command = of("3.5")
    script = export(command, "shell", "-n", "3", "--bootstrap", "discovery", *ports)
    runs(command, script, "sh", script.name)


def test_the_profile_is_the_same_plan(of: Callable[[str], SandboxCommand], tmp_path: Path) -> None:
    command = of("3.5")
    (tmp_path / "p.toml").write_text(
        "[cluster]\n" + ODD + '[[process]]\nname = "a"\ncommand = "b \'c"\n'
    )
    options = ("-p", "p.toml", "-n", "6", "--base-port", "21000")
    profile = export(command, "profile", *options)
    profile = profile.rename(tmp_path / "exported.toml")

    def plan(*options: str) -> dict[str, Any]:
        found = json.loads(command("check", "--json", *options).stdout)
        assert isinstance(found, dict)
        found.pop("source")
        for process in found["processes"]:
            if process["member"]:
                process["member"]["etcd"].pop("origin")  # that says who asked for it
        return found

    assert plan("-p", profile.name) == plan(*options)


@pytest.mark.parametrize(
    "options", [(), ("-n", "5"), ("--bootstrap", "discovery"), ("--bootstrap", "dns")]
)
def test_docker_compose_takes_the_file_and_passes_each_word_on(
    of: Callable[[str], SandboxCommand], tmp_path: Path, options: tuple[str, ...]
) -> None:
    docker_compose, command = tool("docker-compose"), of("3.5")
    (tmp_path / "p.toml").write_text("[cluster]\n" + ODD)
    file = export(command, "compose", "-p", "p.toml", *options)
    done = subprocess.run(
        [docker_compose, "-f", file, "config"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stderr
    written, read = yaml.safe_load(file.read_text()), yaml.safe_load(done.stdout)
    assert read["services"].keys() == written["services"].keys()
    # Both spell a dollar as two: what was written is what was read.
    for name, service in written["services"].items():
        assert read["services"][name]["command"] == service["command"]
    # Where a discovery service introduces the members, its token is what they hash.
    token = "--initial-cluster-token=it's $$HOME #x `y` $${Z}"
    assert (token in read["services"]["infra1"]["command"]) == ("discovery" not in options)


def test_the_command_that_registers_a_token_in_compose_is_understood_by_etcd(
    of: Callable[[str], SandboxCommand], ports: tuple[str, ...]
) -> None:
    command = of("3.5")
    file = export(command, "compose", "-n", "3", "--bootstrap", "discovery", *ports)
    document = yaml.safe_load(file.read_text())["services"]
    script = export(command, "shell", "-n", "3", "--bootstrap", "discovery", *ports).read_text()
    service = re.search(r"--name=discovery.*?--advertise-client-urls=(\S+)", script, re.DOTALL)
    assert service is not None
    # The service alone: all of the script up to the first loop, in which it registers the token.
    alone = command.cwd / "alone.sh"
    alone.write_text(script[: script.index("\nuntil")] + "\nwait\n")
    register = document["register"]
    words = [word.replace("http://discovery:2379", service[1]) for word in register["command"]]
    with running(command, "sh", alone.name):
        until(
            lambda: (
                subprocess.run(
                    ["etcdctl", *words],
                    env=command.env | register["environment"],
                    capture_output=True,
                    timeout=20,
                    check=False,
                ).returncode
                == 0
            )
        )
        (url,) = (
            word.removeprefix("--discovery=").replace("http://discovery:2379", service[1])
            for word in document["infra1"]["command"]
            if word.startswith("--discovery=")
        )
        found = subprocess.run(
            ["curl", "-fsS", f"{url}/_config/size"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    assert json.loads(found.stdout)["node"]["value"] == "3"


@pytest.mark.parametrize("series", ["3.4", "3.5"])
def test_dnsmasq_and_up_take_the_records(of: Callable[[str], SandboxCommand], series: str) -> None:
    dnsmasq, command = tool("dnsmasq"), of(series)
    file = export(command, "dnsmasq", "-n", "3", "--base-port", "21000")
    done = subprocess.run(
        [dnsmasq, "--test", f"--conf-file={file}"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in file.read_text().splitlines():
        assert line.startswith(("#", "local=", "host-record=", "srv-host="))
    options = ("-n", "3", "--base-port", "21000", "--bootstrap", "dns")
    own = json.loads(command("check", "--json", *options).stdout)["dns"]
    given = json.loads(command("check", "--json", *options, "--dns-records", file.name).stdout)
    assert given["dns"]["srv"] == own["srv"]


def test_a_running_cluster_is_exported_as_it_runs(of: Callable[[str], SandboxCommand]) -> None:
    command = of("3.5")
    command("up", "-d", "-n", "1", "--base-port", "auto")
    status = json.loads(command("status", "--json").stdout)["members"][0]
    done = command("export", "procfile")
    assert f"--advertise-client-urls={status['client_url']}" in done.stdout
    assert f"--listen-peer-urls={status['peer_url']}" in done.stdout
    assert "which is running" in done.stderr
    command("down")
    assert command("export", "procfile").stdout == done.stdout
