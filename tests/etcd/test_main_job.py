"""The main job on real etcd: bring up, look, break, bring back, take down."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
from etcd_sandbox.model.spec import EtcdBinary

from tests import etcd_versions
from tests.conftest import SandboxCommand, until
from tests.etcd.ports import free_block


def member(command: SandboxCommand, name: str) -> dict[str, Any]:
    return next(entry for entry in command.status()["members"] if entry["name"] == name)


def put(command: SandboxCommand, key: str, value: str, *on: str) -> None:
    assert command("ctl", *on, "put", key, value).stdout.strip() == "OK"


def get(command: SandboxCommand, key: str, *on: str) -> str:
    return command("ctl", *on, "get", key, "--print-value-only").stdout.strip()


def test_a_killed_member_stays_dead_and_comes_back_with_its_data(on_etcd: SandboxCommand) -> None:
    on_etcd("up", "-n", "3", "-d", "--base-port", "auto")
    put(on_etcd, "before", "1")
    pid = member(on_etcd, "infra2")["pid"]

    killed = on_etcd("kill", "infra2")

    assert f"pid {pid}" in killed.stdout
    assert "SIGKILL" in killed.stdout
    assert "next: etcd-sandbox start infra2" in killed.stdout
    assert not psutil.pid_exists(pid)
    dead = member(on_etcd, "infra2")
    assert (dead["state"], dead["exit"]["signal"], dead["pid"]) == ("exited", "SIGKILL", None)
    until(lambda: on_etcd.status()["leader"], 20)
    put(on_etcd, "while dead", "2", "--on", "infra1")
    two_of_three = {"voters": 3, "needed": 2, "healthy": 2, "ok": True, "late": 0}
    until(lambda: on_etcd.status()["quorum"] == two_of_three, 20)

    on_etcd("start", "infra2")

    until(lambda: member(on_etcd, "infra2")["healthy"], 20)
    back = member(on_etcd, "infra2")
    assert (back["state"], back["restarts"]) == ("running", 1)
    assert get(on_etcd, "while dead", "--on", "infra2") == "2"
    until(lambda: len({entry["raft_index"] for entry in on_etcd.status()["members"]}) == 1, 20)


def test_the_leader_can_be_killed_by_its_role_and_another_follows(
    on_etcd: SandboxCommand, quick: Path
) -> None:
    on_etcd("up", "-p", str(quick), "-d", "--base-port", "auto")
    before = on_etcd.status()
    answer = json.loads(on_etcd("kill", "leader", "--json").stdout)
    assert answer["targets"] == [before["leader"]]
    assert answer["processes"][0]["was_leader"] is True
    until(lambda: on_etcd.status()["leader"] not in (None, before["leader"]), 20)
    assert on_etcd.status()["term"] > before["term"]
    kinds = [json.loads(line)["kind"] for line in on_etcd("events", "--json").stdout.splitlines()]
    told = [kind for kind in kinds if kind.startswith(("raft.leader", "process.exited"))]
    # A cluster may elect more than once while it starts.
    assert told[told.index("process.exited") - 1 :] == [
        "raft.leader_elected",
        "process.exited",
        "raft.leader_lost",
        "raft.leader_elected",
    ]


def test_followers_members_and_ids_select(on_etcd: SandboxCommand, quick: Path) -> None:
    on_etcd("up", "-p", str(quick), "-d", "--base-port", "auto")
    shown = on_etcd.status()
    followers = [entry["name"] for entry in shown["members"] if entry["role"] == "follower"]

    def targets(*args: str) -> list[str]:
        names: list[str] = json.loads(on_etcd(*args, "--json").stdout)["targets"]
        return names

    assert targets("pause", "followers") == followers
    assert targets("resume", followers[0], followers[1]) == followers
    assert targets("stop", shown["members"][0]["id"]) == ["infra1"]
    assert targets("start", "etcd1") == ["infra1"]
    assert targets("restart", "all") == ["infra1", "infra2", "infra3"]
    wrong = on_etcd("kill", "infra9", code=2)
    assert "infra9" in wrong.stderr
    assert "infra1 (etcd1)" in wrong.stderr


def test_a_paused_member_does_not_answer_and_goes_on_after_it(
    on_etcd: SandboxCommand, quick: Path
) -> None:
    on_etcd("up", "-p", str(quick), "-d", "--base-port", "auto")
    on_etcd("pause", "infra3")
    paused = member(on_etcd, "infra3")
    assert (paused["state"], paused["role"], paused["healthy"]) == ("paused", None, False)
    assert on_etcd.status()["faults"] == [{"kind": "pause", "process": "etcd3", "member": "infra3"}]
    on_etcd("resume", "infra3")
    until(lambda: member(on_etcd, "infra3")["healthy"], 20)


def test_lost_and_regained_quorum_is_told(on_etcd: SandboxCommand, quick: Path) -> None:
    on_etcd("up", "-p", str(quick), "-d", "--base-port", "auto")
    on_etcd("kill", "infra1", "infra2")
    until(lambda: not on_etcd.status()["quorum"]["ok"], 20)

    def kinds() -> list[str]:
        return [event["kind"] for event in on_etcd.events()]

    until(lambda: "cluster.quorum_lost" in kinds(), 20)
    on_etcd("start", "all")
    until(lambda: "cluster.quorum_regained" in kinds(), 20)
    until(lambda: on_etcd.status()["quorum"]["healthy"] == 3, 20)


def test_the_plan_is_continued_with_its_data_and_another_is_refused(
    on_etcd: SandboxCommand, tmp_path: Path
) -> None:
    base = str(free_block(3))
    profile = tmp_path / "close.toml"
    profile.write_text("[cluster]\nmembers = 3\nport_step = 10\n")
    on_etcd("up", "-p", str(profile), "-d", "--base-port", base)
    put(on_etcd, "kept", "yes")
    on_etcd("down")
    again = on_etcd("up", "-d")
    assert "recorded" in again.stderr
    assert "goes on with the data that it has had since" in again.stderr
    assert re.search(r"\(term \d+, revision 2\); --fresh begins anew", again.stderr)
    assert get(on_etcd, "kept") == "yes"
    on_etcd("down")
    refused = on_etcd("up", "-n", "5", "-d", code=2)
    assert "--fresh" in refused.stderr
    fresh = ("up", "-n", "1", "-d", "--fresh", "--base-port", base)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(base)))
        other.listen()
        assert "is taken" in on_etcd(*fresh, code=1).stderr
    # Old data stays while something is in the way of new.
    assert (on_etcd.home / "default" / "data" / "infra1" / "member" / "wal").is_dir()
    on_etcd(*fresh)
    assert get(on_etcd, "kept") == ""
    on_etcd("down", "--purge")
    assert not (on_etcd.home / "default").exists()


@pytest.mark.also_on(*etcd_versions.SERIES)
def test_the_status_has_the_promised_shape(
    on_etcd: SandboxCommand, etcd_binary: EtcdBinary
) -> None:
    on_etcd("up", "-n", "1", "-d", "--base-port", "auto")
    shown = json.loads(on_etcd("status", "--json", "--hash").stdout)
    assert list(shown) == [
        "schema", "cluster", "supervisor", "leader", "term", "quorum", "members", "processes", "faults", "logs",
        "log_loss", "bootstrap", "alarms", "elsewhere", "notes", "authentication", "planned",
    ]  # fmt: skip
    assert shown["schema"] == 1
    assert (shown["bootstrap"]["way"], shown["bootstrap"]["runtime"]) == ("static", "process")
    assert list(shown["supervisor"]) == ["pid", "version", "uptime_s"]
    only = shown["members"][0]
    assert list(only) == [
        "name", "process", "id", "pid", "state", "role", "healthy", "term", "revision", "raft_index",
        "raft_applied_index", "db_size_bytes", "hash", "version", "client_url", "asked_url", "peer_url", "metrics_url",
        "data_dir", "cpu_percent", "rss_bytes", "restarts", "uptime_s", "exit", "follows", "alarms",
        "why", "own_cluster",
    ]  # fmt: skip
    assert (only["name"], only["process"], only["state"]) == ("infra1", "etcd1", "running")
    assert (only["role"], only["healthy"], only["exit"]) == ("leader", True, None)
    assert isinstance(only["hash"], int)
    assert only["version"] == etcd_binary.version
    with urllib.request.urlopen(f"{only['metrics_url']}/metrics", timeout=10) as page:
        assert b"etcd_server_has_leader 1" in page.read()
    assert only["rss_bytes"] > 10_000_000


def test_five_members_and_a_process_beside_them(on_etcd: SandboxCommand, tmp_path: Path) -> None:
    profile = tmp_path / "with-app.toml"
    profile.write_text(
        "[cluster]\nmembers = 5\n[etcd]\nheartbeat-interval = 50\nelection-timeout = 500\n"
        '[[process]]\nname = "app"\ncommand = "echo started after the leader; sleep 300"\nafter = "ready"\n'
    )
    on_etcd("up", "-p", str(profile), "-d", "--base-port", "auto")
    all_five = {"voters": 5, "needed": 3, "healthy": 5, "ok": True, "late": 0}
    until(lambda: on_etcd.status()["quorum"] == all_five, 20)
    until(lambda: on_etcd.status()["processes"][0]["state"] == "running", 20)
    lines = on_etcd.events()
    elected = next(n for n, event in enumerate(lines) if event["kind"] == "raft.leader_elected")
    app = next(n for n, event in enumerate(lines) if event.get("process") == "app")
    assert elected < app
    until(lambda: "started after the leader" in on_etcd("logs", "app").stdout, 20)


def test_run_gives_the_command_a_fresh_cluster_and_its_exit_code(
    on_etcd: SandboxCommand, tmp_path: Path
) -> None:
    script = tmp_path / "client.sh"
    script.write_text(
        'set -e\netcdctl put key value\netcdctl get key --print-value-only\necho "$ETCDCTL_ENDPOINTS"\n'
        'test -S "$ETCD_SANDBOX_SOCKET"\necho "$ETCD_SANDBOX_SOCKET"\nexit 7\n'
    )
    # Nothing here has an etcdctl but what `run` adds.
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "test"):
        (programs / name).symlink_to(shutil.which(name) or name)
    done = on_etcd("run", "-n", "3", "--", "sh", str(script), code=7, PATH=str(programs))
    lines = done.stdout.split()
    assert lines[:2] == ["OK", "value"]
    assert len(lines[2].split(",")) == 3
    assert lines[3].startswith(str(on_etcd.home))
    assert list(on_etcd.home.iterdir()) == []
    on_etcd.assert_nothing_left()


def test_the_environment_makes_etcdctl_reach_the_cluster(
    on_etcd: SandboxCommand,
) -> None:
    on_etcd("up", "-n", "1", "-d", "--base-port", "auto")
    exported = on_etcd("env", "--shell", "bash").stdout
    done = subprocess.run(
        ["bash", "-c", f"{exported}\netcdctl endpoint status -w json"],
        env=on_etcd.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)[0]["Status"]["leader"]


def test_a_member_that_ends_during_the_start_shows_its_last_lines(
    on_etcd: SandboxCommand, tmp_path: Path
) -> None:
    profile = tmp_path / "bad.toml"
    profile.write_text(
        '[cluster]\nmembers = 3\n[[member]]\nname = "infra2"\nflags = { auto-compaction-mode = "nonsense" }\n'
    )
    done = on_etcd("up", "-p", str(profile), "-d", "--base-port", "auto", code=1)
    assert "infra2 ended while the cluster started" in done.stderr
    assert "nonsense" in done.stderr
    on_etcd.assert_nothing_left()


def test_ports_that_are_taken_are_named_with_their_holder(on_etcd: SandboxCommand) -> None:
    on_etcd("-c", "one", "up", "-n", "1", "-d", "--base-port", "auto")
    url = on_etcd.status("one")["members"][0]
    port = url["client_url"].rpartition(":")[2]
    done = on_etcd("-c", "two", "up", "-n", "1", "-d", "--base-port", port, code=1)
    assert f"port {port} of infra1 is taken by etcd (pid {url['pid']})" in done.stderr
    assert "--base-port auto" in done.stderr


def test_a_graceful_down_takes_followers_first(on_etcd: SandboxCommand) -> None:
    on_etcd("up", "-n", "3", "-d", "--base-port", "auto")
    leader = on_etcd.status()["leader"]
    events = on_etcd.home / "default" / "events.jsonl"
    on_etcd("down")
    told = [json.loads(line) for line in events.read_text().splitlines()]
    exits = [event for event in told if event["kind"] == "process.exited"]
    assert [event["expected"] for event in exits] == [True] * 3
    assert exits[-1]["member"] == leader
    assert {event["signal"] for event in exits} == {"SIGTERM"}


def test_sigterm_from_outside_is_an_end_that_is_told(on_etcd: SandboxCommand) -> None:
    on_etcd("up", "-n", "3", "-d", "--base-port", "auto")
    os.kill(member(on_etcd, "infra1")["pid"], signal.SIGTERM)
    until(lambda: member(on_etcd, "infra1")["state"] == "exited", 20)
    assert member(on_etcd, "infra1")["exit"]["signal"] == "SIGTERM"
