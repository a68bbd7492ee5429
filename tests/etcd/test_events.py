"""What real etcd makes happen is told as events."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.etcd.version import hex_id, series
from etcd_sandbox.model.spec import EtcdBinary

from tests import etcd_versions
from tests.conftest import SandboxCommand, until


@pytest.fixture
def on_etcd(sandbox_command: SandboxCommand, etcd_binary: EtcdBinary) -> SandboxCommand:
    """The command, with the etcd of this round."""
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_binary.path
    sandbox_command.series = series(etcd_binary.version)
    return sandbox_command


def events(command: SandboxCommand, kind: str) -> list[dict[str, Any]]:
    return [event for event in command.events() if event["kind"] == kind]


def members(command: SandboxCommand) -> dict[str, dict[str, Any]]:
    return {member["name"]: member for member in command.status()["members"]}


def test_a_stopped_leader_hands_over_and_both_are_named(on_etcd: SandboxCommand) -> None:
    on_etcd("up", "-n", "3", "-d", "--base-port", "auto")
    # A cluster may elect more than once while it starts.
    before = events(on_etcd, "raft.leader_elected")
    first = before[-1]
    on_etcd("stop", "leader")
    until(lambda: events(on_etcd, "raft.leader_transferred"), 20)
    (transfer,) = events(on_etcd, "raft.leader_transferred")
    assert transfer["from"] == first["member"]
    assert transfer["to"] == transfer["member"] != first["member"]
    assert transfer["term"] == first["term"] + 1
    assert len(events(on_etcd, "raft.leader_elected")) == len(before) + 1


@pytest.mark.also_on("3.4")
def test_an_alarm_is_raised_when_the_space_is_used_up_and_cleared_by_hand(
    on_etcd: SandboxCommand, tmp_path: Path
) -> None:
    profile = tmp_path / "small.toml"
    profile.write_text("[etcd]\nquota-backend-bytes = 2097152\n")
    on_etcd("up", "-p", str(profile), "-d", "--base-port", "auto")
    value = "x" * 120_000
    for number in range(30):
        if on_etcd("ctl", "put", f"key{number}", value, code=None).returncode != 0:
            break
    else:
        pytest.fail("30 values of 120 kB fit into 2 MiB")

    def raised_by() -> list[str]:
        raised = events(on_etcd, "alarm.raised")
        assert {event["alarm"] for event in raised} <= {"NOSPACE"}
        return sorted(event["member"] for event in raised)

    def listed() -> list[str]:
        # Every member that was to store the value raises an alarm of its own, some later than others.
        told = on_etcd("ctl", "alarm", "list").stdout
        ids = [hex_id(found) for found in re.findall(r"memberID:(\d+)\s+alarm:NOSPACE", told)]
        names = {member["id"]: name for name, member in members(on_etcd).items()}
        return sorted(names[each] for each in ids)

    until(lambda: raised_by() and raised_by() == listed(), 20, lambda: (raised_by(), listed()))
    told = members(on_etcd)
    assert sorted(name for name in told if told[name]["alarms"] == ["NOSPACE"]) == raised_by()
    on_etcd("ctl", "alarm", "disarm")
    until(lambda: len(events(on_etcd, "alarm.cleared")) == len(raised_by()), 20)
    assert all(member["healthy"] for member in members(on_etcd).values())


@pytest.mark.also_on(*etcd_versions.SERIES)
def test_a_member_that_was_removed_is_removed_and_not_crashed(on_etcd: SandboxCommand) -> None:
    on_etcd("up", "-n", "3", "-d", "--base-port", "auto")
    gone = members(on_etcd)["infra3"]
    # etcd refuses until all peers have been connected for five seconds; asked through the member
    # that goes, it may go before it answers.
    remove = ("ctl", "--on", "infra1", "member", "remove", gone["id"])
    until(lambda: on_etcd(*remove, code=None).returncode == 0, 30)
    until(
        lambda: members(on_etcd)["infra3"]["state"] == "removed",
        20,
        lambda: (members(on_etcd)["infra3"], on_etcd("logs", "infra3", "-n", "50").stdout),
    )
    # It ends by itself: with 0, or it panics (2) when its status is asked for amid its removal.
    ended = members(on_etcd)["infra3"]["exit"]
    assert ended["signal"] is None
    assert ended["code"] in (0, 2)
    assert [event["member"] for event in events(on_etcd, "member.removed")] == ["infra3"]
    # The two that are left may have to elect a leader first.
    whole = {"voters": 2, "needed": 2, "healthy": 2, "ok": True, "late": 0}

    def quorum() -> dict[str, object]:
        asked: dict[str, object] = on_etcd.status()["quorum"]
        return asked

    until(lambda: whole.items() <= quorum().items(), 20, quorum)
