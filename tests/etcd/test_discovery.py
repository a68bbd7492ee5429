"""Members that a discovery service introduces, on real etcd: the whole life of a cluster,
services that are not ours, tokens that are too small, and the mistakes that are made with them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from etcd_sandbox.model.spec import EtcdBinary

from tests import etcd_versions
from tests.conftest import SandboxCommand, until
from tests.etcd.discoveryservices import (
    Serve,
    public_service,
    services,
    speaks_v2_only,
    v2_server,
)
from tests.etcd.ports import free_block, free_ports


@pytest.fixture
def etcd_sandbox(
    sandbox_command: SandboxCommand, etcd_binary: EtcdBinary, quick: Path
) -> SandboxCommand:
    """The command, with the etcd of this round."""
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_binary.path
    sandbox_command.env["PATH"] = os.pathsep.join(
        [str(Path(etcd_binary.path).parent), sandbox_command.env["PATH"]]
    )
    return sandbox_command


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts real etcds by themselves."""
    with services(tmp_path) as start:
        yield start


def up(command: SandboxCommand, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """`up -d` with short timers, on free ports."""
    profile = str(command.cwd / "quick.toml")
    return command("up", "-d", "-p", profile, "--base-port", "auto", *args, code=code)


def bootstrap(command: SandboxCommand) -> dict[str, Any]:
    told: dict[str, Any] = command.status()["bootstrap"]
    return told


def registered(command: SandboxCommand) -> list[str]:
    return sorted(each["member"] for each in bootstrap(command)["registered"] or [])


def healthy_endpoints(command: SandboxCommand) -> int:
    health = command("ctl", "endpoint", "health")
    return sum("is healthy" in line for line in (health.stdout + health.stderr).splitlines())


def started_members(command: SandboxCommand) -> list[str]:
    lines = command("ctl", "member", "list").stdout.splitlines()
    return sorted(line.split(", ")[2] for line in lines if ", started, " in line)


THREE = ["infra1", "infra2", "infra3"]


def test_a_cluster_is_introduced_by_our_own_service_and_needs_it_no_more(
    etcd_sandbox: SandboxCommand, etcd_binary: EtcdBinary
) -> None:
    up(etcd_sandbox, "-n", "3", "--bootstrap", "discovery")
    assert started_members(etcd_sandbox) == THREE
    assert healthy_endpoints(etcd_sandbox) == 3

    until(lambda: registered(etcd_sandbox) == THREE)
    shown = etcd_sandbox.status()
    told, ids = shown["bootstrap"], {each["name"]: each["id"] for each in shown["members"]}
    assert told["way"] == "discovery"
    assert told["process"] == "discovery"
    assert told["protocol"] == ("v2" if speaks_v2_only(etcd_binary) else "v3")
    assert {each["member"]: each["id"] for each in told["registered"]} == ids

    def told_of() -> list[dict[str, Any]]:
        return [each for each in etcd_sandbox.events() if each["kind"].startswith("discovery.")]

    until(lambda: told_of()[-1]["kind"] == "discovery.complete", evidence=told_of)
    seen = told_of()
    assert [event["kind"].partition(".")[2] for event in seen] == [
        "token_registered",
        *["member_registered"] * 3,
        "complete",
    ]
    assert (seen[0]["token"], seen[0]["size"]) == (told["token"], 3)

    verdict = json.loads(etcd_sandbox("kill", "leader", "--json").stdout)
    assert verdict["leader_after"] not in (None, verdict["leader_before"])
    etcd_sandbox("start", verdict["leader_before"])

    etcd_sandbox("stop", "discovery")
    assert healthy_endpoints(etcd_sandbox) == 3
    for name in THREE:
        etcd_sandbox("restart", name)
    etcd_sandbox("restart", *THREE)
    assert healthy_endpoints(etcd_sandbox) == 3
    assert started_members(etcd_sandbox) == THREE

    etcd_sandbox("down")
    etcd_sandbox.assert_nothing_left()
    # A service that has forgotten everything: the members are not told of each other again.
    shutil.rmtree(etcd_sandbox.home / "default" / "data" / "discovery")
    etcd_sandbox("up", "-d")
    assert healthy_endpoints(etcd_sandbox) == 3
    again = bootstrap(etcd_sandbox)
    assert (again["token"], again["registered"]) == (told["token"], None)
    assert not any(event["kind"].startswith("discovery.") for event in etcd_sandbox.events())


@pytest.mark.also_on("3.5")
def test_one_member_more_than_the_size_is_what_its_etcd_makes_of_it(
    etcd_sandbox: SandboxCommand, etcd_binary: EtcdBinary
) -> None:
    done = up(etcd_sandbox, "-n", "4", "--discovery-size", "3")
    shown = etcd_sandbox.status()
    fourth = shown["members"][3]
    assert started_members(etcd_sandbox) == THREE
    assert healthy_endpoints(etcd_sandbox) == 3
    assert (shown["quorum"]["voters"], shown["quorum"]["ok"]) == (3, True)
    assert "infra4 is one more than the 3 members of the discovery token" in done.stderr

    if not speaks_v2_only(etcd_binary):
        assert fourth["state"] == "exited"
        assert "infra4 ended at its start (exit status 1): all 3 places" in done.stderr
        refused = etcd_sandbox("start", "infra4", code=1)
        assert "hint: all 3 places of the discovery token are taken" in refused.stderr
        return

    assert (fourth["state"], fourth["role"], fourth["healthy"]) == ("running", "proxy", True)
    assert (fourth["id"], fourth["term"]) == (None, None)
    assert fourth["client_url"] not in etcd_sandbox("env").stdout
    # etcd itself refuses to start a proxy a second time beside the database that it left.
    etcd_sandbox("restart", "infra4")
    again = etcd_sandbox.status()["members"][3]
    assert (again["role"], again["pid"] != fourth["pid"]) == ("proxy", True)
    stopped = json.loads(etcd_sandbox("stop", "infra4", "--json").stdout)
    assert stopped["quorum"] == {"voters": 3, "needed": 2, "healthy": 3, "ok": True, "late": 0}
    killed = json.loads(etcd_sandbox("kill", "majority", "--json").stdout)
    assert len(killed["targets"]) == 2
    assert "infra4" not in killed["targets"]
    assert killed["quorum"]["ok"] is False


@pytest.mark.parametrize("etcd_binary", ["3.5", "3.7"], indirect=True)
def test_a_service_elsewhere_is_asked_once_and_may_go(
    etcd_sandbox: SandboxCommand, etcd_binary: EtcdBinary, serve: Serve
) -> None:
    service = serve(etcd_binary)
    asked = ("-n", "3", "--discovery", service.url)
    up(etcd_sandbox, *asked)
    assert healthy_endpoints(etcd_sandbox) == 3
    until(lambda: registered(etcd_sandbox) == THREE)
    first = bootstrap(etcd_sandbox)
    assert (first["service"], first["process"]) == (service.url, None)
    assert etcd_sandbox.status()["processes"] == []
    etcd_sandbox("down")

    service.stop()
    etcd_sandbox("up", "-d")
    assert healthy_endpoints(etcd_sandbox) == 3
    assert bootstrap(etcd_sandbox)["token"] == first["token"]
    etcd_sandbox("down")
    gone = up(etcd_sandbox, *asked, "--fresh", code=1)
    assert "the discovery service does not answer (Connection refused)" in gone.stderr
    assert "hint: start it, or check its URL" in gone.stderr

    service.start()
    up(etcd_sandbox, *asked, "--fresh")
    assert bootstrap(etcd_sandbox)["token"] != first["token"]


@pytest.mark.parametrize("etcd_binary", ["3.4", "3.6"], indirect=True)
def test_a_service_that_makes_its_tokens_itself_is_taken_by_its_own_url(
    etcd_sandbox: SandboxCommand, serve: Serve
) -> None:
    with public_service(serve(v2_server(), v2=True)) as url:
        up(etcd_sandbox, "-n", "3", "--discovery", f"{url}/new?size=3")
        assert started_members(etcd_sandbox) == THREE
        told = bootstrap(etcd_sandbox)
        assert (told["protocol"], told["service"]) == ("v2", url)
        etcd_sandbox("down")
        used = up(
            etcd_sandbox, "-n", "3", "--fresh", "--discovery", f"{url}/{told['token']}", code=2
        )
        assert "the token is used up: all 3 of its members have registered" in used.stderr


@pytest.mark.parametrize("etcd_binary", ["3.5", "3.7"], indirect=True)
def test_two_clusters_make_one_with_one_token(
    etcd_sandbox: SandboxCommand, etcd_binary: EtcdBinary, serve: Serve, tmp_path: Path
) -> None:
    """A token for three, two members here and one there: nobody begins without the other."""
    service = serve(v2_server(), v2=True)
    # Of v2 the token is registered by hand, of v3 the first cluster makes it.
    by_hand = speaks_v2_only(etcd_binary)
    asked = ["--discovery", service.register("shared", 3) if by_hand else service.url]
    size = [] if by_hand else ["--discovery-size", "3"]
    two = ("-c", "two", "up", "-d", "-p", str(tmp_path / "quick.toml"), "--base-port", "auto")
    waits = etcd_sandbox(*two, "-n", "2", *asked, *size, "--timeout", "5s", code=4)
    assert "the cluster begins when 1 more than these 2 has registered" in waits.stderr
    assert (
        "hint: the discovery token is for 3 members, and 2 have registered: start 1 more with "
        "--discovery " in waits.stderr
    )
    told = etcd_sandbox.status("two")["bootstrap"]
    token = [] if by_hand else ["--discovery-token", told["token"]]
    same = up(etcd_sandbox, "-n", "1", *asked, *token, code=2)
    assert "members of the same name have registered with the token: infra1 at " in same.stderr

    one = tmp_path / "one.toml"
    one.write_text(f'{(tmp_path / "quick.toml").read_text()}\n[[member]]\nname = "third"\n')
    etcd_sandbox("-c", "one", "up", "-d", "-p", str(one), "--base-port", "auto", *asked, *token)
    listed = etcd_sandbox("-c", "two", "ctl", "member", "list").stdout
    assert sorted(line.split(", ")[2] for line in listed.splitlines()) == [
        "infra1",
        "infra2",
        "third",
    ]


@pytest.mark.parametrize("etcd_binary", ["3.5", "3.7"], indirect=True)
def test_a_member_that_lost_its_data_is_told_that_a_token_introduces_it_once(
    etcd_sandbox: SandboxCommand, etcd_binary: EtcdBinary
) -> None:
    up(etcd_sandbox, "-n", "3", "--bootstrap", "discovery")
    etcd_sandbox("ctl", "put", "a", "b")
    # To a leader that stays, it is one that it has sent everything to already.
    lost = next(
        each["name"] for each in etcd_sandbox.status()["members"] if each["role"] != "leader"
    )
    etcd_sandbox("kill", lost, "--no-wait")
    shutil.rmtree(etcd_sandbox.home / "default" / "data" / lost)
    wiped = etcd_sandbox("start", lost, code=1)
    if speaks_v2_only(etcd_binary):
        assert "hint: it has registered with this discovery token before" in wiped.stderr
        etcd_sandbox("stop", "discovery")
        late = etcd_sandbox("start", lost, "--timeout", "2s", code=4)
        assert "does not answer: etcd-sandbox start discovery" in late.stderr
    else:
        assert "hint: its data is gone, and the v3 protocol let it register once" in wiped.stderr
    assert "etcd-sandbox up --fresh makes a new cluster" in wiped.stderr


class Other(BaseHTTPRequestHandler):
    """A web server that has nothing to do with etcd, and nothing for anybody."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("etcd_binary", ["3.5"], indirect=True)
def test_mistakes_of_members_that_need_v2_are_told_before_anything_starts(
    etcd_sandbox: SandboxCommand, etcd_binary: EtcdBinary, serve: Serve
) -> None:
    good, plain = serve(etcd_binary), serve(etcd_binary, v2=False)
    five = good.register("five", 5)
    not_there = f"http://127.0.0.1:{free_ports(1)[0]}"
    with HTTPServer(("127.0.0.1", 0), Other) as other:
        Thread(target=other.serve_forever, args=(0.05,), daemon=True).start()
        for args, code, what, mend in (
            ([not_there], 1, f"does not answer (Connection refused), {not_there}", "check its URL"),
            ([plain.url], 2, "does not serve the v2 protocol", "start it with --enable-v2"),
            (
                [f"{good.url}/v2/keys/discovery/nix"],
                2,
                "'nix' is not registered there",
                "fresh one",
            ),
            ([good.url, "--discovery-token", "nix"], 2, "'nix' is not registered", "fresh one"),
            (
                [five, "--discovery-size", "3"],
                2,
                "for 5 members, and --discovery-size asks",
                "leave",
            ),
            ([five, "--discovery-token", "six"], 2, "names the token 'five', and", "leave one"),
            (
                [good.url.removeprefix("http://")],
                2,
                "is no URL of a discovery service",
                "like http",
            ),
            ([f"http://127.0.0.1:{other.server_port}"], 1, "no discovery service", "name an etcd"),
        ):
            said = up(etcd_sandbox, "-n", "3", "--discovery", *args, code=code).stderr
            error, _, hint = said.partition("hint: ")
            assert what in error, said
            assert mend in hint, said
        other.shutdown()
    assert not (etcd_sandbox.home / "default" / "cluster.json").exists()
    assert json.loads(etcd_sandbox("ls", "--json").stdout)["clusters"] == []


@pytest.mark.parametrize("etcd_binary", ["3.7"], indirect=True)
def test_mistakes_of_members_that_need_v3_are_told_before_anything_starts(
    etcd_sandbox: SandboxCommand, etcd_binary: EtcdBinary, serve: Serve
) -> None:
    good, v2 = serve(etcd_binary), serve(v2_server(), v2=True)
    with public_service(v2) as public:
        for args, what, mend in (
            ([v2.register("t", 3)], "a token's URL belongs to the v2 protocol", "up to 3.6"),
            ([public], "such a service serves the v2 protocol", "up to 3.6"),
            ([good.url, "--discovery-token", "nix"], "'nix' is not registered there", "fresh one"),
        ):
            said = up(etcd_sandbox, "-n", "3", "--discovery", *args, code=2).stderr
            error, _, hint = said.partition("hint: ")
            assert what in error, said
            assert mend in hint, said
    # Members of 3.5 have nothing that this service speaks, and some have nothing in common.
    old = ["--etcd", v2_server().path]
    said = up(etcd_sandbox, "-n", "3", *old, "--discovery", good.url, code=2).stderr
    assert f"the etcd {etcd_binary.version} there does not serve the v2 protocol" in said
    assert "hint: v2 ended with etcd 3.5" in said
    mixed = etcd_sandbox.cwd / "quick.toml"
    own = f'[[member]]\nname = "a"\netcd = "{v2_server().path}"\n[[member]]\nname = "b"\n'
    mixed.write_text(mixed.read_text() + own)
    said = up(etcd_sandbox, "--bootstrap", "discovery", code=2).stderr
    assert "have no discovery protocol in common: v2 ended with 3.6, v3 began with 3.6" in said


@pytest.mark.parametrize("etcd_binary", ["3.6"], indirect=True)
def test_a_port_of_the_service_that_is_taken_is_named_with_its_holder(
    etcd_sandbox: SandboxCommand,
) -> None:
    base = free_block(1)
    port = base + 4
    with socket.create_server(("127.0.0.1", port)):
        said = etcd_sandbox(
            "up", "-d", "-n", "1", "--bootstrap", "discovery", "--base-port", str(base), code=1
        ).stderr
    assert f"port {port} of the discovery service is taken by " in said
    assert f"(pid {os.getpid()})" in said


@pytest.mark.parametrize("etcd_binary", ["3.5"], indirect=True)
def test_members_of_two_protocols_meet_by_the_one_that_both_speak(
    etcd_sandbox: SandboxCommand, quick: Path
) -> None:
    """Of 3.5 and 3.6 members the older one's etcd is the service, also where it is not the first."""
    old, new = etcd_versions.need("3.5"), etcd_versions.need("3.6")
    own = "".join(
        f'[[member]]\nname = "{name}"\netcd = "{binary.path}"\n'
        for name, binary in (("a", new), ("b", old), ("c", new))
    )
    quick.write_text(quick.read_text() + own)
    up(etcd_sandbox, "--bootstrap", "discovery")
    assert started_members(etcd_sandbox) == ["a", "b", "c"]
    assert bootstrap(etcd_sandbox)["protocol"] == "v2"
