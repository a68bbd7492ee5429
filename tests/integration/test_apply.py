"""Edits of a Procfile while it runs: told by `up`, carried out by `apply` or by `up --watch`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import etcd_versions
from tests.conftest import SandboxCommand, until
from tests.etcd.ports import free_block

BEFORE = "web: sleep 301\ndb: sleep 302\nold: sleep 303\n"
AFTER = "web: sleep 301\ndb: sleep 402\nnew: sleep 404\n"


def processes(command: SandboxCommand) -> dict[str, dict[str, Any]]:
    answer = json.loads(command("status", "--json").stdout)
    return {process["name"]: process for process in answer["processes"]}


@contextmanager
def foreground(command: SandboxCommand, *more: str) -> Iterator[Path]:
    """`up` in the foreground until the block ends; its output is in the file."""
    out = command.cwd / "out"
    with out.open("wb") as file:
        up = command.popen("up", "--plain", *more, stdout=file, stderr=subprocess.STDOUT)
        try:
            until(lambda: "cluster ready" in out.read_text(), evidence=out.read_text)
            yield out
        finally:
            up.send_signal(signal.SIGINT)
            assert up.wait(20) == 130


def test_an_edit_is_told_and_apply_touches_only_what_changed(
    sandbox_command: SandboxCommand,
) -> None:
    procfile = sandbox_command.cwd / "Procfile"
    procfile.write_text(BEFORE)
    with foreground(sandbox_command) as out:
        before = processes(sandbox_command)

        procfile.write_text(AFTER)

        until(lambda: "db changed, new came, old went" in out.read_text(), evidence=out.read_text)
        line = next(line for line in out.read_text().splitlines() if "db changed" in line)
        assert "Procfile changed" in line
        assert "etcd-sandbox apply" in line
        assert processes(sandbox_command).keys() == before.keys()

        applied = sandbox_command("apply")

        assert applied.stdout.splitlines()[:3] == ["changed: db", "started: new", "stopped: old"]
        after = processes(sandbox_command)
        assert list(after) == ["web", "db", "new"]
        assert after["web"]["pid"] == before["web"]["pid"]
        assert after["db"]["pid"] != before["db"]["pid"]
        assert after["db"]["command"] == "sleep 402"
        assert {process["state"] for process in after.values()} == {"running"}
        assert "nothing" in sandbox_command("apply").stdout


def test_status_tells_of_an_edit_until_it_is_applied_or_taken_back(
    sandbox_command: SandboxCommand,
) -> None:
    procfile = sandbox_command.cwd / "Procfile"
    procfile.write_text(BEFORE)
    sandbox_command("up", "-d")
    assert "changed" not in sandbox_command("status").stdout

    procfile.write_text(AFTER)

    edit = "Procfile changed: db changed, new came, old went; etcd-sandbox apply makes it so"
    assert sandbox_command("status").stdout.splitlines()[-1] == edit
    procfile.write_text(BEFORE)
    assert "changed" not in sandbox_command("status").stdout
    procfile.write_text(AFTER)
    sandbox_command("apply")
    assert "changed" not in sandbox_command("status").stdout
    procfile.write_text("no procfile\n")
    assert "Procfile changed, but cannot be used" in sandbox_command("status").stdout
    procfile.unlink()
    assert "Procfile" not in sandbox_command("status").stdout


def test_watch_applies_edits_by_itself_also_by_rename(sandbox_command: SandboxCommand) -> None:
    procfile = sandbox_command.cwd / "Procfile"
    procfile.write_text(BEFORE)
    with foreground(sandbox_command, "--watch"):
        draft = sandbox_command.cwd / "Procfile~"
        draft.write_text(AFTER)
        draft.replace(procfile)  # as editors do
        until(lambda: list(processes(sandbox_command)) == ["web", "db", "new"])


def test_a_wrong_edit_is_told_in_one_line_and_changes_nothing(
    sandbox_command: SandboxCommand,
) -> None:
    procfile = sandbox_command.cwd / "Procfile"
    procfile.write_text(BEFORE)
    with foreground(sandbox_command, "--watch") as out:
        before = processes(sandbox_command)
        procfile.write_text("web: sleep 1\nweb: sleep 2\n")
        until(lambda: "Procfile:2" in out.read_text(), evidence=out.read_text)
        assert processes(sandbox_command).keys() == before.keys()
        refused = sandbox_command("apply", code=2)
        assert "Procfile:2" in refused.stderr


def test_a_stopped_process_that_changed_stays_stopped(sandbox_command: SandboxCommand) -> None:
    procfile = sandbox_command.cwd / "Procfile"
    procfile.write_text(BEFORE)
    sandbox_command("up", "-d")
    sandbox_command("stop", "db")
    procfile.write_text(AFTER)
    sandbox_command("apply")
    assert processes(sandbox_command)["db"]["state"] == "stopped"
    sandbox_command("start", "db")
    assert processes(sandbox_command)["db"]["command"] == "sleep 402"


def test_the_member_list_of_a_running_cluster_is_not_applied(
    sandbox_command: SandboxCommand,
) -> None:
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_versions.need().path
    profile = sandbox_command.cwd / "p.toml"
    profile.write_text("[cluster]\nmembers = 1\n[etcd]\nsnapshot-count = 1000\n")
    sandbox_command("up", "-d", "-p", "./p.toml", "--base-port", "auto")
    status = json.loads(sandbox_command("status", "--json").stdout)

    profile.write_text("[cluster]\nmembers = 3\n")
    refused = sandbox_command("apply", code=1)
    assert "member list" in refused.stderr
    assert "--fresh" in refused.stderr

    profile.write_text("[cluster]\nmembers = 1\n[etcd]\nsnapshot-count = 2000\n")
    assert "changed: etcd1" in sandbox_command("apply").stdout
    again = json.loads(sandbox_command("status", "--json").stdout)["members"][0]
    assert again["healthy"]
    assert again["pid"] != status["members"][0]["pid"]
    cmdline = Path(f"/proc/{again['pid']}/cmdline")
    if cmdline.exists():
        assert b"--snapshot-count=2000" in cmdline.read_bytes()


def test_a_member_is_dialled_at_another_peer_url_and_is_the_same_member(
    sandbox_command: SandboxCommand,
) -> None:
    def member() -> dict[str, Any]:
        (found,) = json.loads(sandbox_command("status", "--json").stdout)["members"]
        return found  # type: ignore[no-any-return]

    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_versions.need().path
    base = free_block(2)
    ports = (base, base + 10)
    profile = sandbox_command.cwd / "p.toml"
    for port in ports:
        profile.write_text(f"[cluster]\nmembers = 1\nbase_port = {port}\n")
        if port == ports[0]:
            sandbox_command("up", "-d", "-p", "./p.toml")
            before = member()
    peer_url = f"http://127.0.0.1:{ports[1] + 1}"

    said = sandbox_command("apply").stdout

    assert f"dialled by its peers at {peer_url}, not at {before['peer_url']}: infra1" in said
    now = member()
    assert (now["id"], now["peer_url"], now["healthy"]) == (before["id"], peer_url, True)
    assert (
        f"{before['id']}, started, infra1, {peer_url},"
        in sandbox_command("ctl", "member", "list").stdout
    )
    assert "nothing to do" in sandbox_command("apply").stdout

    other = f"--peer-urls={before['peer_url']}"
    sandbox_command("ctl", "member", "update", str(before["id"]), other)
    assert f"peers dial infra1 at {before['peer_url']}" in sandbox_command("status").stdout
    assert f"at {peer_url}, not at {before['peer_url']}" in sandbox_command("apply").stdout
    assert peer_url in sandbox_command("ctl", "member", "list").stdout
    assert member()["pid"] == now["pid"]


def test_a_process_of_the_plan_that_was_not_wanted_can_be_started_later(
    sandbox_command: SandboxCommand,
) -> None:
    (sandbox_command.cwd / "Procfile").write_text(BEFORE)
    sandbox_command("up", "-d", "web")
    assert {name: p["state"] for name, p in processes(sandbox_command).items()} == {
        "web": "running", "db": "stopped", "old": "stopped",
    }  # fmt: skip
    sandbox_command("start", "db")
    assert processes(sandbox_command)["db"]["state"] == "running"
    assert (
        os.getpgid(processes(sandbox_command)["db"]["pid"])
        == processes(sandbox_command)["db"]["pid"]
    )
