"""Procfiles that goreman runs with etcd, run: sockets, names of other machines, certificates, proxies, learners."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SandboxCommand
from tests.etcd.ports import free_ports
from tests.etcd_versions import find, missing, need


def on(command: SandboxCommand, *series: str) -> SandboxCommand:
    """The command with an etcd of these series on PATH, as goreman would find it."""
    binary = need(*series)
    command.series = binary.version
    command.env["PATH"] = os.pathsep.join([str(Path(binary.path).parent), command.env["PATH"]])
    return command


def members(
    command: SandboxCommand, count: int, client: Callable[[int], tuple[str, str]], more: str = ""
) -> None:
    """Write a Procfile of so many members; `client` gives listen and advertise of a port."""
    ports = free_ports(2 * count)
    clients, urls = ports[:count], [f"http://127.0.0.1:{port}" for port in ports[count:]]
    cluster = ",".join(f"infra{n}={url}" for n, url in enumerate(urls, 1))
    lines = []
    for n, (port, url) in enumerate(zip(clients, urls, strict=True), 1):
        listen, advertise = client(port)
        lines.append(
            f"etcd{n}: etcd --name infra{n} --listen-client-urls {listen} "
            f"--advertise-client-urls {advertise} --listen-peer-urls {url} "
            f"--initial-advertise-peer-urls {url} --initial-cluster {cluster}{more}\n"
        )
    (command.cwd / "Procfile").write_text("".join(lines))


def certificate(directory: Path) -> None:
    directory.mkdir()
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", "server-key.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", *key, "-out", "server.pem", "-days", "2", *names],
        cwd=directory,
        check=True,
        capture_output=True,
    )


TLS = " --cert-file=tls/server.pem --key-file=tls/server-key.pem --client-cert-auth --trusted-ca-file=tls/server.pem"


@pytest.mark.parametrize(
    ("listen", "advertise", "more", "reached"),
    [
        pytest.param("unix://localhost:{}", "unix://localhost:{}", "", "unix://{cwd}/localhost:", id="socket"),
        pytest.param("http://0.0.0.0:{}", "http://node1.example:{}", "", "http://127.0.0.1:", id="unresolvable"),
        pytest.param("https://localhost:{}", "https://localhost:{}", TLS, "https://localhost:", id="tls"),
    ],
)  # fmt: skip
def test_members_are_asked_and_talked_to_however_they_serve_clients(
    sandbox_command: SandboxCommand, listen: str, advertise: str, more: str, reached: str
) -> None:
    command = on(sandbox_command)
    if more:
        certificate(command.cwd / "tls")
    members(command, 3, lambda port: (listen.format(port), advertise.format(port)), more)
    command("up", "-d")
    shown = command.status()
    assert [member["healthy"] for member in shown["members"]] == [True] * 3
    begin = reached.format(cwd=command.cwd)
    assert all(member["client_url"].startswith(begin) for member in shown["members"])
    health = command("ctl", "endpoint", "health")
    assert (health.stdout + health.stderr).count("is healthy") == 3
    verdict = json.loads(command("kill", "leader", "--json").stdout)
    assert verdict["leader_after"] not in (None, verdict["leader_before"])
    # None of the variables that etcd-sandbox itself reads reaches etcd, which would warn of them.
    assert "nrecognized environment variable" not in command("logs").stdout
    command("down")


def test_a_v2_proxy_is_told_as_such_and_is_no_endpoint(sandbox_command: SandboxCommand) -> None:
    if find("3.4") is None:
        pytest.skip(missing("3.4"))
    command = on(sandbox_command, "3.4")
    client, peer, proxy = free_ports(3)
    (command.cwd / "Procfile").write_text(
        f"etcd1: etcd --name infra1 --listen-client-urls http://127.0.0.1:{client} "
        f"--advertise-client-urls http://127.0.0.1:{client} --listen-peer-urls http://127.0.0.1:{peer} "
        f"--initial-advertise-peer-urls http://127.0.0.1:{peer} --initial-cluster infra1=http://127.0.0.1:{peer}\n"
        f"proxy: etcd --name proxy1 --proxy=on --listen-client-urls http://127.0.0.1:{proxy} "
        f"--initial-cluster infra1=http://127.0.0.1:{peer}\n"
    )
    begun = command("up", "-d")
    assert "using Procfile (1 member: infra1; 1 proxy: proxy1)" in begun.stderr
    shown = command.status()
    assert [(m["name"], m["role"], m["healthy"]) for m in shown["members"]] == [
        ("infra1", "leader", True),
        ("proxy1", "proxy", True),
    ]
    assert (shown["quorum"]["voters"], shown["quorum"]["ok"]) == (1, True)
    assert command("env").stdout.strip().endswith(f"ETCDCTL_ENDPOINTS=http://127.0.0.1:{client}")
    assert command("ctl", "--on", "all", "put", "a", "b").stdout.strip() == "OK"
    command("down")


def test_who_is_not_up_in_time_is_named_with_what_its_log_says(
    sandbox_command: SandboxCommand,
) -> None:
    command = on(sandbox_command)
    members(command, 3, lambda port: (f"http://127.0.0.1:{port}",) * 2)
    procfile = command.cwd / "Procfile"
    first, second, third = procfile.read_text().splitlines()
    procfile.write_text("\n".join((first, second, f"{third} --initial-cluster-token other\n")))
    late = "infra3, which belongs to another cluster than its peers (cluster ID mismatch)"
    begun = command("up", "-d", "--timeout", "10s", code=4)
    assert f"not ready within 10 s: {late}" in begun.stderr
    again = command("start", "all", "--timeout", "3s", code=4)
    assert f"start did not finish within 3 s: {late}" in again.stderr
    assert "hint: etcd-sandbox status and etcd-sandbox logs show" in again.stderr
    command("down", "--kill")


def test_a_learner_of_another_procfile_joins_the_cluster_that_runs(
    sandbox_command: SandboxCommand,
) -> None:
    """etcd's own Procfile.learner, as its comments say."""
    command = on(sandbox_command)
    members(command, 1, lambda port: (f"http://127.0.0.1:{port}",) * 2)
    founder = (command.cwd / "Procfile").read_text().split("--initial-cluster ")[1].strip()
    client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    (command.cwd / "Procfile.learner").write_text(
        f"etcd4: etcd --name infra4 --listen-client-urls {client} --advertise-client-urls {client} "
        f"--listen-peer-urls {peer} --initial-advertise-peer-urls {peer} "
        f"--initial-cluster infra4={peer},{founder} --initial-cluster-state existing\n"
    )
    command("up", "-d")
    early = command("-c", "learner", "up", "-d", "-f", "Procfile.learner", code=1).stderr
    mend = early.partition("hint: ")[2]
    assert mend.startswith("error validating peerURLs: member count is unequal: ")
    assert "etcd-sandbox ctl member add" in mend
    command("ctl", "member", "add", "infra4", f"--peer-urls={peer}", "--learner=true")
    with (command.cwd / "Procfile.learner").open("a") as lines:
        lines.write("beside: sleep 600\n")
    command("-c", "learner", "up", "-d", "-f", "Procfile.learner", "beside")
    started = command("-c", "learner", "start", "infra4").stdout
    assert re.search(r"infra1 leads · term \d+$", started, re.MULTILINE), (
        "who leads elsewhere is looked up; a learner's refusals are no reads that failed"
    )
    (learner,) = command.status("learner")["members"]
    assert (learner["name"], learner["role"], learner["healthy"]) == ("infra4", "learner", True)
    assert command.status()["quorum"]["ok"]
    there = command.status("learner")
    assert (there["leader"], there["quorum"]["voters"], there["quorum"]["ok"]) == (
        "infra1",
        1,
        True,
    ), "a learner tells clients nothing of the others, and peers all"
    command("-c", "learner", "down")
    command("down")
